"""The story over REST with API keys, on a version of its own."""

import json

import httpx
import pytest
from openai import OpenAI

from .conftest import Instance, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(900)]
MODEL = "/models/acme/date-normaliser"


def evaluate(alice: httpx.Client, version: int) -> dict:
    started = alice.post(
        "/evaluations", json={"model": "acme/date-normaliser", "version": version, "dataset": "acme/dates"}
    )
    assert started.status_code == 201, started.text
    number = started.json()["id"]
    done = wait_for(
        f"the evaluation of version {version}",
        lambda: (
            (body := alice.get(f"/evaluations/{number}").json())["state"] in ("succeeded", "failed", "cancelled")
            and body
        ),
        timeout_s=240,
    )
    assert done["state"] == "succeeded", done
    return done


def promote(client: httpx.Client, version: int) -> httpx.Response:
    body = {
        "kind": "model",
        "asset": "acme/date-normaliser",
        "version": version,
        "alias": "production",
        "reason": "It is better.",
    }
    return client.post("/requests", json=body)


def wait_state(dana: httpx.Client, name: str, *states: str, timeout_s: float = 180) -> dict:
    return wait_for(
        f"deployment {name} to be {states}",
        lambda: (body := dana.get(f"/deployments/acme/{name}").json())["state"] in states and body,
        timeout_s=timeout_s,
    )


def test_the_story_over_rest(instance: Instance):
    alice, bob, dana, carol, mallory = (instance.api(name) for name in ("alice", "bob", "dana", "carol", "mallory"))

    # A version of one's own: the same files and a longer card.
    files = alice.get(f"{MODEL}/versions/2/files").json()["results"]
    draft = alice.post(f"{MODEL}/versions", json={"message": "The same weights, a longer card."}).json()
    number = draft["number"]
    for file in files:
        content = alice.get(f"{MODEL}/versions/2/files/{file['path']}").content
        if file["path"] == "README.md":
            content += f"\n\nRegistered over REST as version {number}.\n".encode()
        put = alice.put(f"{MODEL}/versions/{number}/files/{file['path']}", content=content)
        assert put.status_code in (200, 201), put.text
    registered = alice.post(f"{MODEL}/versions/{number}/register").json()
    assert registered["digest"].startswith("sha256:")
    assert alice.put(f"{MODEL}/versions/{number}/files/x.txt", content=b"x").status_code == 409  # immutable now

    # Nobody moves production by hand, whoever asks.
    refused = alice.put(f"{MODEL}/aliases/production", json={"version": number})
    assert refused.status_code == 403
    assert refused.json()["type"].endswith("approval_required")

    # Version 1 shows which check fails, and nobody can approve it.
    evaluate(alice, 1)
    worse = promote(alice, 1)
    assert worse.status_code == 201, worse.text
    failing = [line for line in worse.json()["policy"] if line["state"] == "failed"]
    assert [line["title"] for line in failing] == ["Lower bound of exact match on acme/dates at least 0.9"]
    assert bob.post(f"/requests/{worse.json()['id']}/reviews", json={"verdict": "approve"}).status_code == 409

    # The new version passes.
    result = evaluate(alice, number)
    assert result["metrics"]["exact_match"]["lower"] >= 0.9
    asked = alice.get(refused.json()["link"]).json()
    assert all(line["state"] == "passed" for line in asked["policy"][:-1])
    own = alice.post(f"/requests/{asked['id']}/reviews", json={"verdict": "approve"})
    assert own.status_code == 403
    assert mallory.get(f"/requests/{asked['id']}").status_code == 404
    done = bob.post(
        f"/requests/{asked['id']}/reviews", json={"verdict": "approve", "comment": "Fine.", "shown": asked["seal"]}
    )
    assert done.status_code == 201, done.text
    assert done.json()["state"] == "applied"
    assert done.json()["attestation"]["signatures"]
    assert alice.get(f"{MODEL}/aliases/production").json()["number"] == number

    # Dana deploys it; the unapproved version is refused with the reason.
    body = {"team": "acme", "name": "dates-rest", "model": "acme/date-normaliser", "stage": "production", "replicas": 1}
    refused = dana.post("/deployments", json={**body, "version": 1})
    assert refused.status_code == 403
    assert "not approved for production" in refused.json()["detail"]
    assert alice.post("/deployments", json={**body, "version": number}).status_code == 403
    assert mallory.post("/deployments", json={**body, "version": number}).status_code in (400, 404)
    made = dana.post("/deployments", json={**body, "version": number})
    assert made.status_code == 201, made.text
    wait_state(dana, "dates-rest", "running")

    # The gateway answers the unmodified client.
    client = OpenAI(base_url=f"{instance.gateway}/v1", api_key=instance.people["dana"]["api_key"])
    assert "acme/dates-rest" in [model.id for model in client.models.list()]
    messages = [{"role": "user", "content": "the 3rd of March 2021"}]
    answer = client.chat.completions.create(model="acme/dates-rest", messages=messages, temperature=0)
    assert answer.choices[0].message.content == "2021-03-03"
    stream = client.chat.completions.create(model="acme/dates-rest", messages=messages, temperature=0, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == "2021-03-03"
    outsider = httpx.post(
        f"{instance.gateway}/v1/chat/completions",
        headers={"Authorization": f"Bearer {instance.people['mallory']['api_key']}"},
        json={"model": "acme/dates-rest", "messages": messages},
    )
    assert outsider.status_code == 404

    # Two replicas, then none.
    assert dana.patch("/deployments/acme/dates-rest", json={"replicas": 2}).status_code == 200
    wait_for(
        "two replicas",
        lambda: (
            sum(r["state"] == "running" for r in dana.get("/deployments/acme/dates-rest").json()["replica_states"]) == 2
        ),
        timeout_s=180,
    )
    assert dana.post("/deployments/acme/dates-rest/stop").status_code == 202
    wait_state(dana, "dates-rest", "stopped")
    wait_for("the replicas to be gone", lambda: not instance.named("ServeReplica:dates-rest"), timeout_s=60)

    # Carol reads all of it and changes nothing.
    life = carol.get("/ledger", params={"asset": "acme/date-normaliser", "limit": 200}).json()["results"]
    actions = {event["action"] for event in life}
    assert {"version.registered", "evaluation.started", "request.opened", "request.applied", "alias.moved"} <= actions
    moved = next(event for event in life if event["action"] == "alias.moved")
    assert moved["actor"] == instance.people["bob"]["email"]
    assert moved["after"]["version"] == number
    deployed = carol.get("/ledger", params={"action": "deployment", "limit": 200}).json()["results"]
    assert {"deployment.created", "deployment.refused", "deployment.stopped"} <= {event["action"] for event in deployed}
    assert alice.get("/ledger").status_code == 403
    for method, path in (
        ("POST", "/models"),
        ("POST", "/evaluations"),
        ("POST", "/deployments"),
        ("POST", "/policies"),
    ):
        answer = carol.request(
            method,
            path,
            content=json.dumps(
                {
                    "team": "acme",
                    "name": "x",
                    "kind": "model",
                    "pattern": "*",
                    "stage": "staging",
                    "checks": [],
                    "reviews": {"count": 1, "role": "reviewer"},
                    "model": "acme/date-normaliser",
                    "version": number,
                    "dataset": "acme/dates",
                    "replicas": 1,
                    "description": "",
                    "task": "text-generation",
                }
            ),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 403, (path, answer.text)
