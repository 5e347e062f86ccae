"""What time does to requests and approvals. Each of these is called by a task, may run twice, and looks again under the lock."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from accounts.access import PRODUCTION, SYSTEM, Actor, InTeam, can
from accounts.members import members
from accounts.models import User
from accounts.roles import Permission
from governance import clock, policies, quorum
from governance.actions.requests.common import lock, note, reopen, wait
from governance.actions.requests.opening import open_renewal
from governance.ledger.actions import Action, Target
from governance.models import ApprovalRequest, Review
from governance.subjects import subject_of
from governance.transitions import State, advance

DAILY = timedelta(hours=24)


@transaction.atomic
def expire(request_id: int) -> bool:
    """End an open request whose time has run out."""
    request = lock(request_id)
    if request.state != State.OPEN or request.expires_at is None or request.expires_at > clock.now():
        return False
    advance(request, State.EXPIRED)
    note(Action.REQUEST_EXPIRED, request, SYSTEM, f"Nobody decided before {request.expires_at:%Y-%m-%d %H:%M} UTC.")
    return True


@transaction.atomic
def look_again(request_id: int) -> None:
    """Hold an open or approved request (or a broken glass) against its policy as it is now: tell of approvals that went stale,
    open again what is no longer approved, escalate what waits too long, and note whom it waits for."""
    request = lock(request_id)
    if not quorum.is_live(request):
        return
    judged = policies.evaluate(request)
    stale = _tell_stale(request, judged)
    if request.state == State.APPROVED and not all(step.is_satisfied for step in judged.steps):
        reopen(request, stale or "The policy is no longer satisfied.", SYSTEM)
    _escalate(request, judged)
    wait(request, judged)


def _tell_stale(request: ApprovalRequest, judged: policies.Verdict) -> str:
    """An event for each approval that counts no more, once; returns why the first doesn't."""
    stale = [(review, why) for step in judged.steps for review, why in step.stale]
    counted = [review.pk for step in judged.steps for review in step.counted]
    Review.objects.filter(pk__in=counted, stale_at__isnull=False).update(stale_at=None, stale_reason="")
    for review, why in stale:
        if review.stale_at is None:
            review.stale_at, review.stale_reason = clock.now(), why[:300]
            review.save(update_fields=["stale_at", "stale_reason"])
            note(
                Action.REVIEW_STALE,
                request,
                SYSTEM,
                why,
                also=[Target("user", review.reviewer_id, review.reviewer.email)],
                review=review.pk,
                reviewer=review.reviewer.email,
            )
    return f"The approval of {stale[0][0].reviewer} no longer counts: {stale[0][1]}." if stale else ""


def _escalate(request: ApprovalRequest, judged: policies.Verdict) -> None:
    now = clock.now()
    if request.glass_broken:
        due, last = request.afterwards_due_at, request.escalated_at
        if due is None or due > now or (last is not None and last > now - DAILY):
            return
        reason = f"The glass was broken and nobody has settled it by {due:%Y-%m-%d %H:%M} UTC."
    else:
        terms = judged.rules.terms
        hours = terms.escalate_after_h
        late = hours is not None and request.created_at + timedelta(hours=hours) <= now
        if request.state != State.OPEN or request.escalated_at is not None or not late:
            return
        to = f" From now on {_party(terms.escalate_to)} decides too." if terms.escalate_to else ""
        reason = f"Nobody has decided for {hours} hours.{to}"
    request.escalated_at = now
    request.save(update_fields=["escalated_at"])
    note(Action.REQUEST_ESCALATED, request, SYSTEM, reason, to=judged.rules.terms.escalate_to)


def _party(text: str) -> str:
    what, _, slug = text.partition(":")
    return f"the group {slug}" if what == "group" else f"each {slug}"


@transaction.atomic
def lapse(request_id: int, reason: str) -> bool:
    """An applied approval is good no more: say so, and where its bytes are what the slot was last moved to, ask for it anew."""
    request = lock(request_id)
    if request.state != State.APPLIED or request.lapsed_at is not None:
        return False
    request.lapsed_at, request.lapse_reason = clock.now(), reason[:300]
    request.save(update_fields=["lapsed_at", "lapse_reason"])
    note(
        Action.APPROVAL_LAPSED,
        request,
        SYSTEM,
        reason,
        before={"lapsed_at": None},
        lapsed_at=request.lapsed_at.isoformat(),
    )
    if _is_in_use(request) and not _is_being_renewed(request) and (asker := _renewer(request)):
        open_renewal(request=request, by=SYSTEM, requested_by=Actor(asker, via="task"))
    return True


def _is_in_use(request: ApprovalRequest) -> bool:
    """Is this the last that was applied to its slot, and (a broken glass) confirmed?"""
    later = ApprovalRequest.objects.filter(
        kind=request.kind, asset_id=request.asset_id, slot=request.slot, state=State.APPLIED, pk__gt=request.pk
    ).exclude(afterwards=ApprovalRequest.Afterwards.ROLLED_BACK)
    good = request.afterwards in ("", ApprovalRequest.Afterwards.CONFIRMED)
    return good and not later.filter(Q(closed_at__gt=request.closed_at)).exists()


def _is_being_renewed(request: ApprovalRequest) -> bool:
    same = Q(kind=request.kind, asset_id=request.asset_id, slot=request.slot, digest=request.digest)
    return ApprovalRequest.objects.filter(same, state__in=[State.OPEN, State.APPROVED]).exists()


def _renewer(request: ApprovalRequest) -> User | None:
    """Who asks for the renewal: who asked first, if they still may; else somebody who administers the team."""
    on = subject_of(request)
    if _may_ask(request.requested_by, request, on):
        return request.requested_by
    for user in members(request.team).filter(is_active=True, kind=User.Kind.PERSON).order_by("pk"):
        actor = Actor(user)
        if can(actor, Permission.TEAM_MANAGE, request.team) and _may_ask(user, request, on):
            return user
    return None


def _may_ask(user: User, request: ApprovalRequest, on: InTeam) -> bool:
    actor, stage = Actor(user), request.stage
    produces = stage != PRODUCTION or can(actor, Permission.PRODUCTION_SET, on, stage=stage)
    return produces and can(actor, Permission.REQUEST_CREATE, on, stage=stage)


def live_requests() -> list[int]:
    """The ids of all that `look_again` is for."""
    pending = Q(afterwards=ApprovalRequest.Afterwards.PENDING)
    rows = ApprovalRequest.objects.filter(Q(state__in=[State.OPEN, State.APPROVED]) | pending)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def expired_requests() -> list[int]:
    rows = ApprovalRequest.objects.filter(state=State.OPEN, expires_at__lte=Now())
    return list(rows.order_by("pk").values_list("pk", flat=True)[:500])


def ended_approvals() -> list[int]:
    """Applied approvals whose shelf life has passed by date."""
    rows = ApprovalRequest.objects.filter(state=State.APPLIED, lapsed_at=None, valid_until__lte=Now())
    return list(rows.order_by("pk").values_list("pk", flat=True)[:500])
