"""A policy held against what there is: the one function that the gate, the pages and the reviews ask."""

from datetime import datetime

from governance import quorum
from governance.models import ApprovalRequest
from governance.moves import Move
from governance.policies.book import Book
from governance.policies.judging import judge
from governance.policies.matching import policy_for
from governance.policies.results import CheckResult, StepResult, Verdict
from governance.policies.subject import Subject, subject_of
from governance.rules import DEFAULT_RULES, MetricCheck, Rules, parse

State = ApprovalRequest.State


def evaluate(move: Move | ApprovalRequest, *, rules: Rules | None = None, as_of: datetime | None = None) -> Verdict:
    """The policy in force held against the evidence and, of a request, the reviews.

    `rules`: these instead of the policy in force. `as_of`: as it was then; without it a closed request is read as it stood when it
    was closed, anything else as it is now. What a lapse is to be judged by is `as_of` now.
    """
    if as_of is None and isinstance(move, ApprovalRequest) and not is_live(move):
        as_of = quorum.ended_at(move)
    policy = None
    if rules is None:
        policy = policy_for(move.team, move.kind, move.asset_label, move.stage, as_of=as_of)
        rules = parse(policy.checks, policy.reviews, policy.terms) if policy else DEFAULT_RULES
    subject = subject_of(move, rules, as_of)
    checks: list[CheckResult] = []
    if rules.checks and not is_removal(move):
        book = _book(move, subject, rules)
        checks = [judge(check, subject, book, as_of) for check in rules.checks]
    verdict = Verdict(policy, rules, checks)
    steps: list[StepResult] = []
    if isinstance(move, ApprovalRequest):
        reviews = list(move.reviews.select_related("reviewer", "on_behalf_of"))
        steps = quorum.count(
            rules,
            reviews,
            request=move,
            policy_version=policy,
            evidence_digests=verdict.evidence_digests,
            as_of=as_of,
        )
    return Verdict(policy, rules, checks, steps)


def is_removal(move: Move | ApprovalRequest) -> bool:
    """Is this about emptying an alias? There are no bytes then that could be measured: people alone decide."""
    return isinstance(move, ApprovalRequest) and move.kind in ("model", "dataset", "prompt") and move.change is not None


def is_live(request: ApprovalRequest) -> bool:
    """Is it still being decided? Also one whose glass was broken and that nobody has reviewed yet."""
    return request.state in (State.OPEN, State.APPROVED) or request.afterwards == ApprovalRequest.Afterwards.PENDING


def _book(move: Move | ApprovalRequest, subject: Subject, rules: Rules) -> Book:
    digests = [subject.digest, *([subject.incumbent.digest] if subject.incumbent else [])]
    named = {check.dataset for check in rules.checks if isinstance(check, MetricCheck) and check.dataset}
    return Book(move.team, digests, datasets=named)
