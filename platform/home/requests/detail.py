"""What the page of one request shows, read once."""

from dataclasses import dataclass
from typing import Any

from accounts.access import Actor, can
from accounts.roles import Permission
from governance import actions, policies
from governance.models import ApprovalRequest, Attestation, Review
from governance.rules import MetricCheck
from home import approvals
from home.comparison import Comparison, compare
from home.requests.timeline import Entry, timeline
from home.requests.wording import decisions_in_force, headline

State = ApprovalRequest.State


@dataclass(frozen=True)
class May:
    """What this person may do on this page now; `why_not` says why not decide."""

    decide: bool
    why_not: str
    comment: bool
    withdraw: bool


def may(actor: Actor, request: ApprovalRequest, asset: Any) -> May:
    decide, why_not = approvals.may_decide(request, actor)
    return May(
        decide=decide,
        why_not=why_not,
        comment=can(actor, Permission.REQUEST_CREATE, asset, stage=request.stage)
        or can(actor, Permission.REQUEST_REVIEW, asset, stage=request.stage),
        withdraw=request.state in (State.OPEN, State.APPROVED) and request.requested_by_id == actor.id,
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
    asset: Any
    judged: policies.Verdict
    seal: str
    comparison: Comparison
    entries: list[Entry]
    left_out: int
    decisions: list[Review]
    attestation: Attestation | None
    may: May
    passed: int
    first_open: policies.CheckResult | None
    before_label: str
    after_label: str


def read(actor: Actor, request: ApprovalRequest, *, everything: bool = False) -> Detail:
    """Everything, in a number of queries that does not grow with reviews, files or evidence."""
    judged = policies.evaluate(request)
    asset = approvals.asset_of(request)
    reviews = list(request.reviews.select_related("reviewer", "on_behalf_of", "request"))
    entries, left_out = timeline(request, reviews, {}, everything=everything)
    return Detail(
        approval=request,
        headline=headline(request),
        asset=asset,
        judged=judged,
        seal=actions.seal(request, judged),
        comparison=compare(request, limits(judged)),
        entries=entries,
        left_out=left_out,
        decisions=decisions_in_force(reviews),
        attestation=Attestation.objects.filter(request=request).first(),
        may=may(actor, request, asset),
        passed=sum(line.state == policies.PASSED for line in judged.lines),
        first_open=next((line for line in judged.lines if line.state != policies.PASSED), None),
        before_label=f"version {request.previous_number}, there now" if request.previous_number else "nothing",
        after_label=f"version {request.version_number}",
    )
