"""Breaking the glass: at once, loud, with a reason, and reviewed afterwards or rolled back."""

from datetime import timedelta

from django.db import transaction

from accounts.access import Actor, InTeam, require
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.models import User
from accounts.roles import Permission
from governance import attestations, clock, gate, policies
from governance.actions.requests.applying import predicate, supersede
from governance.actions.requests.common import checked_text, lock, note, person, wait
from governance.actions.requests.reviewing import Verdict, check_may_decide, keep
from governance.digests import digest_of
from governance.ledger.actions import Action
from governance.models import ApprovalRequest, Attestation
from governance.moves import Move
from governance.transitions import State

MIN_REASON = 20
Afterwards = ApprovalRequest.Afterwards


@transaction.atomic
def break_glass(*, move: Move, reason: str, by: Actor, on: InTeam) -> ApprovalRequest:
    """Begin to move a protected alias or label without reviews. The caller moves it and marks the request applied in this very
    transaction; nobody else ever sees the request open."""
    require(by, Permission.GLASS_BREAK, on, stage=move.stage)
    requester = person(by)
    if requester.kind != User.Kind.PERSON:
        raise Forbidden("A service account does not break the glass.", permission=Permission.GLASS_BREAK.value)
    reason = checked_text(reason, "reason")
    if len(reason) < MIN_REASON:
        raise Invalid("reason", f"Say in at least {MIN_REASON} characters why this cannot wait for a review.")
    if not gate.is_protected(move.team, move.kind, move.asset_label, move.slot):
        raise Invalid("alias", f"'{move.slot}' is not protected: move it directly.")
    if move.previous and move.previous.digest == move.digest:
        raise Conflict(f"'{move.slot}' of {move.asset_label} points at version {move.version_number} already.")
    judged = policies.evaluate(move)
    terms = judged.rules.terms
    if not terms.break_glass:
        raise Conflict("The policy of this stage allows no breaking of the glass. Ask for an approval.")
    for asked in (
        ApprovalRequest.objects.select_for_update(of=("self",))
        .select_related("team", "requested_by")
        .filter(
            kind=move.kind, asset_id=move.asset_id, asset_label=move.asset_label, slot=move.slot, digest=move.digest
        )
        .filter(state__in=[State.OPEN, State.APPROVED])
    ):
        supersede(asked, "The glass was broken for it.", by)
    now = clock.now()
    request = ApprovalRequest.objects.create(
        team=move.team,
        kind=move.kind,
        asset_id=move.asset_id,
        asset_label=move.asset_label,
        version_id=move.version_id,
        version_number=move.version_number,
        digest=move.digest,
        slot=move.slot,
        stage=move.stage,
        previous_version_id=move.previous.version_id if move.previous else None,
        previous_number=move.previous.number if move.previous else None,
        previous_digest=move.previous.digest if move.previous else "",
        policy_version=judged.policy_version,
        reason=reason,
        author_ids=sorted(set(move.author_ids)),
        requested_by=requester,
        created_at=now,
        glass_broken=True,
        afterwards=Afterwards.PENDING,
        afterwards_due_at=now + timedelta(hours=terms.review_glass_within_h),
    )
    assert request.afterwards_due_at is not None
    note(
        Action.REQUEST_GLASS_BROKEN,
        request,
        by,
        reason,
        before={"version": request.previous_number, "digest": request.previous_digest},
        slot=request.slot,
        version=request.version_number,
        digest=request.digest,
        review_due_at=request.afterwards_due_at.isoformat(),
        not_passed=[f"{line.title}: {line.detail}" for line in judged.checks if line.state != policies.PASSED],
    )
    return request


@transaction.atomic
def ask_for_glass_review(*, request: ApprovalRequest, by: Actor) -> None:
    """The glass has been broken and the request is applied: from now on it waits for those who review it afterwards."""
    request = lock(request.pk)
    wait(request, policies.evaluate(request))


@transaction.atomic
def settle_glass(
    *,
    request: ApprovalRequest,
    verdict: str,
    comment: str,
    by: Actor,
    on: InTeam,
    on_behalf_of: User | None = None,
) -> ApprovalRequest:
    """A review after the fact, by the same rules of independence and the same steps as before one. The last 'confirm' that the
    policy asks for settles it; one 'roll_back' does, and the caller puts the slot back in this transaction."""
    request = lock(request.pk)
    if verdict not in ("confirm", "roll_back"):
        raise Invalid("verdict", "Use confirm or roll_back.")
    comment = checked_text(comment, "comment")
    if not comment:
        raise Invalid("comment", "Say what you found.")
    judged = policies.evaluate(request)
    check_may_decide(request, by=by, on=on, on_behalf_of=on_behalf_of, judged=judged)
    if request.afterwards != Afterwards.PENDING:
        raise Conflict(
            "There is nothing to settle: no glass was broken, or it is settled.", link=f"/requests/{request.pk}"
        )
    decision = Verdict.APPROVE if verdict == "confirm" else Verdict.REJECT
    keep(request, verdict=decision, comment=comment, by=by, on=on, judged=judged, on_behalf_of=on_behalf_of)
    judged = policies.evaluate(request)
    wait(request, judged)
    if verdict == "roll_back":
        _settle(request, Afterwards.ROLLED_BACK, comment, by, judged)
    elif all(step.state == policies.PASSED for step in judged.steps):
        _settle(request, Afterwards.CONFIRMED, comment, by, judged)
    return request


def _settle(request: ApprovalRequest, outcome: Afterwards, comment: str, by: Actor, judged: policies.Verdict) -> None:
    """Close the aftermath and sign the statement anew, so that it says how it ended."""
    request.afterwards = outcome
    request.waits_for = []
    request.save(update_fields=["afterwards", "waits_for"])
    attestation = Attestation.objects.select_for_update().get(request=request)
    before = digest_of(attestation.envelope)
    attestation.envelope = attestations.sign(
        subject=f"{request.kind}:{request.asset_label}", digest=request.digest, predicate=predicate(request, judged)
    )
    attestation.save(update_fields=["envelope"])
    action = Action.REQUEST_GLASS_CONFIRMED if outcome == Afterwards.CONFIRMED else Action.REQUEST_GLASS_ROLLED_BACK
    note(
        action,
        request,
        by,
        comment,
        before={"afterwards": Afterwards.PENDING.value, "attestation": before},
        afterwards=outcome.value,
        attestation=digest_of(attestation.envelope),
    )
