"""Writing to the ledger. `record` is called inside the transaction of the change that it records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from governance.ledger.models import AuditEvent


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
    KEY_ROTATED = "key.rotated"
    KEY_REFUSED = "key.refused"
    KEY_FIRST_USED_FROM = "key.first_used_from"
    SESSION_REVOKED = "session.revoked"
    MFA_ENABLED = "mfa.enabled"
    MFA_DISABLED = "mfa.disabled"
    ACCESS_REFUSED = "access.refused"
    ASSET_CREATED = "asset.created"
    ASSET_UPDATED = "asset.updated"
    VERSION_CREATED = "version.created"
    VERSION_REGISTERED = "version.registered"
    VERSION_DISCARDED = "version.discarded"
    FILE_UPLOADED = "file.uploaded"
    FILE_REMOVED = "file.removed"
    FILE_DOWNLOADED = "file.downloaded"
    ALIAS_MOVED = "alias.moved"
    ALIAS_REMOVED = "alias.removed"
    PROMPT_CREATED = "prompt.created"
    PROMPT_UPDATED = "prompt.updated"
    PROMPT_VERSION_CREATED = "prompt_version.created"
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
    RUN_CREATED = "run.created"
    RUN_FINISHED = "run.finished"
    EVALUATION_STARTED = "evaluation.started"
    EVALUATION_CANCELLED = "evaluation.cancelled"
    EVALUATION_FINISHED = "evaluation.finished"
    DEPLOYMENT_CREATED = "deployment.created"
    DEPLOYMENT_CHANGED = "deployment.changed"
    DEPLOYMENT_STARTED = "deployment.started"
    DEPLOYMENT_STOPPED = "deployment.stopped"
    DEPLOYMENT_DELETED = "deployment.deleted"
    DEPLOYMENT_STATE_CHANGED = "deployment.state_changed"
    DEPLOYMENT_REFUSED = "deployment.refused"


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
    return AuditEvent.objects.create(
        action=action.value,
        team=team,
        actor_id=by.id,
        actor_name=by.name,
        actor_email=by.user.email if by.user else "",
        via=by.via,
        key_id=by.key.key_id if by.key else "",
        address=by.address,
        request_id=by.request_id,
        target_kind=target.kind,
        target_id=str(target.id),
        target_label=target.label[:300],
        target_digest=target.digest,
        subjects=list(dict.fromkeys([target.subject, *(other.subject for other in also)])),
        before=dict(before) if before is not None else None,
        after=dict(after) if after is not None else None,
        reason=reason,
    )
