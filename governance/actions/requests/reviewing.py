"""Deciding on requests: approve, reject, ask for changes, discuss."""

import re
from typing import Any

from django.db import transaction

from accounts.access import Actor, InTeam, can, require
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.members import members
from accounts.models import User
from accounts.roles import Permission
from governance import clock, policies, quorum
from governance.actions.requests.common import ASKING, checked_text, lock, note, person, seal, wait
from governance.ledger.actions import Action, Target
from governance.models import ApprovalRequest, Delegation, Review
from governance.transitions import State, advance

Verdict = Review.Verdict
DECISIONS = (Verdict.APPROVE, Verdict.REJECT, Verdict.CHANGES)
_MENTION = re.compile(r"(?<![\w@])@([\w.+-]+@[\w-]+(?:\.[\w-]+)+)")
MAX_MENTIONS = 50


@transaction.atomic
def review(
    *,
    request: ApprovalRequest,
    verdict: str,
    comment: str,
    by: Actor,
    on: InTeam,
    shown: str = "",
    on_behalf_of: User | None = None,
) -> ApprovalRequest:
    """Record a review and move the request on. The last approval that the policy asks for makes it `approved`; the caller
    applies it in the same transaction. `on` is what the request is about; `shown` the seal of what the reviewer looked at (see
    `seal`); `on_behalf_of` the colleague who is away and has handed their reviewing to `by`."""
    request = lock(request.pk)
    if verdict not in set(Verdict):
        raise Invalid("verdict", f"Use one of {', '.join(Verdict)}.")
    comment = checked_text(comment, "comment")
    if verdict == Verdict.COMMENT:
        return _comment(request, comment=comment, by=by, on=on)
    judged = policies.evaluate(request)
    check_may_decide(request, by=by, on=on, on_behalf_of=on_behalf_of, judged=judged)
    if shown and shown != seal(request, judged):
        raise Conflict(
            "The evidence or the policy changed since you opened this page. Look at it again, then decide.",
            link=f"/requests/{request.pk}",
        )
    if verdict == Verdict.CHANGES and not comment:
        raise Invalid("comment", "Say which changes you ask for.")
    if verdict == Verdict.APPROVE:
        check_may_pass(request, judged, by)
    keep(request, verdict=verdict, comment=comment, by=by, on=on, judged=judged, on_behalf_of=on_behalf_of)
    if verdict == Verdict.REJECT:
        advance(request, State.REJECTED)
        note(Action.REQUEST_REJECTED, request, by, comment)
        return request
    judged = policies.evaluate(request)
    wait(request, judged)
    if verdict == Verdict.APPROVE and _is_approved(request, judged):
        advance(request, State.APPROVED)
        note(Action.REQUEST_APPROVED, request, by, comment)
    return request


def _is_approved(request: ApprovalRequest, judged: policies.Verdict) -> bool:
    """With an evaluation still to come, the checks are held against it when it has ended."""
    if request.apply_after_evaluation is None:
        return judged.passed
    return all(step.state == quorum.PASSED for step in judged.steps)


def check_may_pass(request: ApprovalRequest, judged: policies.Verdict, by: Actor) -> None:
    """Raise where nobody can approve as things stand: a check that does not pass, or changes that somebody else asked for."""
    if not judged.checks_pass and request.apply_after_evaluation is None:
        wrong = [f"{line.title}: {line.detail}" for line in judged.checks if line.state != policies.PASSED]
        raise Conflict(f"The policy does not allow it. {'; '.join(wrong)}", errors={"verdict": wrong})
    asked = request.reviews.filter(verdict=Verdict.CHANGES, replaced_at=None).exclude(reviewer_id=by.id)
    if names := [str(review.reviewer) for review in asked.select_related("reviewer")]:
        raise Conflict(
            f"{', '.join(names)} asked for changes: it waits for an answer of who asked for it.",
            link=f"/requests/{request.pk}",
        )


def check_may_decide(
    request: ApprovalRequest,
    *,
    by: Actor,
    on: InTeam,
    on_behalf_of: User | None = None,
    judged: policies.Verdict | None = None,
) -> None:
    """Raise, with the reason, when this person may not approve or reject this request, for themselves or for a colleague who
    is away. `on` is what the request is about."""
    reviewer = by.user
    if reviewer is None or reviewer.kind != User.Kind.PERSON:
        raise _forbidden("A service account does not review: an approval is a person's word.")
    if not by.in_scope(Permission.REQUEST_REVIEW) or not can(by, Permission.TEAM_VIEW, on):
        require(by, Permission.REQUEST_REVIEW, on, stage=request.stage)
    judged = judged or policies.evaluate(request)
    steps = judged.rules.reviews.steps
    if on_behalf_of is not None:
        check_delegated(request, reviewer, on_behalf_of)
    who = quorum.standing(on_behalf_of or reviewer, request)
    belongs = any(quorum.admits(who, step, request, judged.rules) for step in steps)
    if not belongs and not who.may_review:
        if on_behalf_of is not None:
            raise _forbidden(f"{on_behalf_of} does not review this, so nobody does it on their behalf.")
        require(by, Permission.REQUEST_REVIEW, on, stage=request.stage)
    for user in filter(None, (reviewer, on_behalf_of)):
        _check_independent(request, user, you=user == reviewer)
    if not belongs:
        raise _forbidden(f"The policy asks for {_wanted(steps)}.")
    _check_open(request)
    now = quorum.awaited(judged.rules, judged.steps)
    if now and not any(quorum.admits(who, step, request, judged.rules) for step in now):
        raise Conflict(f"It is not your turn yet: now it waits for {_wanted(now)}.", link=f"/requests/{request.pk}")


