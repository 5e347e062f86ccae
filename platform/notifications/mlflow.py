"""Messages in MLflow's words, for webhooks that were made by its client: its events, its payloads, its signature."""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from governance.ledger.actions import Action
from governance.ledger.models import AuditEvent
from notifications.models import Delivery
from notifications.wire import Message

WORDING = "mlflow"
# MLflow's events by ours. What else it knows (budgets) is not told of at its address.
EVENTS = {
    Action.ASSET_CREATED.value: "registered_model.created",
    Action.VERSION_REGISTERED.value: "model_version.created",
    Action.VERSION_TAG_SET.value: "model_version_tag.set",
    Action.VERSION_TAG_REMOVED.value: "model_version_tag.deleted",
    Action.ALIAS_MOVED.value: "model_version_alias.created",
    Action.ALIAS_REMOVED.value: "model_version_alias.deleted",
    Action.PROMPT_CREATED.value: "prompt.created",
    Action.PROMPT_VERSION_CREATED.value: "prompt_version.created",
    Action.PROMPT_TAG_SET.value: "prompt_tag.set",
    Action.PROMPT_TAG_REMOVED.value: "prompt_tag.deleted",
    Action.PROMPT_VERSION_TAG_SET.value: "prompt_version_tag.set",
    Action.PROMPT_VERSION_TAG_REMOVED.value: "prompt_version_tag.deleted",
    Action.LABEL_MOVED.value: "prompt_alias.created",
    Action.LABEL_REMOVED.value: "prompt_alias.deleted",
}
ACTIONS = {theirs: ours for ours, theirs in EVENTS.items()}
_EXAMPLES: dict[str, dict[str, Any]] = {
    "registered_model.created": {"name": "example_model", "tags": {}, "description": "An example registered model"},
    "model_version.created": {
        "name": "example_model", "version": "1", "source": "models:/123", "run_id": "abcd1234abcd5678",
        "tags": {"example_key": "example_value"}, "description": "An example model version",
    },
    "model_version_tag.set": {"name": "example_model", "version": "1", "key": "example_key", "value": "example_value"},
    "model_version_tag.deleted": {"name": "example_model", "version": "1", "key": "example_key"},
    "model_version_alias.created": {"name": "example_model", "alias": "example_alias", "version": "1"},
    "model_version_alias.deleted": {"name": "example_model", "alias": "example_alias"},
    "prompt.created": {
        "name": "example_prompt", "tags": {"example_key": "example_value"}, "description": "An example prompt",
    },
    "prompt_version.created": {
        "name": "example_prompt", "version": "1", "template": "Hello {{name}}!",
        "tags": {"example_key": "example_value"}, "description": "An example prompt version",
    },
    "prompt_tag.set": {"name": "example_prompt", "key": "example_key", "value": "example_value"},
    "prompt_tag.deleted": {"name": "example_prompt", "key": "example_key"},
    "prompt_version_tag.set": {"name": "example_prompt", "version": "1", "key": "example_key", "value": "example_value"},
    "prompt_version_tag.deleted": {"name": "example_prompt", "version": "1", "key": "example_key"},
    "prompt_alias.created": {"name": "example_prompt", "alias": "example_alias", "version": "1"},
    "prompt_alias.deleted": {"name": "example_prompt", "alias": "example_alias"},
}  # fmt: skip
# What an event says only by its digest (a prompt's text, for one), by the kind of its target: the app above tells it.
_DETAILS: dict[str, Callable[[int], dict[str, Any]]] = {}


def announce(kind: str, details: Callable[[int], dict[str, Any]]) -> None:
    """Called when an app starts: what payloads about this kind of thing say besides their event, by its primary key."""
    _DETAILS[kind] = details


def tells_of(event: AuditEvent) -> bool:
    """MLflow knows models and prompts, not datasets."""
    return event.action in EVENTS and any(subject.startswith(("model:", "prompt:")) for subject in event.subjects)


def body_of(delivery: Delivery) -> bytes | None:
    """The message's body; None when its event can't be read any more. A test's type is the event that it shows an example of."""
    if delivery.event_id is None:
        name = delivery.type if delivery.type in _EXAMPLES else "registered_model.created"
        return _written(name, delivery.created_at.isoformat(), delivery.endpoint.team.name, _EXAMPLES[name])
    event = AuditEvent.objects.filter(pk=delivery.event_id).first()
    if event is None or event.action not in EVENTS:
        return None
    return _written(EVENTS[event.action], event.at.isoformat(), event.team, payload_of(event))


def payload_of(event: AuditEvent) -> dict[str, Any]:
    """What MLflow's payload says of our event."""
    after, before = dict(event.text.after or {}), dict(event.text.before or {})
    label, theirs = event.text.target_label or "", EVENTS[event.action]
    entity, _, verb = theirs.partition(".")
    if entity.endswith("_alias"):
        thing, _, alias = label.rpartition("@")
        return {"name": _name(thing), "alias": alias} | (
            {"version": str(after["version"])} if verb == "created" else {}
        )
    thing, number = label, ""
    if "_version" in entity:  # a prompt's name may hold these words, too
        thing, _, number = label.rpartition(" version ")
    found: dict[str, Any] = {"name": _name(thing)} | ({"version": number} if number else {})
    if entity.endswith("_tag"):
        return found | {"key": (after or before).get("key", "")} | ({"value": after.get("value", "")} if after else {})
    description = event.text.reason if entity == "prompt_version" else after.get("description")
    found |= {"tags": after.get("tags", {}), "description": description or None}
    if entity == "model_version":
        found["source"] = after.get("source") or f"mlflow-artifacts:/models/{thing}/{number}"
        found["run_id"] = after.get("run_id") or None
    details = _DETAILS.get(event.target_kind)
    return found | (details(int(event.target_id)) if details else {})


def message(delivery: Delivery, body: bytes, secrets: Sequence[str], timestamp: int) -> Message:
    """The message with MLflow's headers; signed where the webhook has a secret."""
    number = str(uuid.uuid5(uuid.NAMESPACE_OID, delivery.message_id))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Countersign-Webhooks/1",
        "X-MLflow-Delivery-Id": number,
        "X-MLflow-Timestamp": str(timestamp),
    }
    if secrets and secrets[0]:
        headers["X-MLflow-Signature"] = sign(secrets[0], number, timestamp, body)
    return Message(delivery.endpoint.url, body, headers)


def sign(secret: str, delivery_id: str, timestamp: int, body: bytes) -> str:
    signed = b"%s.%d.%s" % (delivery_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()


def _written(name: str, at: str, team: str, data: Mapping[str, Any]) -> bytes:
    entity, action = name.split(".")
    body = {"entity": entity, "action": action, "timestamp": at, "data": data, "workspace": team}
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _name(label: str) -> str:
    """A model's name without its team's."""
    return label.partition("/")[2]
