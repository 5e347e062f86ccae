"""What a draft of a policy would have done over the past year, request by request. Nothing here changes anything."""

import copy
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from django.db.models import Prefetch
from django.utils import timezone

from accounts.models import Team
from governance import quorum
from governance.models import ApprovalRequest, Review
from governance.policies import builtin
from governance.policies.book import Book
from governance.policies.judging import judge
from governance.policies.matching import name_of
from governance.policies.results import PASSED, CheckResult, StepResult, Verdict
from governance.policies.subject import Incumbent, Subject, asks_for_production, incumbent_of, moves_to_production
from governance.rules import MetricCheck, Rules
from governance.stages import Stage

PERIOD = timedelta(days=365)
MOST = 2_000
State = ApprovalRequest.State


@dataclass(frozen=True)
class Outcome:
    """One request under the draft. `lines`: what would have blocked it, or is open. `changed`: it would have gone the other way."""

    request: ApprovalRequest
    was_let_through: bool
    lets_through: bool
    lines: Sequence[CheckResult | StepResult]

    @property
    def changed(self) -> bool:
        """A decided request that the draft decides otherwise. Rejecting is a person's word, which no rule overrules."""
        return self.request.closed_at is not None and self.was_let_through != self.lets_through

    @property
    def sentence(self) -> str:
        if self.changed:
            return "would have been let through" if self.lets_through else "would have been blocked"
        return "would be let through too" if self.lets_through else "would be blocked too"


@dataclass(frozen=True)
class DryRun:
    """`outcomes`: changed ones first, then newest first. `left_out`: requests beyond the newest MOST that were not judged."""

    outcomes: Sequence[Outcome]
    since: datetime
    left_out: int = 0

    @property
    def newly_blocked(self) -> int:
        return sum(outcome.changed and not outcome.lets_through for outcome in self.outcomes)

    @property
    def newly_let_through(self) -> int:
        return sum(outcome.changed and outcome.lets_through for outcome in self.outcomes)

    @property
    def same(self) -> int:
        return sum(not outcome.changed for outcome in self.outcomes)


def dry_run(*, team: Team, kind: str, pattern: str, stage: str, rules: Rules) -> DryRun:
    """Every request of the past year in the policy's scope under these rules, each judged by the evidence and the reviews that there
    were when it was closed (an open one: that there are). A handful of queries whatever the number of requests."""
    since = timezone.now() - PERIOD
    rows = ApprovalRequest.objects.filter(team=team, kind=kind, stage=stage, created_at__gte=since)
    labels = set(rows.order_by().values_list("asset_label", flat=True).distinct())
    rows = rows.filter(asset_label__in=[label for label in labels if fnmatchcase(name_of(label), pattern)])
    reviews = Review.objects.select_related("reviewer", "on_behalf_of")
    requests = list(
        rows.select_related("team", "requested_by")
        .prefetch_related(Prefetch("reviews", reviews))
        .order_by("-id")[:MOST]
    )
    left_out = rows.count() - MOST if len(requests) == MOST else 0
    subjects = _subjects(requests, rules)
    digests = {subject.digest for subject in subjects.values()}
    digests |= {subject.incumbent.digest for subject in subjects.values() if subject.incumbent}
    named = {check.dataset for check in rules.checks if isinstance(check, MetricCheck) and check.dataset}
    has_lines = rules.checks or builtin.applies(kind, rules)
    book = Book(team, digests if has_lines else (), datasets=named, history=True)
    outcomes = [_outcome(request, rules, subjects[request.pk], book) for request in requests]
    return DryRun(sorted(outcomes, key=lambda o: (not o.changed, -o.request.pk)), since, max(0, left_out))


def _subjects(requests: Sequence[ApprovalRequest], rules: Rules) -> dict[int, Subject]:
    """By request: its bytes, and what was in production when it was closed."""
    applied: dict[int, list[ApprovalRequest]] = defaultdict(list)
    compares = asks_for_production(rules)
    if compares and any(request.stage != Stage.PRODUCTION for request in requests):
        first = requests[0]
        rows = moves_to_production(first.kind, {request.asset_id for request in requests})
        for row in rows.only("asset_id", "digest", "version_number", "closed_at"):
            applied[row.asset_id].append(row)
    found: dict[int, Subject] = {}
    for request in requests:
        incumbent: Incumbent | None = None
        if compares:
            incumbent = incumbent_of(request, request.closed_at, applied[request.asset_id])
        found[request.pk] = Subject(request.kind, request.digest, incumbent)
    return found


def _outcome(request: ApprovalRequest, rules: Rules, subject: Subject, book: Book) -> Outcome:
    as_of = request.closed_at or timezone.now()
    checks = _checks(rules, subject, book, as_of)
    verdict = Verdict(None, rules, checks)
    reviews = [_under(review, rules, subject, book) for review in request.reviews.all()]
    steps = quorum.count(
        rules,
        reviews,
        request=request,
        policy_version=None,
        evidence_digests=verdict.evidence_digests,
        as_of=as_of,
    )
    verdict = replace(verdict, steps=steps)
    was = request.state == State.APPLIED or request.state == State.APPROVED
    return Outcome(request, was, verdict.passed, [line for line in verdict.lines if line.state != PASSED])


def _checks(rules: Rules, subject: Subject, book: Book, as_of: datetime) -> list[CheckResult]:
    return [
        *(judge(check, subject, book, as_of) for check in rules.checks),
        *builtin.lines(subject, rules, book, as_of),
    ]


def _under(review: Review, rules: Rules, subject: Subject, book: Book) -> Review:
    """The review as it would have been under the draft: bound to it, and to the evidence that it would have shown that day."""
    shown = _checks(rules, subject, book, review.created_at)
    twin = copy.copy(review)
    twin.policy_version_id = None
    twin.evidence_digests = Verdict(None, rules, shown).evidence_digests
    return twin
