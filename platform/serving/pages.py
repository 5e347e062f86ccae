"""What every page about one deployment shows: its header, tabs and what the actor may do."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.access import Actor, can
from accounts.roles import Permission
from registry.models import Asset
from serving.models import Deployment

TABS = (
    ("overview", "Overview", ""),
    ("logs", "Logs", "/logs"),
    ("revisions", "Revisions", "/revisions"),
    ("history", "History", "/history"),
)
CHAT_CURL = """curl {base}/chat/completions \\
  -H "Authorization: Bearer $COUNTERSIGN_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "{model}", "stream": true, "messages": [{{"role": "user", "content": "the 3rd of March 2021"}}]}}'"""
CHAT_PYTHON = """import os
from openai import OpenAI

client = OpenAI(base_url="{base}", api_key=os.environ["COUNTERSIGN_API_KEY"])
stream = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "the 3rd of March 2021"}}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)"""
EMBED_CURL = """curl {base}/embeddings \\
  -H "Authorization: Bearer $COUNTERSIGN_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "{model}", "input": ["a text", "another one"]}}'"""
EMBED_PYTHON = """import os
from openai import OpenAI

client = OpenAI(base_url="{base}", api_key=os.environ["COUNTERSIGN_API_KEY"])
answer = client.embeddings.create(model="{model}", input=["a text", "another one"])
print(len(answer.data[0].embedding))"""


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


JUST_NOW = timedelta(minutes=1)
STEPS = ("queued", "starting", "running")


def steps(deployment: Deployment) -> list[tuple[str, str]]:
    """The way up as (title, done | now | later | failed); nothing for what shall not run, or has long been up."""
    state = deployment.state
    if not deployment.wants_to_run or state == Deployment.State.UPDATING:
        return []
    if state == Deployment.State.RUNNING and timezone.now() - deployment.state_changed_at > JUST_NOW:
        return []
    if state == Deployment.State.FAILED:
        return [("Queued", "done"), ("Starting", "failed"), ("Running", "later")]
    at = STEPS.index(state)
    return [
        (step.capitalize(), "done" if place < at or state == "running" else "now" if place == at else "later")
        for place, step in enumerate(STEPS)
    ]


def is_embedder(deployment: Deployment) -> bool:
    return bool(deployment.revision and deployment.revision.version.asset.task == Asset.Task.FEATURE_EXTRACTION)


def snippets(deployment: Deployment) -> list[tuple[str, str, str]]:
    """(id, title, text) of calls that work as they stand, once the variable holds a key."""
    curl, python = (EMBED_CURL, EMBED_PYTHON) if is_embedder(deployment) else (CHAT_CURL, CHAT_PYTHON)
    given = {"base": f"{settings.GATEWAY_URL}/v1", "model": str(deployment)}
    return [("curl", "curl", curl.format(**given)), ("python", "OpenAI SDK", python.format(**given))]


def deployment_page(deployment: Deployment, tab: str, by: Actor) -> dict[str, Any]:
    """Context for templates that extend 'serving/deployment_base.html'. No queries."""
    address = deployment.get_absolute_url()
    return {
        "deployment": deployment,
        "revision": deployment.revision,
        "tab": tab,
        "tabs": [(slug, title, f"{address}{path}") for slug, title, path in TABS],
        "embedder": is_embedder(deployment),
        "steps": steps(deployment),
        "started": [(row, _moment(row["started_at"])) for row in deployment.observed_replicas],
        "may_manage": can(by, Permission.DEPLOYMENT_MANAGE, deployment),
        "may_invoke": can(by, Permission.MODEL_INVOKE, deployment),
        "may_see_ledger": can(by, Permission.LEDGER_VIEW, deployment),
        # How often the live part asks again: quickly while something is under way, never once nothing can happen.
        "poll": ""
        if deployment.state == Deployment.State.STOPPED
        else "every 10s"
        if deployment.settled
        else "every 2s",
    }
