"""Writing to the ledger. `record` is called inside the transaction of the change that it records."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from governance.ledger.models import AuditEvent, EventText


class Action(StrEnum):
    """Every event there is, `noun.verb`. A name that is given up stays here, commented."""

    TEAM_CREATED = "team.created"
    USER_CREATED = "user.created"
    USER_UPDATED = "user.updated"
    USER_DEACTIVATED = "user.deactivated"
    USER_REACTIVATED = "user.reactivated"
    USER_SIGNED_IN = "user.signed_in"
    USER_SIGN_IN_FAILED = "user.sign_in_failed"
    USER_SIGNED_OUT = "user.signed_out"
    USER_PASSWORD_CHANGED = "user.password_changed"  # noqa: S105  an event, no password
    ROLE_GRANTED = "role.granted"
    ROLE_REVOKED = "role.revoked"
    ROLE_EXPIRED = "role.expired"
    ROLE_CREATED = "role.created"
    ROLE_CHANGED = "role.changed"
    ROLE_ARCHIVED = "role.archived"
    GROUP_CREATED = "group.created"
    GROUP_CHANGED = "group.changed"
    GROUP_DELETED = "group.deleted"
    GROUP_MEMBER_ADDED = "group.member_added"
    GROUP_MEMBER_REMOVED = "group.member_removed"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    KEY_CHANGED = "key.changed"
    KEY_ROTATED = "key.rotated"
    KEY_REFUSED = "key.refused"
    KEY_FIRST_USED_FROM = "key.first_used_from"
    SESSION_REVOKED = "session.revoked"
    MFA_ENABLED = "mfa.enabled"
    MFA_RENAMED = "mfa.renamed"
    MFA_DISABLED = "mfa.disabled"
    ACCESS_REFUSED = "access.refused"
    ACCESS_ASKED = "access.asked"
    ACCESS_GRANTED = "access.granted"
    ACCESS_DENIED = "access.denied"
    ACCESS_WITHDRAWN = "access.withdrawn"
    ASSET_CREATED = "asset.created"
    ASSET_UPDATED = "asset.updated"
    ASSET_RENAMED = "asset.renamed"
    ASSET_TAG_SET = "asset.tag_set"
    ASSET_TAG_REMOVED = "asset.tag_removed"
    ASSET_ARCHIVED = "asset.archived"
    ASSET_RESTORED = "asset.restored"
    ASSET_DELETED = "asset.deleted"
    ASSET_PURGED = "asset.purged"
    VERSION_CREATED = "version.created"
    VERSION_REGISTERED = "version.registered"
    VERSION_DISCARDED = "version.discarded"
    VERSION_DESCRIBED = "version.described"
    VERSION_TAG_SET = "version.tag_set"
    VERSION_TAG_REMOVED = "version.tag_removed"
    VERSION_ARCHIVED = "version.archived"
    VERSION_RESTORED = "version.restored"
    VERSION_DELETED = "version.deleted"
    VERSION_PURGED = "version.purged"
    VERSION_LINKED = "version.linked"
    VERSION_SIGNED = "version.signed"
    VERSION_SCAN_ASKED = "version.scan_asked"
    CONVERSION_STARTED = "conversion.started"
    CONVERSION_FINISHED = "conversion.finished"
    FILE_UPLOADED = "file.uploaded"
    FILE_REMOVED = "file.removed"
    FILE_DOWNLOADED = "file.downloaded"
    BLOB_DAMAGED = "blob.damaged"
    BLOB_MENDED = "blob.mended"
    ALIAS_MOVED = "alias.moved"
    ALIAS_REMOVED = "alias.removed"
    BRANCH_CREATED = "branch.created"
    BRANCH_DELETED = "branch.deleted"
    PROMPT_CREATED = "prompt.created"
    PROMPT_UPDATED = "prompt.updated"
    PROMPT_DELETED = "prompt.deleted"
    PROMPT_TAG_SET = "prompt.tag_set"
    PROMPT_TAG_REMOVED = "prompt.tag_removed"
    PROMPT_VERSION_CREATED = "prompt_version.created"
    PROMPT_VERSION_DELETED = "prompt_version.deleted"
    PROMPT_VERSION_TAG_SET = "prompt_version.tag_set"
    PROMPT_VERSION_TAG_REMOVED = "prompt_version.tag_removed"
    PROMPTS_EXPORTED = "prompts.exported"
    PROMPT_RENAMED = "prompt.renamed"
    PROMPT_ARCHIVED = "prompt.archived"
    PROMPT_RESTORED = "prompt.restored"
    PROMPT_VERSION_RESTORED = "prompt_version.restored"
    PROMPT_BRANCH_CREATED = "prompt_branch.created"
    PROMPT_BRANCH_CLOSED = "prompt_branch.closed"
    PROMPT_BRANCH_MERGED = "prompt_branch.merged"
    LABEL_MOVED = "label.moved"
    LABEL_REMOVED = "label.removed"
    POLICY_CREATED = "policy.created"
    POLICY_CHANGED = "policy.changed"
    POLICY_REMOVED = "policy.removed"
    EVIDENCE_DEPOSITED = "evidence.deposited"
    REQUEST_OPENED = "request.opened"
    REQUEST_REVIEWED = "request.reviewed"
    REQUEST_APPROVED = "request.approved"
    REQUEST_REJECTED = "request.rejected"
    REQUEST_WITHDRAWN = "request.withdrawn"
    REQUEST_APPLIED = "request.applied"
    REQUEST_SUPERSEDED = "request.superseded"
    REQUEST_REOPENED = "request.reopened"
    REQUEST_EXPIRED = "request.expired"
    REQUEST_ANSWERED = "request.answered"
    REQUEST_ESCALATED = "request.escalated"
    REQUEST_GLASS_BROKEN = "request.glass_broken"
    REQUEST_GLASS_CONFIRMED = "request.glass_confirmed"
    REQUEST_GLASS_ROLLED_BACK = "request.glass_rolled_back"
    REVIEW_STALE = "review.stale"
    APPROVAL_LAPSED = "approval.lapsed"
    DELEGATION_CREATED = "delegation.created"
    DELEGATION_ENDED = "delegation.ended"
    RUN_CREATED = "run.created"
    RUN_STARTED = "run.started"
    RUN_FINISHED = "run.finished"
    RUN_RENAMED = "run.renamed"
    RUN_DELETED = "run.deleted"
    RUN_RESTORED = "run.restored"
    RUN_PURGED = "run.purged"
    EXPERIMENT_CREATED = "experiment.created"
    EXPERIMENT_CHANGED = "experiment.changed"
    EXPERIMENT_DELETED = "experiment.deleted"
    EXPERIMENT_RESTORED = "experiment.restored"
    LOGGED_MODEL_CREATED = "logged_model.created"
    LOGGED_MODEL_FINISHED = "logged_model.finished"
    LOGGED_MODEL_DELETED = "logged_model.deleted"
    LOGGED_MODEL_PURGED = "logged_model.purged"
    EVALUATION_STARTED = "evaluation.started"
    EVALUATION_TAKEN_UP = "evaluation.taken_up"
    EVALUATION_CANCELLED = "evaluation.cancelled"
    EVALUATION_FINISHED = "evaluation.finished"
    TEST_SUITE_CHANGED = "test_suite.changed"
    TEST_RUN_STARTED = "test_run.started"
    TEST_RUN_TAKEN_UP = "test_run.taken_up"
    TEST_RUN_CANCELLED = "test_run.cancelled"
    TEST_RUN_FINISHED = "test_run.finished"
    DEPLOYMENT_CREATED = "deployment.created"
    DEPLOYMENT_CHANGED = "deployment.changed"
    DEPLOYMENT_PRICED = "deployment.priced"
    DEPLOYMENT_STARTED = "deployment.started"
    DEPLOYMENT_STOPPED = "deployment.stopped"
    DEPLOYMENT_DELETED = "deployment.deleted"
    DEPLOYMENT_STATE_CHANGED = "deployment.state_changed"
    DEPLOYMENT_REFUSED = "deployment.refused"
    PLAYGROUND_STARTED = "playground_run.started"
    PLAYGROUND_REOPENED = "playground_run.reopened"
    PLAYGROUND_CANCELLED = "playground_run.cancelled"
    PLAYGROUND_FINISHED = "playground_run.finished"
    PLAYGROUND_KEPT = "playground_run.kept"  # an answer became an example of a dataset
    LEDGER_EXPORTED = "ledger.exported"
    LEDGER_KEY_ROTATED = "ledger_key.rotated"
    MODEL_KEY_ROTATED = "model_key.rotated"
    PERSONAL_DATA_ERASED = "personal_data.erased"
    OUT_OF_BAND_CHANGED = "out_of_band.changed"  # written by a trigger, never by the application
    VIEW_SAVED = "view.saved"
    VIEW_CHANGED = "view.changed"
    VIEW_REMOVED = "view.removed"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_SECRET_ROTATED = "webhook.secret_rotated"  # noqa: S105  an event, no secret
    WEBHOOK_REMOVED = "webhook.removed"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_TESTED = "webhook.tested"
    WEBHOOK_REFUSED = "webhook.refused"  # an address that leads where webhooks don't go
    DELIVERY_REPLAYED = "delivery.replayed"
    NOTICES_CHOSEN = "notices.chosen"


@dataclass(frozen=True)
class Target:
    """What an event is about. `kind:id` is how it is found again; the label is what a person reads."""

    kind: str
    id: int | str
    label: str
    digest: str = ""

    @property
    def subject(self) -> str:
        return f"{self.kind}:{self.id}"


class Who(Protocol):
    """The part of an actor that the ledger writes down (accounts.access.Actor is one)."""

    via: str
    address: str
    request_id: str

    @property
    def id(self) -> int | None: ...
    @property
    def name(self) -> str: ...
    @property
    def user(self) -> Any: ...
    @property
    def key(self) -> Any: ...


def record(
    action: Action,
    *,
    by: Who,
    target: Target,
    team: str = "",
    also: Sequence[Target] = (),
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> AuditEvent:
    """Append one event. `also` names further things the event belongs to the life of (a version, a request)."""
    found = AuditEvent(
        action=action.value,
        team=team,
        actor_id=by.id,
        via=by.via,
        key_id=by.key.key_id if by.key else "",
        request_id=by.request_id,
        target_kind=target.kind,
        target_id=str(target.id),
        target_digest=target.digest,
        subjects=list(dict.fromkeys([target.subject, *(other.subject for other in also)])),
    )
    text = EventText(
        event=found,
        actor_name=by.name,
        actor_email=by.user.email if by.user else "",
        address=by.address,
        target_label=target.label[:300],
        before=dict(before) if before is not None else None,
        after=dict(after) if after is not None else None,
        reason=reason,
    )
    return _insert(found, text)


FACTS = (
    "team", "actor_id", "via", "key_id", "request_id", "action", "target_kind", "target_id", "target_digest", "subjects",
)  # fmt: skip
TEXTS = ("actor_name", "actor_email", "address", "target_label", "before", "after", "reason")
# Facts and texts in one statement: a round trip is most of what an event costs.
INSERT = f"""
WITH event AS (
    INSERT INTO ledger_auditevent ({", ".join(FACTS)}, at, xid)
    VALUES ({", ".join(["%s"] * len(FACTS))}, statement_timestamp(), pg_current_xact_id()::text::bigint)
    RETURNING id, at, xid
), texts AS (
    INSERT INTO ledger_eventtext (event_id, {", ".join(TEXTS)})
    SELECT event.id, {", ".join("%s::jsonb" if name in ("before", "after") else "%s" for name in TEXTS)} FROM event
)
SELECT id, at, xid FROM event
"""  # noqa: S608  column names out of this file


def inserted_from(source: str, **columns: str) -> str:
    """The CTEs `event` and `texts` of a larger statement: the one event of the one row of the CTE `source`, for which `columns`
    gives each fact and text as SQL. Only for what is written too often for a round trip of its own."""
    if set(columns) != {*FACTS, *TEXTS}:
        raise TypeError(f"An event has {', '.join((*FACTS, *TEXTS))}.")
    return f"""event AS (
    INSERT INTO ledger_auditevent ({", ".join(FACTS)}, at, xid)
    SELECT {", ".join(columns[name] for name in FACTS)}, statement_timestamp(), pg_current_xact_id()::text::bigint FROM {source}
    RETURNING id
), texts AS (
    INSERT INTO ledger_eventtext (event_id, {", ".join(TEXTS)})
    SELECT event.id, {", ".join(columns[name] for name in TEXTS)} FROM event, {source}
)"""  # noqa: S608  SQL of the caller's own, and column names out of this file


def _insert(event: AuditEvent, text: EventText) -> AuditEvent:
    values = [getattr(event, name) for name in FACTS]
    for name in TEXTS:
        value = getattr(text, name)
        is_json = name in ("before", "after") and value is not None
        values.append(json.dumps(value, cls=DjangoJSONEncoder) if is_json else value)
    with connection.cursor() as cursor:
        cursor.execute(INSERT, values)
        event.pk, event.at, event.xid = cursor.fetchone()
    event._state.adding = text._state.adding = False
    event._state.db = text._state.db = connection.alias
    text.event = event  # now with its id
    return event
