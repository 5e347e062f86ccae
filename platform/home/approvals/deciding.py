"""Deciding: governance judges, and the app that owns what changes changes it, in one transaction."""

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from accounts.access import Actor, can
from accounts.errors import Conflict, Forbidden, Invalid, Problem
from accounts.models import User
from accounts.roles import Permission
from evaluation.models import Evaluation
from governance import actions, clock, policies
from governance.actions.requests.common import lock, reopen
from governance.models import ApprovalRequest, Delegation, Review
from governance.subjects import lock_subject, subject_of
from home.approvals.owners import VERSIONED, carry_out, owner

State = ApprovalRequest.State


@transaction.atomic
def decide(
    *,
    request: ApprovalRequest,
    verdict: str,
    comment: str,
    by: Actor,
    shown: str = "",
    on_behalf_of: User | None = None,
) -> ApprovalRequest:
    """Record a review; when it is the last that the policy asks for and nothing else is waited for, the change is made in this
    very transaction."""
    lock_subject(request)
    if verdict == Review.Verdict.APPROVE:
        broken = _condition(request)[1]
        if broken:
            raise Conflict(f"{broken} Nobody can approve this request; ask anew.", link=f"/requests/{request.pk}")
    request = actions.review(
        request=request, verdict=verdict, comment=comment, by=by, on=subject_of(request), shown=shown,
        on_behalf_of=on_behalf_of,
    )  # fmt: skip
    # A comment on what is due already applies nothing: that is done for who asked, by `apply_due`.
    if verdict == Review.Verdict.APPROVE and request.state == State.APPROVED and _condition(request) == (True, ""):
        carry_out(request, by)
        request.refresh_from_db()
    return request


@transaction.atomic
def settle_glass(
    *, request: ApprovalRequest, verdict: str, comment: str, by: Actor, on_behalf_of: User | None = None
) -> ApprovalRequest:
    """After the glass was broken: confirm it, or roll it back, which puts the slot where it was in this very transaction."""
    lock_subject(request)
    request = actions.settle_glass(
        request=request, verdict=verdict, comment=comment, by=by, on=subject_of(request), on_behalf_of=on_behalf_of
    )
    if request.afterwards == ApprovalRequest.Afterwards.ROLLED_BACK and request.kind in VERSIONED:
        owner(request.kind).roll_back(request=request, by=by)
    return request


def _condition(request: ApprovalRequest) -> tuple[bool, str]:
    """Has come what the application waits for; and if it never will, why not."""
    if request.apply_at is not None:
        return request.apply_at <= clock.now(), ""
    number = request.apply_after_evaluation
    if number is None:
        return True, ""
    evaluation = Evaluation.objects.filter(pk=number).first()
    if evaluation is None:
        return False, f"Evaluation {number}, which this waits for, is gone."
    if evaluation.state in (Evaluation.State.FAILED, Evaluation.State.CANCELLED):
        return False, f"Evaluation {number}, which this waits for, has {evaluation.state}."
    return evaluation.state == Evaluation.State.SUCCEEDED, ""


def apply_due() -> int:
    """Carry out approved requests whose time has come or whose evaluation has ended; those that are no longer covered go back to
    their reviewers. Safe to run twice, and at the same time. Returns how many were applied."""
    rows = ApprovalRequest.objects.filter(Q(apply_at=None) | Q(apply_at__lte=Now()), state=State.APPROVED)
    return sum(_apply_one(pk) for pk in rows.order_by("pk").values_list("pk", flat=True)[:500])


@transaction.atomic
def _apply_one(request_id: int) -> bool:
    lock_subject(ApprovalRequest.objects.select_related("team").get(pk=request_id))
    request = lock(request_id)
    if request.state != State.APPROVED:
        return False
    by = Actor(request.requested_by, via="task")
    ready, broken = _condition(request)
    if broken:
        reopen(request, broken, by)
        return False
    if not ready:
        return False
    judged = policies.evaluate(request)
    if not judged.passed:
        missing = [f"{line.title}: {line.detail}" for line in judged.lines if line.state != policies.PASSED]
        reopen(request, f"The policy is not satisfied any more. {'; '.join(missing)}", by)
        return False
    try:
        with transaction.atomic():
            carry_out(request, by)
    except Problem as refused:
        reopen(lock(request_id), refused.detail, by)
        return False
    return True


def may_decide(request: ApprovalRequest, by: Actor, on_behalf_of: User | None = None) -> tuple[bool, str]:
    """Whether this person may approve or reject it (or settle the broken glass) now, and if not, why not in words; no words for
    those who review nothing here."""
    try:
        actions.check_may_decide(request, by=by, on=subject_of(request), on_behalf_of=on_behalf_of)
    except Forbidden as reason:
        return False, reason.detail if can(by, Permission.REQUEST_REVIEW, subject_of(request)) else ""
    except Conflict as reason:
        return False, reason.detail
    return True, ""


def speaks_for(request: ApprovalRequest, by: Actor) -> list[User]:
    """The colleagues who are away and on whose behalf this person may decide on this request now."""
    rows = Delegation.objects.in_force().filter(team_id=request.team_id, delegate_id=by.id or 0)
    people = [row.delegator for row in rows.select_related("delegator")]
    return [user for user in dict.fromkeys(people) if may_decide(request, by, user)[0]]


def delegator(request: ApprovalRequest, email: str, by: Actor) -> User | None:
    """The colleague named by address, out of those who handed `by` their reviewing; None for ''."""
    if not email:
        return None
    rows = Delegation.objects.in_force().filter(team_id=request.team_id, delegate_id=by.id or 0)
    row = rows.select_related("delegator").filter(delegator__email__iexact=email).first()
    if row is None:
        raise Invalid("on_behalf_of", f"{email} has not handed you their reviewing here, or the time of it is over.")
    return row.delegator
