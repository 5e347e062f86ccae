"""MLflow's webhooks: ours, told in MLflow's words and signed its way (notifications.mlflow)."""

from typing import Any

from accounts.errors import NotFound
from doors.mlflow import search
from doors.mlflow.base import Answer, Call, endpoint, invalid, missing
from notifications import actions, reads
from notifications.mlflow import ACTIONS, WORDING
from notifications.models import Endpoint


@endpoint("POST")
def create(call: Call) -> Answer:
    name, description = webhook_name(call), call.text("description")
    events = events_of(call)
    row, _ = actions.create_webhook(
        team=call.team,
        url=call.text("url", required=True),
        events=[ACTIONS[event] for event in events],
        description=name[:200],
        enabled=status_of(call),
        secret=call.text("secret"),
        foreign={"name": name, "description": description, "events": events},
        by=call.by,
    )
    return {"webhook": webhook_json(row)}


@endpoint("GET")
def listing(call: Call) -> Answer:
    most = search.limit(call.whole("max_results", 100), 1000)
    rows = reads.webhooks_of(call.by, call.team).filter(wording=WORDING).order_by("-id")
    if token := call.text("page_token"):
        (last,) = search.read_token(token, 1, "webhooks")
        if not last.isdecimal():
            raise invalid("Invalid page token.")
        rows = rows.filter(pk__lt=int(last))
    found = list(rows[: most + 1])
    body: dict[str, Any] = {"webhooks": [webhook_json(row) for row in found[:most]]} if found else {}
    if len(found) > most:
        body["next_page_token"] = search.write_token([str(found[most - 1].pk)], "webhooks")
    return body


@endpoint("GET")
def get(call: Call, webhook_id: str) -> Answer:
    return {"webhook": webhook_json(find_webhook(call, webhook_id))}


@endpoint("PATCH")
def update(call: Call, webhook_id: str) -> Answer:
    row = find_webhook(call, webhook_id)
    foreign: dict[str, Any] = {}
    if call.has("name"):
        foreign["name"] = webhook_name(call)
    if call.has("description"):
        foreign["description"] = call.text("description")
    if call.objects("events"):
        foreign["events"] = events_of(call)
    row = actions.change_webhook(
        webhook=row,
        url=call.text("url") or None,
        events=[ACTIONS[event] for event in foreign["events"]] if "events" in foreign else None,
        description=foreign["name"][:200] if "name" in foreign else None,
        enabled=status_of(call) if call.has("status") else None,
        foreign=foreign,
        by=call.by,
    )
    if call.has("secret"):
        actions.set_secret(webhook=row, secret=call.text("secret"), by=call.by)
    return {"webhook": webhook_json(row)}


@endpoint("DELETE")
def delete(call: Call, webhook_id: str) -> Answer:
    actions.remove_webhook(webhook=find_webhook(call, webhook_id), by=call.by)
    return {}


@endpoint("POST")
def test(call: Call, webhook_id: str) -> Answer:
    """Send an example now, and say what the receiver answered."""
    row = find_webhook(call, webhook_id)
    asked = call.values.get("event")
    name = event_named(asked) if isinstance(asked, dict) else row.foreign["events"][0]
    outcome = actions.test_now(webhook=row, type=name, by=call.by)
    result: dict[str, Any] = {"success": outcome.delivered}
    if outcome.status is not None:
        result |= {"response_status": outcome.status, "response_body": outcome.response}
    if outcome.error:
        result["error_message"] = outcome.error
    return {"result": result}


def find_webhook(call: Call, webhook_id: str) -> Endpoint:
    """A webhook of the key's team that a client of MLflow made."""
    team = call.team
    if webhook_id.isdecimal() and len(webhook_id) < 19:
        try:
            row = reads.get_webhook(call.by, int(webhook_id))
        except NotFound:
            row = None
        if row is not None and row.team_id == team.pk and row.wording == WORDING:
            return row
    raise missing(f"Webhook with ID {webhook_id} not found.")


def webhook_name(call: Call) -> str:
    name = call.text("name", required=True).strip()
    if not name or len(name) > 256:
        raise invalid("Webhook name must be a text of 1 to 256 characters.")
    return name


def events_of(call: Call) -> list[str]:
    """The events of a body, each once, by MLflow's names."""
    found = list(dict.fromkeys(event_named(event) for event in call.objects("events")))
    if not found:
        raise invalid("Webhook events must be a non-empty list.")
    return found


def event_named(event: dict[str, Any]) -> str:
    name = f"{event.get('entity', '')}.{event.get('action', '')}".lower()
    if name not in ACTIONS:
        raise invalid(f"There is no event '{name[:100]}' here. There are: {', '.join(sorted(ACTIONS))}.")
    return name


def status_of(call: Call) -> bool:
    text = call.text("status", "ACTIVE").upper()
    if text not in ("ACTIVE", "DISABLED"):
        raise invalid(f"Invalid webhook status '{text[:50]}'. Use ACTIVE or DISABLED.")
    return text == "ACTIVE"


def webhook_json(row: Endpoint) -> dict[str, Any]:
    events = [name.upper().split(".") for name in row.foreign["events"]]
    body = {
        "webhook_id": str(row.pk),
        "name": row.foreign["name"],
        "url": row.url,
        "events": [{"entity": entity, "action": action} for entity, action in events],
        "status": "ACTIVE" if row.enabled else "DISABLED",
        "creation_timestamp": int(row.created_at.timestamp() * 1000),
        "last_updated_timestamp": int(max(row.changed_at, row.created_at).timestamp() * 1000),
        "workspace": row.team.name,
    }
    return body | ({"description": row.foreign["description"]} if row.foreign.get("description") else {})
