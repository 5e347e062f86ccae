"""The one function that every door asks: may exactly these bytes take this stage?"""

from typing import Any
from urllib.parse import urlencode

from accounts.errors import ApprovalRequired, Conflict
from accounts.models import Team
from governance import policies
from governance.digests import digest_of
from governance.models import ApprovalRequest
from governance.moves import Move
from governance.stages import stage_of

State = ApprovalRequest.State
_UNSAID = object()


def is_protected(team: Team, kind: str, asset_label: str, slot: str) -> bool:
    """Does moving this alias or label need an approval?"""
    return policies.is_protected(team, kind, asset_label, stage_of(slot))


def is_guarded(team: Team, kind: str, label: str, stage: str) -> bool:
    """Does a change of this kind need an approval? label: team/name of the deployment; for a policy team/kind of asset; for a role
    team/role. Production is protected for models, datasets and prompts whether or not there is a policy."""
    if kind in ("model", "dataset", "prompt"):
        return policies.is_protected(team, kind, label, stage)
    return policies.policy_for(team, kind, label, stage) is not None


def request_link(kind: str, asset_label: str, version_number: int, slot: str) -> str:
    """Where an approval is asked for."""
    return "/requests/new?" + urlencode({"kind": kind, "asset": asset_label, "version": version_number, "alias": slot})


def require_move(move: Move, *, request: ApprovalRequest | None) -> None:
    """Called inside the transaction that moves an alias or label; raises unless the move is free or approved.

    An approval is for exactly one digest, asset and slot, and is held against the policy and the evidence once more here.
    """
    if not is_protected(move.team, move.kind, move.asset_label, move.slot):
        return
    if request is None:
        raise ApprovalRequired(
            f"'{move.slot}' of {move.asset_label} is protected: it moves by an approved request only. Ask for one.",
            link=request_link(move.kind, move.asset_label, move.version_number, move.slot),
        )
    same = (request.kind, request.asset_id, request.slot, request.digest, request.team_id) == (
        move.kind,
        move.asset_id,
        move.slot,
        move.digest,
        move.team.pk,
    )
    if not same or request.state != ApprovalRequest.State.APPROVED:
        raise ApprovalRequired(
            f"Request {request.pk} does not approve this: an approval covers one digest, and is applied once.",
            link=f"/requests/{request.pk}",
        )
    verdict = policies.evaluate(request)
    if not verdict.passed:
        open_lines = "; ".join(
            f"{line.title}: {line.detail}" for line in verdict.lines if line.state != policies.PASSED
        )
        raise Conflict(f"The policy is no longer satisfied. {open_lines}", link=f"/requests/{request.pk}")


def require_change(
    *,
    team: Team,
    kind: str,
    label: str,
    stage: str,
    change: Any,
    request: ApprovalRequest | None,
    previous: Any = _UNSAID,
) -> None:
    """Called inside the transaction that makes a change to a deployment, policy or role, or empties an alias; raises unless it is
    free, or approved exactly so. `previous`: what there is now, which must be what there was when it was asked for."""
    if not is_guarded(team, kind, label, stage):
        return
    if request is None:
        raise ApprovalRequired(
            f"A policy guards this change to {label}: it is made by an approved request only. Ask for one.",
            link="/requests/new?" + urlencode({"kind": kind, "asset": label}),
        )
    same = (request.kind, request.asset_label, request.stage, request.team_id) == (kind, label, stage, team.pk)
    if not same or request.digest != digest_of(change) or request.state != State.APPROVED:
        raise _not_approved(request)
    if previous is not _UNSAID and digest_of(previous) != digest_of(request.previous):
        raise Conflict(
            f"What is there has changed since this was asked for, so that the approval of request {request.pk} does not "
            "cover it. Ask again.",
            link=f"/requests/{request.pk}",
        )
    _require_passed(request)


def require_approved(request: ApprovalRequest) -> None:
    """Is this request approved, and its policy still satisfied? For what changes nothing that is there: a renewal."""
    if request.state != State.APPROVED:
        raise _not_approved(request)
    _require_passed(request)


def _not_approved(request: ApprovalRequest) -> ApprovalRequired:
    return ApprovalRequired(
        f"Request {request.pk} does not approve this: an approval covers one digest, and is applied once.",
        link=f"/requests/{request.pk}",
    )


def _require_passed(request: ApprovalRequest) -> None:
    verdict = policies.evaluate(request)
    if not verdict.passed:
        open_lines = "; ".join(
            f"{line.title}: {line.detail}" for line in verdict.lines if line.state != policies.PASSED
        )
        raise Conflict(f"The policy is no longer satisfied. {open_lines}", link=f"/requests/{request.pk}")


def stage_approval(*, team: Team, kind: str, asset_id: int, digest: str, stage: str) -> ApprovalRequest | None:
    """The applied approval that lets these bytes be in this stage, newest first."""
    return ApprovalRequest.objects.filter(
        team=team, kind=kind, asset_id=asset_id, digest=digest, stage=stage, state=ApprovalRequest.State.APPLIED
    ).first()


def require_stage(
    *, team: Team, kind: str, asset_id: int, asset_label: str, version_number: int, digest: str, stage: str
) -> ApprovalRequest | None:
    """May these bytes run in this stage? Returns the approval (None where the stage is free); raises ApprovalRequired."""
    if not policies.is_protected(team, kind, asset_label, stage):
        return None
    approval = stage_approval(team=team, kind=kind, asset_id=asset_id, digest=digest, stage=stage)
    if approval is None:
        raise ApprovalRequired(
            f"Version {version_number} of {asset_label} is not approved for {stage}. Ask for its promotion; once a "
            "reviewer has approved these exact bytes, it can be deployed there.",
            link=request_link(kind, asset_label, version_number, stage),
        )
    return approval
