"""A policy held against what there is: the one function that the gate, the pages and the reviews ask."""

from datetime import datetime

from accounts.errors import Conflict
from accounts.models import Team
from governance import quorum
from governance.models import ApprovalRequest
from governance.moves import Move
from governance.policies import builtin
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
    if (rules.checks or builtin.applies(move.kind, rules)) and not is_removal(move):
        book = _book(move, subject, rules)
        checks = [judge(check, subject, book, as_of) for check in rules.checks]
        checks += builtin.lines(subject, rules, book, as_of)
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
            unfit=next((line.detail.rstrip(".") for line in checks if not line.evidence_digest), ""),
            as_of=as_of,
        )
    return Verdict(policy, rules, checks, steps)


def require_safe_files(*, team: Team, kind: str, label: str, number: int, digest: str, stage: str) -> None:
    """Raise Conflict where the newest scan of these bytes found something that the stage takes from nobody: what was approved
    may have been looked at by a scanner that knew less."""
    policy = policy_for(team, kind, label, stage)
    rules = parse(policy.checks, policy.reviews, policy.terms) if policy else DEFAULT_RULES
    if kind not in builtin.KINDS or rules.terms.unsafe_files == "allowed":
        return
    found = builtin.newest_scan(team, digest)
    if found is not None and not builtin.is_safe(found):
        raise Conflict(
            f"Version {number} of {label} holds unsafe files, which {stage} does not take: {builtin.says(found)}",
            link=found.link,
        )


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
