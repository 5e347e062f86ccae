"""The prompts at work: a branch beside main, a release that was approved and one that waits, fetches by applications, a draft,
and, once the model is deployed, tests that pass and fail and a run in the playground. All of it can be run again."""

from __future__ import annotations

from typing import Any

from .client import Client
from .workspace import TEAM, say

PROMPTS = f"/api/v1/prompts/{TEAM}"
REPLY = f"{PROMPTS}/support/first-reply"
DATES = f"{PROMPTS}/dates/normalise"
MODEL = f"{TEAM}/date-normaliser"
POLICY: dict[str, Any] = {
    "team": TEAM,
    "kind": "prompt",
    "pattern": "dates/*",
    "stage": "production",
    "checks": [{"type": "prompt_tests", "share": 0.9}],
    "reviews": {"count": 1, "role": "reviewer"},
}
# Branch of a prompt: its name, where it begins, and what its version changes.
BRANCHES = (
    (
        REPLY,
        "warmer",
        1,
        {"message": "Warmer, for customers who wait", "parameters": {"temperature": 0.6, "max_tokens": 300}},
        ("{{ message }}", "{{ message }}\n\nThey have waited for an answer: say so, and say sorry."),
    ),
    (
        DATES,
        "polite",
        1,
        {"message": "Asks in a sentence. The model never saw one: its tests are red"},
        ("{{ input }}", "Could you kindly write this date in ISO form: {{ input }}"),
    ),
)
DRAFT = (
    "List every date in the {{ language }} text between the lines, one per line, just as it is written there, with the "
    "line that it is from.\n---\n{{ text }}\n---"
)


def make_prompt_policy(admin: Client) -> None:
    """Prompts about dates go to production only with green tests."""
    if not any(policy["kind"] == "prompt" for policy in admin.every("/api/v1/policies", team=TEAM)):
        admin.post("/api/v1/policies", POLICY)


def work_on_prompts(alice: Client, bob: Client, readers: list[Client]) -> None:
    """What people and applications did with the prompts."""
    for address, branch, start, changes, words in BRANCHES:
        _branch(alice, address, branch, start, changes, words)
    _release(alice, bob, "shared/house-style", 2, "Read by the support team for two weeks")
    _ask(alice, "support/first-reply", 2, "The first one that asks for the order number")
    _ask(alice, "dates/normalise", 1, "Right on the held-back dates")
    _fetch(readers)
    drafts = f"{PROMPTS}/extract-dates/drafts"
    if not list(alice.every(drafts)):
        content = {"type": "text", "format": "jinja2", "template": DRAFT, "parameters": '{"temperature": 0}'}
        alice.put(f"{drafts}/main", {"content": content, "revision": 0, "base": 3})
    say("prompts have branches, releases, a draft and readers")


def try_models(alice: Client, dana: Client) -> None:
    """Deploy the model for trying out, and ask it: tests of two versions, and both side by side in the playground. The platform
    carries these on by itself."""
    if dana.find(f"/api/v1/deployments/{MODEL}") is None:
        body = {"team": TEAM, "name": "date-normaliser", "model": MODEL, "version": 2, "stage": "development"}
        dana.post("/api/v1/deployments", body)
        dana.put(f"/api/v1/deployments/{MODEL}/prices", {"input_per_million": "0.10", "output_per_million": "0.40"})
    numbers = sorted(row["number"] for row in alice.every(f"{DATES}/versions"))
    for number in numbers:
        if not list(alice.every(f"{DATES}/tests/runs", version=number)):
            alice.post(f"{DATES}/tests/runs", {"version": number})
    if not list(alice.every("/api/v1/playground/runs", team=TEAM)):
        columns = [{"prompt": f"{TEAM}/dates/normalise", "version": number} for number in numbers]
        run = {"team": TEAM, "name": "Bare or polite?", "columns": columns}
        alice.post(
            "/api/v1/playground/runs", run | {"dataset": f"{TEAM}/dates", "expected_field": "expected", "limit": 8}
        )
    say("the model is being deployed; tests and a playground run wait for it")


def _branch(
    api: Client, address: str, branch: str, start: int, changes: dict[str, Any], words: tuple[str, str]
) -> None:
    if api.find(f"{address}/branches/{branch}") is None:
        api.post(f"{address}/branches", {"name": branch, "start": start})
    if api.get(f"{address}/branches/{branch}")["head"] == start:
        begun = api.get(f"{address}/versions/{start}")
        body = {name: begun[name] for name in ("type", "format", "template", "inputs", "parameters", "model")}
        for message in body["template"]:
            if "content" in message:
                message["content"] = message["content"].replace(*words)
        api.post(f"{address}/versions", body | changes | {"branch": branch})


def _release(alice: Client, bob: Client, name: str, number: int, reason: str) -> None:
    """Asked for by Alice and approved by Bob."""
    if alice.find(f"{PROMPTS}/{name}/labels/production") is None:
        asked = bob.get(f"/api/v1/requests/{_ask(alice, name, number, reason)}")
        review = {"verdict": "approve", "comment": "Reads well, and promises nothing.", "shown": asked["seal"]}
        bob.post(f"/api/v1/requests/{asked['id']}/reviews", review)


def _ask(api: Client, name: str, number: int, reason: str) -> int:
    """The open request for production, which may be there already."""
    prompt = f"{TEAM}/{name}"
    for row in api.every("/api/v1/requests", asset=prompt, state="open"):
        return int(row["id"])
    body = {"kind": "prompt", "asset": prompt, "version": number, "alias": "production", "reason": reason}
    return int(api.post("/api/v1/requests", body)["id"])


def _fetch(readers: list[Client]) -> None:
    """As applications do: most by a label, one that stayed at an old number."""
    if readers[0].get(f"{PROMPTS}/extract-dates/usage")["fetches"]:
        return
    for times, reader in enumerate(readers, 2):
        for _ in range(times * 3):
            reader.get(f"{PROMPTS}/extract-dates/labels/staging")
            reader.get(f"{PROMPTS}/shared/house-style/labels/production")
    for _ in range(4):
        readers[-1].get(f"{PROMPTS}/extract-dates/versions/1")
