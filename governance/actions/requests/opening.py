"""Asking for something that a policy protects, and taking it back."""

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from accounts.access import Actor, require
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.models import Team
from governance import clock, gate, policies
from governance.actions.requests.common import ASKING, checked_text, lock, note, person, wait
from governance.digests import digest_of
from governance.ledger.actions import Action
from governance.models import ApprovalRequest, Review
from governance.moves import Move
from governance.transitions import State, advance

LATEST = timedelta(days=365)


@transaction.atomic
def open_request(
    *,
    move: Move,
    reason: str,
    by: Actor,
    apply_at: datetime | None = None,
    apply_after_evaluation: int | None = None,
    renews: ApprovalRequest | None = None,
) -> ApprovalRequest:
    """Ask for a protected alias or label to move. The caller has checked that `by` may ask on this asset, and that the evaluation
    is one of exactly these bytes. Once approved it is applied at once, at `apply_at`, or when the evaluation ends green."""
    if not gate.is_protected(move.team, move.kind, move.asset_label, move.slot):
        raise Invalid("alias", f"'{move.slot}' is not protected: move it directly.")
    if move.previous and move.previous.digest == move.digest and renews is None:
        raise Conflict(f"'{move.slot}' of {move.asset_label} points at version {move.version_number} already.")
    _check_when(apply_at, apply_after_evaluation)
    return _open(
        by,
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
        reason=reason,
        author_ids=sorted(set(move.author_ids)),
        apply_at=apply_at,
        apply_after_evaluation=apply_after_evaluation,
        renews=renews,
    )


@transaction.atomic
def open_change(
    *,
    team: Team,
    kind: str,
    label: str,
    asset_id: int,
    slot: str,
    stage: str,
    change: Any,
    previous: Any,
    author_ids: list[int],
    reason: str,
    by: Actor,
    apply_at: datetime | None = None,
) -> ApprovalRequest:
    """Ask for exactly this change: to a deployment, a policy or a role (label: team/name; asset_id 0: it does not exist yet), or
    that a protected alias be emptied. `previous` is what there is now: if that is another thing when the approval is to be
    applied, it is not applied."""
    if kind not in ASKING:
        raise Invalid("kind", f"Use one of {', '.join(ASKING)}.")
    if not gate.is_guarded(team, kind, label, stage):
        raise Invalid("kind", f"No policy guards this for {label}: change it directly.")
    if change == previous:
        raise Conflict("This changes nothing.")
    _check_when(apply_at, None)
    return _open(
        by,
        team=team,
        kind=kind,
        asset_id=asset_id,
        asset_label=label,
        digest=digest_of(change),
        slot=slot,
        stage=stage,
        change=change,
        previous=previous,
        reason=reason,
        author_ids=sorted(set(author_ids)),
        apply_at=apply_at,
    )


def open_renewal(*, request: ApprovalRequest, by: Actor, requested_by: Actor) -> ApprovalRequest:
    """Ask anew for the same bytes, whose approval has lapsed or soon will. The caller has checked that `requested_by` may ask."""
    if request.state != State.APPLIED or request.version_id is None:
        raise Conflict("Only an applied approval of a version is renewed.", link=f"/requests/{request.pk}")
    if request.afterwards == ApprovalRequest.Afterwards.ROLLED_BACK:
        raise Conflict("What was rolled back is not renewed: ask for it anew.", link=f"/requests/{request.pk}")
    if request.afterwards == ApprovalRequest.Afterwards.PENDING:
        raise Conflict(
            "The glass was broken for it and nobody has settled that: settle it first.", link=f"/requests/{request.pk}"
        )
    since = request.lapse_reason or "it ends soon"
    return _open(
        requested_by,
        event_by=by,
        **{name: getattr(request, name) for name in (
            "team", "kind", "asset_id", "asset_label", "version_id", "version_number", "digest", "slot", "stage", "author_ids",
        )},
        previous_version_id=request.version_id,
        previous_number=request.version_number,
        previous_digest=request.digest,
        reason=f"Renewal of the approval of request {request.pk}: {since}.",
        renews=request,
    )  # fmt: skip


