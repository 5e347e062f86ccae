"""What the page of one request shows, read once."""

from dataclasses import dataclass
from typing import Any

from accounts.access import Actor, can
from accounts.members import members
from accounts.models import User
from accounts.roles import Permission
from governance import actions, policies, quorum
from governance.actions.requests.common import ASKING
from governance.models import ApprovalRequest, Attestation, Delegation, Review
from governance.renewals import EvidencePair, renewal_evidence
from governance.rules import MetricCheck, PromptTestsCheck
from home import approvals
from home.comparison import Comparison, before_label, compare
from home.requests.composition import Composed, composed
from home.requests.tested import Tested, tested
from home.requests.timeline import Entry, timeline
from home.requests.wording import decisions_in_force, headline

State, Afterwards = ApprovalRequest.State, ApprovalRequest.Afterwards
_LIVE = (State.OPEN, State.APPROVED)
# Completion of @address offers so many people of the team.
_MOST_PEOPLE = 200
_BAD_FIRST = {policies.FAILED: 0, policies.WAITING: 1, policies.PASSED: 2}


@dataclass(frozen=True)
class May:
    """What this person may do on this page now. `why_not` says why not decide; `speaks_for` are the colleagues on whose behalf
    they may; `settle`: confirm or roll back a broken glass."""

    decide: bool
    decide_myself: bool
    why_not: str
    speaks_for: list[User]
    settle: bool
    comment: bool
    answer: bool
    withdraw: bool
    renew: bool

    @property
    def more(self) -> bool:
        """Is there anything behind the bar's 'More' for somebody who does not decide?"""
        return self.answer or self.withdraw or self.renew


def may(
    actor: Actor, request: ApprovalRequest, asset: Any, reviews: list[Review], standing_in: list[Delegation]
) -> May:
    """`asset` is what the request is about, `reviews` are all of it, `standing_in` the delegations to this person in its team."""
    pending = request.afterwards == Afterwards.PENDING
    decides, why_not, others = False, "", []
    if request.state == State.OPEN or pending:
        decides, why_not = approvals.may_decide(request, actor)
        others = approvals.speaks_for(request, actor) if standing_in else []
    mine = request.requested_by_id == actor.id
    asked = any(review.verdict == Review.Verdict.CHANGES for review in decisions_in_force(reviews))
    asks = ASKING.get(request.kind, Permission.REQUEST_CREATE)
    return May(
        decide=(decides or bool(others)) and not pending,
        decide_myself=decides,
        settle=(decides or bool(others)) and pending,
        why_not=why_not,
        speaks_for=others,
        comment=can(actor, asks, asset, stage=request.stage)
        or can(actor, Permission.REQUEST_REVIEW, asset, stage=request.stage),
        answer=mine and asked and request.state == State.OPEN,
        withdraw=mine and request.state in _LIVE,
        renew=_renewable(request) and can(actor, Permission.REQUEST_CREATE, asset, stage=request.stage),
    )


def _renewable(request: ApprovalRequest) -> bool:
    """An applied approval that lapses or has lapsed, and nobody is renewing."""
    lapses = request.lapsed_at is not None or request.valid_until is not None
    return (
        request.state == State.APPLIED
        and request.version_id is not None
        and lapses
        and request.afterwards in ("", Afterwards.CONFIRMED)
        and not any(renewal.state in _LIVE for renewal in request.renewals.all())
    )


def limits(judged: policies.Verdict) -> list[tuple[str, str, float]]:
    """The policy's numbers: (metric, dataset or '', number)."""
    return [
        (check.metric, check.dataset, number)
        for check in judged.rules.checks
        if isinstance(check, MetricCheck)
        for number in (check.minimum, check.maximum)
        if number is not None
    ]


@dataclass(frozen=True)
class Detail:
    approval: ApprovalRequest
    headline: str
    asset: Any  # None where it is about the team itself
    judged: policies.Verdict
    seal: str
    comparison: Comparison
    pairs: list[EvidencePair]
    entries: list[Entry]
    left_out: int
    decisions: list[Review]
    renewals: list[ApprovalRequest]
    attestation: Attestation | None
    standing_in: list[Delegation]
    mentionable: list[User]
    may: May
    live: bool
    blocked: bool
    checks: list[policies.CheckResult]  # what does not pass comes first
    passed: int
    before_label: str
    after_label: str
    composed: Composed
    tested: list[Tested]
    asks_for_tests: bool


def read(actor: Actor, request: ApprovalRequest, *, everything: bool = False) -> Detail:
    """Everything, in a number of queries that does not grow with comments, files or evidence."""
    judged = policies.evaluate(request)
    asset = approvals.asset_of(request)
    reviews = list(request.reviews.select_related("reviewer", "on_behalf_of"))
    stale = {review.pk: why for step in judged.steps for review, why in step.stale}
    entries, left_out = timeline(request, reviews, stale, everything=everything)
    standing_in = list(approvals.delegations_to(actor).filter(team_id=request.team_id))
    allowed = may(actor, request, asset, reviews, standing_in)
    pairs = renewal_evidence(request) if request.renews_id else None
    then = [pair.old for pair in pairs if pair.old] if pairs is not None else None
    return Detail(
        approval=request,
        headline=headline(request),
        asset=asset if hasattr(asset, "get_absolute_url") else None,
        judged=judged,
        seal=actions.seal(request, judged),
        comparison=compare(request, limits(judged), then),
        pairs=pairs or [],
        entries=entries,
        left_out=left_out,
        decisions=decisions_in_force(reviews),
        renewals=list(request.renewals.all()),
        attestation=Attestation.objects.filter(request=request).first(),
        standing_in=standing_in,
        mentionable=_mentionable(request, actor) if allowed.comment else [],
        may=allowed,
        live=quorum.is_live(request) and request.state != State.APPROVED,
        # With an evaluation still to come, the checks are held against it when it has ended.
        blocked=not judged.checks_pass and request.apply_after_evaluation is None,
        checks=sorted(judged.checks, key=lambda line: _BAD_FIRST[line.state]),
        passed=sum(line.state == policies.PASSED for line in judged.checks),
        before_label=before_label(request),
        after_label=f"version {request.version_number}",
        composed=composed(request, actor),
        tested=tested(request),
        asks_for_tests=any(isinstance(check, PromptTestsCheck) for check in judged.rules.checks),
    )


def _mentionable(request: ApprovalRequest, actor: Actor) -> list[User]:
    people = members(request.team).filter(is_active=True, kind=User.Kind.PERSON).exclude(pk=actor.id or 0)
    return list(people.order_by("name", "email")[:_MOST_PEOPLE])