def _wanted(steps: Any) -> str:
    return " and ".join(dict.fromkeys(step.who for step in steps))


def _check_open(request: ApprovalRequest) -> None:
    if request.afterwards == ApprovalRequest.Afterwards.PENDING:
        return
    if request.state != State.OPEN:
        raise Conflict(
            f"This request is {request.state}: there is nothing left to decide.", link=f"/requests/{request.pk}"
        )
    if request.expires_at and request.expires_at <= clock.now():
        raise Conflict("The time of this request has run out. Ask again.", link=f"/requests/{request.pk}")


def _check_independent(request: ApprovalRequest, user: User, *, you: bool) -> None:
    """Neither a delegate nor the one who is away may have made it, asked for it, or be behind an account that did."""
    name = "You" if you else str(user)
    if user.pk in request.author_ids:
        what = "made this version" if request.version_id is not None else "gain by this change"
        raise _forbidden(f"{name} {what}: somebody else reviews it.")
    if user.pk == request.requested_by_id:
        raise _forbidden(f"{name} asked for this: somebody else reviews it.")
    if user.pk in quorum.behind(request):
        raise _forbidden(f"{name} made a key of the service account behind this: somebody else reviews it.")


def check_delegated(request: ApprovalRequest, delegate: User, delegator: User) -> None:
    """Raise unless the delegator has handed their reviewing in this team to the delegate, for now."""
    handed = Delegation.objects.in_force().filter(team_id=request.team_id, delegator=delegator, delegate=delegate)
    if not handed.exists():
        raise _forbidden(f"{delegator} has not handed you their reviewing here, or the time of it is over.")
    if not delegator.is_active:
        raise _forbidden(f"The account of {delegator} is deactivated: nobody decides on their behalf.")


def _forbidden(text: str) -> Forbidden:
    return Forbidden(text, permission=Permission.REQUEST_REVIEW.value)


def _comment(request: ApprovalRequest, *, comment: str, by: Actor, on: InTeam) -> ApprovalRequest:
    person(by)
    judged = policies.evaluate(request)
    if not can(by, ASKING[request.kind], on, stage=request.stage) and not can(by, Permission.REQUEST_CREATE, on):
        speaks = by.in_scope(Permission.REQUEST_REVIEW) and by.user is not None and can(by, Permission.TEAM_VIEW, on)
        who = quorum.standing(by.user, request) if speaks and by.user else None
        if who is None or not any(
            quorum.admits(who, step, request, judged.rules) for step in judged.rules.reviews.steps
        ):
            require(by, Permission.REQUEST_REVIEW, on, stage=request.stage)
    if not comment:
        raise Invalid("comment", "Write something.")
    keep(request, verdict=Verdict.COMMENT, comment=comment, by=by, on=on, judged=judged)
    return request


def keep(
    request: ApprovalRequest,
    *,
    verdict: str,
    comment: str,
    by: Actor,
    on: InTeam,
    judged: policies.Verdict,
    on_behalf_of: User | None = None,
) -> Review:
    """Write the review and its event. A decision takes the place of an earlier one of the same person that went stale or asked
    for changes; one that still counts stays, and this is refused."""
    reviewer = person(by)
    if verdict != Verdict.COMMENT:
        _set_aside(request, reviewer, judged)
    who = quorum.standing(on_behalf_of or reviewer, request)
    mentioned = _mentioned(comment, request, on)
    row = Review.objects.create(
        request=request,
        reviewer=reviewer,
        on_behalf_of=on_behalf_of,
        verdict=verdict,
        comment=comment,
        mentions=[user.pk for user in mentioned],
        roles=sorted(who.roles),
        groups=sorted(who.groups),
        digest=request.digest,
        policy_version=judged.policy_version,
        evidence_digests=judged.evidence_digests,
    )
    said: dict[str, Any] = {
        "verdict": str(verdict),
        "digest": request.digest,
        "policy_version": judged.policy_version.pk if judged.policy_version else None,
        "evidence": judged.evidence_digests,
    }
    if on_behalf_of is not None:
        said["on_behalf_of"] = on_behalf_of.email
    if mentioned:
        said["mentions"] = [user.pk for user in mentioned]
    for_whom = [Target("user", on_behalf_of.pk, on_behalf_of.email)] if on_behalf_of else []
    note(Action.REQUEST_REVIEWED, request, by, comment, also=for_whom, **said)
    return row


def _set_aside(request: ApprovalRequest, reviewer: User, judged: policies.Verdict) -> None:
    """Make room for a new decision, where the old one counts no more."""
    old = request.reviews.filter(reviewer=reviewer, replaced_at=None).exclude(verdict=Verdict.COMMENT).first()
    if old is None:
        return
    stale = {review.pk for step in judged.steps for review, _ in step.stale}
    if old.verdict != Verdict.CHANGES and old.pk not in stale:
        raise Conflict("You have decided on this request already.", link=f"/requests/{request.pk}")
    old.replaced_at = clock.now()
    old.save(update_fields=["replaced_at"])


def _mentioned(comment: str, request: ApprovalRequest, on: InTeam) -> list[User]:
    """The people of the team who are named as @address and can see what this is about."""
    named = list(dict.fromkeys(email.lower() for email in _MENTION.findall(comment)))[:MAX_MENTIONS]
    if not named:
        return []
    people = members(request.team).filter(email__in=named, is_active=True, kind=User.Kind.PERSON)
    return [user for user in people.order_by("pk") if can(Actor(user), Permission.ASSET_VIEW, on)]
