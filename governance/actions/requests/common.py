"""What the actions on requests share: ledger targets, locking, events, and whom a request waits for."""

from collections.abc import Mapping, Sequence
from typing import Any

from accounts.access import Actor
from accounts.errors import Forbidden, Invalid
from accounts.models import User
from accounts.roles import Permission
from governance import policies, quorum
from governance.digests import digest_of
from governance.ledger.actions import Action, Target, record
from governance.models import ApprovalRequest
from governance.transitions import State, advance

MAX_TEXT = 5_000
# What somebody needs to ask for a change of each kind: what they would need to make it, were it not guarded.
ASKING = {
    "model": Permission.REQUEST_CREATE,
    "dataset": Permission.REQUEST_CREATE,
    "prompt": Permission.REQUEST_CREATE,
    "deployment": Permission.DEPLOYMENT_MANAGE,
    "policy": Permission.POLICY_EDIT,
    "role": Permission.TEAM_MANAGE,
}


def person(by: Actor) -> User:
    if by.user is None:
        raise Forbidden("Sign in to do this.")
    return by.user


def checked_text(text: str, field: str) -> str:
    text = text.strip()
    if len(text) > MAX_TEXT or "\0" in text:
        raise Invalid(field, f"Use at most {MAX_TEXT} characters.")
    return text


def request_target(request: ApprovalRequest) -> Target:
    return Target("request", request.pk, str(request), request.digest)


def targets_of(request: ApprovalRequest) -> list[Target]:
    """What a request is about, for the ledger: the asset and the version, or the thing that would change."""
    about = [Target(request.kind, request.asset_id or request.asset_label, request.asset_label)]
    if request.version_id is not None:
        version_kind = "prompt_version" if request.kind == "prompt" else "version"
        label = f"{request.asset_label} version {request.version_number}"
        about.append(Target(version_kind, request.version_id, label, request.digest))
    return about


def lock(request_id: int) -> ApprovalRequest:
    """The request, its row locked until the transaction ends."""
    return (
        ApprovalRequest.objects.select_for_update(of=("self",))
        .select_related("team", "requested_by")
        .get(pk=request_id)
    )


def note(
    action: Action,
    request: ApprovalRequest,
    by: Actor,
    reason: str = "",
    *,
    also: Sequence[Target] = (),
    before: Mapping[str, Any] | None = None,
    **after: Any,
) -> None:
    """One event of a request's life."""
    record(
        action,
        by=by,
        team=request.team.name,
        target=request_target(request),
        also=[*targets_of(request), *also],
        before=before,
        after={"state": str(request.state), **after},
        reason=reason.strip(),
    )


def seal(request: ApprovalRequest, judged: policies.Verdict) -> str:
    """What a decision binds to: digest, policy version and evidence, as one short value."""
    policy = judged.policy_version.pk if judged.policy_version else None
    return digest_of([request.digest, policy, judged.evidence_digests])


def wait(request: ApprovalRequest, judged: policies.Verdict) -> None:
    """Write down whom the request waits for now. While changes are asked for it waits for its requester, and for no reviewer."""
    waiting = quorum.parties(judged.rules, judged.steps, request) if quorum.awaits_reviews(request) else []
    if request.waits_for != waiting:
        request.waits_for = waiting
        request.save(update_fields=["waits_for"])


def reopen(request: ApprovalRequest, reason: str, by: Actor) -> None:
    """An approved request waits for reviews again, saying why."""
    advance(request, State.OPEN)
    wait(request, policies.evaluate(request))
    note(Action.REQUEST_REOPENED, request, by, reason, before={"state": State.APPROVED.value})
