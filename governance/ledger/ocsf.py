"""An event in the Open Cybersecurity Schema Framework (schema.ocsf.io, 1.4), as a SIEM takes it in. docs/ledger.md has the
mapping as a table."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

VERSION = "1.4.0"
ACCOUNT_CHANGE, AUTHENTICATION, ENTITY_MANAGEMENT, USER_ACCESS, API_ACTIVITY = 3001, 3002, 3004, 3005, 6003
OTHER = 99
_INFORMATIONAL, _MEDIUM, _HIGH = 1, 3, 4
_SUCCESS, _FAILURE = 1, 2
_SIGN_IN = {"user.signed_in": 1, "user.sign_in_failed": 1, "user.signed_out": 2}
_ACCOUNT = {
    "user.created": 1,
    "user.reactivated": 2,
    "user.password_changed": 3,
    "user.deactivated": 5,
}
_ACCESS = {"granted": 1, "revoked": 2}
# By the verb; what is none of these is an update.
_VERBS = {
    "created": 1, "uploaded": 1, "opened": 1, "deposited": 1, "registered": 1, "started": 1,
    "downloaded": 2, "exported": 2, "viewed": 2,
    "removed": 4, "deleted": 4, "discarded": 4, "revoked": 4, "erased": 4,
}  # fmt: skip
_READ, _UPDATE = 2, 3


def class_of(action: str) -> tuple[int, int]:
    """Class and activity of an action."""
    noun, _, verb = action.partition(".")
    if action in _SIGN_IN:
        return AUTHENTICATION, _SIGN_IN[action]
    if noun == "user":
        return ACCOUNT_CHANGE, _ACCOUNT.get(action, OTHER)
    if noun in ("role", "grant") and verb in _ACCESS:
        return USER_ACCESS, _ACCESS[verb]
    activity = _VERBS.get(verb, _UPDATE)
    if activity == _READ or verb.endswith("refused") or verb.endswith("failed"):
        return API_ACTIVITY, activity if activity == _READ else OTHER
    return ENTITY_MANAGEMENT, activity


def event(row: Mapping[str, Any]) -> dict[str, Any]:
    """One OCSF event of a row that `export.flat` made."""
    action = str(row["action"])
    kind, activity = class_of(action)
    failed = action.endswith(("failed", "refused"))
    found: dict[str, Any] = {
        "category_uid": kind // 1000,
        "class_uid": kind,
        "activity_id": activity,
        "activity_name": action,
        "type_uid": kind * 100 + activity,
        "severity_id": _HIGH if action.startswith("out_of_band") else _MEDIUM if failed else _INFORMATIONAL,
        "status_id": _FAILURE if failed else _SUCCESS,
        "time": int(datetime.fromisoformat(row["at"].replace("Z", "+00:00")).timestamp() * 1000),
        "message": f"{action} {row['target_label']}",
        "metadata": {
            "version": VERSION,
            "uid": str(row["id"]),
            "sequence": row["index"],
            "log_name": "ledger",
            "tenant_uid": row["team"],
            "correlation_uid": row["request_id"],
            "product": {"name": "Countersign", "vendor_name": "Countersign"},
        },
        "actor": {"user": _actor(row)},
        "src_endpoint": {"ip": row["address"], "name": row["via"]} if row["address"] else {"name": row["via"]},
        "unmapped": {
            "before": row["before"],
            "after": row["after"],
            "reason": row["reason"],
            "subjects": row["subjects"],
            "leaf_hash": row["leaf_hash"],
        },
    }
    return found | _OWN[kind](row)


def _actor(row: Mapping[str, Any]) -> dict[str, Any]:
    user = {"name": row["actor_name"] or "unknown", "uid": "" if row["actor_id"] is None else str(row["actor_id"])}
    if row["actor_email"]:
        user["email_addr"] = row["actor_email"]
    if row["key_id"]:
        user["credential_uid"] = row["key_id"]
    return user


def _person(row: Mapping[str, Any]) -> dict[str, Any]:
    """Whom it was done to: the first person that the event is about, else the target."""
    ids = [one.partition(":")[2] for one in row["subjects"] if one.startswith("user:")]
    return {"name": row["target_label"], "uid": ids[0] if ids else row["target_id"]}


def _resource(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {"name": row["target_label"], "uid": row["target_id"], "type": row["target_kind"]}
    return found | ({"version": row["target_digest"]} if row["target_digest"] else {})


def _privileges(row: Mapping[str, Any]) -> list[str]:
    told = (row["after"] if isinstance(row["after"], dict) else {}) | (
        row["before"] if isinstance(row["before"], dict) else {}
    )
    return [str(told.get("role") or told.get("permission") or row["action"])]


_OWN: dict[int, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    AUTHENTICATION: lambda row: {"user": _person(row), "service": {"name": "Countersign"}},
    ACCOUNT_CHANGE: lambda row: {"user": _person(row)},
    USER_ACCESS: lambda row: {"user": _person(row), "privileges": _privileges(row), "resource": _resource(row)},
    ENTITY_MANAGEMENT: lambda row: {"entity": _resource(row)},
    API_ACTIVITY: lambda row: {
        "api": {"operation": row["action"], "request": {"uid": row["request_id"]}},
        "resources": [_resource(row)],
    },
}