def _check_when(apply_at: datetime | None, apply_after_evaluation: int | None) -> None:
    if apply_at is None:
        return
    if apply_after_evaluation is not None:
        raise Invalid("apply_at", "Choose one: a time, or the end of an evaluation.")
    now = clock.now()
    if apply_at <= now:
        raise Invalid("apply_at", f"This has passed: it is {now:%Y-%m-%d %H:%M:%S} UTC on the server.")
    if apply_at > now + LATEST:
        raise Invalid("apply_at", f"Use a time within {LATEST.days} days.")


def _open(by: Actor, *, event_by: Actor | None = None, reason: str, **fields: Any) -> ApprovalRequest:
    """Make the row, write its event, and note whom it waits for."""
    requester = person(by)
    team, kind, label, stage = fields["team"], fields["kind"], fields["asset_label"], fields["stage"]
    policy = policies.policy_for(team, kind, label, stage)
    request = ApprovalRequest(
        **fields, policy_version=policy, reason=checked_text(reason, "reason"), requested_by=requester
    )
    request.created_at = clock.now()
    try:
        with transaction.atomic():
            request.save()
    except IntegrityError:
        existing = ApprovalRequest.objects.filter(
            kind=kind,
            asset_id=fields["asset_id"],
            asset_label=label,
            slot=fields["slot"],
            digest=fields["digest"],
            state__in=[State.OPEN, State.APPROVED],
        ).first()
        raise Conflict(
            "There is an open request for this already.", link=f"/requests/{existing.pk}" if existing else ""
        ) from None
    judged = policies.evaluate(request)
    if judged.rules.terms.open_days:
        request.expires_at = request.created_at + timedelta(days=judged.rules.terms.open_days)
        request.save(update_fields=["expires_at"])
    wait(request, judged)
    if request.version_id is None:
        before, after = {"change": request.previous}, {"change": request.change, "digest": request.digest}
    else:
        before = {"version": request.previous_number, "digest": request.previous_digest}
        after = {"version": request.version_number, "digest": request.digest}
    conditions = {
        "apply_at": request.apply_at.isoformat() if request.apply_at else None,
        "apply_after_evaluation": request.apply_after_evaluation,
        "renews": request.renews_id,
    }
    after |= {name: value for name, value in conditions.items() if value is not None}
    note(Action.REQUEST_OPENED, request, event_by or by, request.reason, before=before, slot=request.slot, **after)
    return request


@transaction.atomic
def withdraw(*, request: ApprovalRequest, by: Actor) -> ApprovalRequest:
    """The requester takes a request back."""
    request = lock(request.pk)
    _require_own(request, by)
    advance(request, State.WITHDRAWN)
    note(Action.REQUEST_WITHDRAWN, request, by)
    return request


@transaction.atomic
def answer_changes(*, request: ApprovalRequest, reason: str, by: Actor) -> ApprovalRequest:
    """The requester answers those who asked for changes: they are asked again, and the answer stands in the discussion."""
    request = lock(request.pk)
    _require_own(request, by)
    text = checked_text(reason, "reason")
    if not text:
        raise Invalid("reason", "Say what you did about it.")
    if request.state != State.OPEN:
        raise Conflict(f"This request is {request.state}.", link=f"/requests/{request.pk}")
    asked = list(request.reviews.filter(verdict=Review.Verdict.CHANGES, replaced_at=None).select_related("reviewer"))
    if not asked:
        raise Conflict("Nobody asked for changes: write a comment instead.", link=f"/requests/{request.pk}")
    request.reviews.filter(pk__in=[review.pk for review in asked]).update(replaced_at=clock.now())
    judged = policies.evaluate(request)
    Review.objects.create(
        request=request,
        reviewer=person(by),
        verdict=Review.Verdict.COMMENT,
        comment=text,
        digest=request.digest,
        policy_version=judged.policy_version,
        evidence_digests=judged.evidence_digests,
    )
    wait(request, judged)
    note(Action.REQUEST_ANSWERED, request, by, text, asked_by=[review.reviewer.email for review in asked])
    return request


def _require_own(request: ApprovalRequest, by: Actor) -> None:
    """Only the requester, by a key only with the scope that it was asked with."""
    if by.id is None or by.id != request.requested_by_id:
        raise Forbidden("Only the person who asked does this to a request.")
    if not by.in_scope(ASKING[request.kind]):
        require(by, ASKING[request.kind], request.team)
