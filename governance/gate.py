"""The functions that every door asks: may exactly these bytes take this stage, may exactly this change be made?"""

from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.db.models.functions import Now

from accounts.errors import ApprovalRequired, Conflict
from accounts.models import Team
from governance import policies
from governance.digests import digest_of
from governance.models import ApprovalRequest
from governance.moves import Move
from governance.stages import stage_of

State = ApprovalRequest.State
_UNSAID = object()
REMOVAL = {"action": "remove"}


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

    An approval is for exactly one digest, asset and slot, in the place of what was there when it was asked for, and is held
    against the policy and the evidence once more here.
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
    # Open and with broken glass is a request only within the transaction that breaks it.
    broken = request.glass_broken and request.state == State.OPEN
    if not same or not (broken or request.state == State.APPROVED):
        raise _not_approved(request)
    if broken:
        return
    if request.previous_digest != (move.previous.digest if move.previous else ""):
        raise _overtaken(request)
    _require_passed(request)


def require_rollback(move: Move, *, request: ApprovalRequest) -> None:
    """May the slot go back to where it was before the glass of this request was broken? Only to what is still approved."""
    back = (move.kind, move.asset_id, move.slot, move.digest, move.team.pk)
    if back != (request.kind, request.asset_id, request.slot, request.previous_digest, request.team_id):
        raise _not_approved(request)
    if not is_protected(move.team, move.kind, move.asset_label, move.slot):
        return
    approval = stage_approval(
        team=move.team, kind=move.kind, asset_id=move.asset_id, digest=move.digest, stage=move.stage
    )
    if approval is None:
        raise Conflict(
            f"Version {move.version_number} of {move.asset_label}, which was there before, is not approved for "
            f"{move.slot} (any more). Ask for a version that is to take its place, then settle this.",
            link=request_link(move.kind, move.asset_label, move.version_number, move.slot),
        )


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
        raise _overtaken(request)
    _require_passed(request)


def asked(request: ApprovalRequest) -> ApprovalRequired:
    """What is answered to who wanted to move something protected, and asks for it by that."""
    return ApprovalRequired(
        f"'{request.slot}' of {request.asset_label} is protected: it moves when request {request.pk} is approved.",
        link=f"/requests/{request.pk}",
    )


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


def _overtaken(request: ApprovalRequest) -> Conflict:
    return Conflict(
        f"What is there has changed since this was asked for, so that the approval of request {request.pk} does not "
        "cover it. Ask again.",
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
    """The applied approval that lets these bytes be in this stage, newest first; one that lapsed or whose glass was broken and
    rolled back does not."""
    applied = ApprovalRequest.objects.filter(
        team=team,
        kind=kind,
        asset_id=asset_id,
        digest=digest,
        stage=stage,
        state=State.APPLIED,
        version_id__isnull=False,
    )
    good = applied.filter(Q(valid_until=None) | Q(valid_until__gt=Now()), lapsed_at=None)
    return good.exclude(afterwards=ApprovalRequest.Afterwards.ROLLED_BACK).first()


def require_stage(
    *, team: Team, kind: str, asset_id: int, asset_label: str, version_number: int, digest: str, stage: str
) -> ApprovalRequest | None:
    """May these bytes (begin to) run in this stage? Returns the approval (None where the stage is free); raises ApprovalRequired.
    What runs already is not asked again when an approval lapses."""
    if not policies.is_protected(team, kind, asset_label, stage):
        return None
    approval = stage_approval(team=team, kind=kind, asset_id=asset_id, digest=digest, stage=stage)
    if approval is not None:
        if not approval.glass_broken:
            policies.require_safe_files(
                team=team, kind=kind, label=asset_label, number=version_number, digest=digest, stage=stage
            )
        return approval
    lapsed = ApprovalRequest.objects.filter(
        team=team,
        kind=kind,
        asset_id=asset_id,
        digest=digest,
        stage=stage,
        state=State.APPLIED,
        version_id__isnull=False,
    ).exclude(afterwards=ApprovalRequest.Afterwards.ROLLED_BACK)
    if old := lapsed.first():
        why = old.lapse_reason or "its time has passed"
        raise ApprovalRequired(
            f"The approval of version {version_number} of {asset_label} for {stage} has lapsed: {why}. What runs goes on; "
            "for a new deployment it has to be renewed.",
            link=f"/requests/{old.pk}",
        )
    raise ApprovalRequired(
        f"Version {version_number} of {asset_label} is not approved for {stage}. Ask for its promotion; once a "
        "reviewer has approved these exact bytes, it can be deployed there.",
        link=request_link(kind, asset_label, version_number, stage),
    )
