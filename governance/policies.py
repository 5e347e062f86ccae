"""Decisions: which policy holds for a move, and what each of its lines says of a digest. Nothing here changes anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from accounts.models import Team
from governance.models import ApprovalRequest, Evidence, Policy, PolicyVersion, Review
from governance.moves import Move
from governance.rules import DEFAULT_RULES, CardCheck, Check, MetricCheck, Rules, parse
from governance.stages import ALWAYS_PROTECTED

PASSED, FAILED, WAITING = "passed", "failed", "waiting"


@dataclass(frozen=True)
class CheckResult:
    """One line of a policy held against the evidence. state: passed, failed or waiting (nothing to judge by yet)."""

    title: str
    state: str
    detail: str
    link: str = ""
    evidence_digest: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the policy in force says of one digest, line by line."""

    policy_version: PolicyVersion | None
    rules: Rules
    checks: Sequence[CheckResult]
    review: CheckResult | None = None

    @property
    def lines(self) -> list[CheckResult]:
        return [*self.checks, *([self.review] if self.review else [])]

    @property
    def checks_pass(self) -> bool:
        return all(check.state == PASSED for check in self.checks)

    @property
    def passed(self) -> bool:
        return self.checks_pass and self.review is not None and self.review.state == PASSED

    @property
    def evidence_digests(self) -> list[str]:
        return sorted({check.evidence_digest for check in self.checks if check.evidence_digest})


def policy_for(team: Team, kind: str, asset_label: str, stage: str) -> PolicyVersion | None:
    """The version in force of the policy whose pattern fits the name most closely (an exact name before a pattern, longer before shorter)."""
    name = asset_label.partition("/")[2]
    fitting = [
        policy
        for policy in Policy.objects.filter(team=team, kind=kind, stage=stage, removed_at=None).select_related(
            "current__policy"
        )
        if fnmatchcase(name, policy.pattern)
    ]
    best = max(fitting, key=lambda p: (p.pattern == name, len(p.pattern.replace("*", "")), p.pk), default=None)
    return best.current if best else None


def is_protected(team: Team, kind: str, asset_label: str, stage: str) -> bool:
    """Does a move to this stage need an approval?"""
    return bool(stage) and (stage in ALWAYS_PROTECTED or policy_for(team, kind, asset_label, stage) is not None)


def evaluate(move: Move | ApprovalRequest) -> Verdict:
    """The policy in force now, held against the evidence there is now; with a request, its reviews too."""
    policy = policy_for(move.team, move.kind, move.asset_label, move.stage)
    rules = parse(policy.checks, policy.reviews) if policy else DEFAULT_RULES
    checks = [_check(check, move.team, move.digest) for check in rules.checks]
    verdict = Verdict(policy, rules, checks)
    reviews = list(move.reviews.select_related("reviewer")) if isinstance(move, ApprovalRequest) else []
    return Verdict(policy, rules, checks, _review_line(verdict, reviews, move.digest))


def counted_approvals(verdict: Verdict, reviews: Sequence[Review], digest: str) -> list[Review]:
    """The approvals that are of this digest, under the policy in force, on the evidence there is: others no longer count."""
    policy_id = verdict.policy_version.pk if verdict.policy_version else None
    return [
        review
        for review in reviews
        if review.verdict == Review.Verdict.APPROVE
        and review.digest == digest
        and review.reviewer.is_active
        and review.policy_version_id == policy_id
        and review.evidence_digests == verdict.evidence_digests
        and verdict.rules.reviews.role.value in review.roles
    ]


def _review_line(verdict: Verdict, reviews: Sequence[Review], digest: str) -> CheckResult:
    rule = verdict.rules.reviews
    counted = counted_approvals(verdict, reviews, digest)
    stale = sum(review.verdict == Review.Verdict.APPROVE for review in reviews) - len(counted)
    names = ", ".join(str(review.reviewer) for review in counted)
    detail = f"{len(counted)} of {rule.count}" + (f": {names}" if names else "")
    if stale:
        detail += f"; {stale} earlier approval{'s' if stale > 1 else ''} no longer counted: the evidence or the policy changed since"
    state = PASSED if len(counted) >= rule.count else WAITING
    if any(review.verdict == Review.Verdict.REJECT for review in reviews):
        state, detail = (
            FAILED,
            "Rejected by " + ", ".join(str(r.reviewer) for r in reviews if r.verdict == Review.Verdict.REJECT),
        )
    return CheckResult(rule.title, state, detail)


def _check(check: Check, team: Team, digest: str) -> CheckResult:
    return _card(check, team, digest) if isinstance(check, CardCheck) else _metric(check, team, digest)


def _card(check: CardCheck, team: Team, digest: str) -> CheckResult:
    evidence = Evidence.objects.filter(team=team, subject_digest=digest, kind=Evidence.Kind.CARD).first()
    if evidence is None:
        return CheckResult(check.title, WAITING, "The card of this version has not been checked.")
    missing = evidence.payload.get("missing", [])
    state = PASSED if evidence.payload.get("complete") else FAILED
    detail = (
        "Intended use, limits, training data and licence are there."
        if state == PASSED
        else f"Missing: {', '.join(missing)}."
    )
    return CheckResult(check.title, state, detail, evidence.link, evidence.digest)


def _metric(check: MetricCheck, team: Team, digest: str) -> CheckResult:
    rows = Evidence.objects.filter(
        team=team, subject_digest=digest, kind=Evidence.Kind.EVALUATION, payload__metrics__has_key=check.metric
    )
    if check.dataset:
        rows = rows.filter(payload__dataset__label=check.dataset)
    evidence = rows.first()
    if evidence is None:
        on = f" on {check.dataset}" if check.dataset else ""
        return CheckResult(check.title, WAITING, f"No evaluation{on} of these bytes measured {check.metric} yet.")
    figures = evidence.payload["metrics"][check.metric]
    number = figures[check.bound]
    good = (check.minimum is None or number >= check.minimum) and (check.maximum is None or number <= check.maximum)
    which = {"lower": "lower bound ", "upper": "upper bound ", "value": ""}[check.bound]
    detail = f"{which}{number:.4g}".capitalize() + (
        f" ({figures['value']:.4g}, 95 % interval {figures['lower']:.4g} to {figures['upper']:.4g}, n = {figures['n']})"
    )
    dataset = evidence.payload.get("dataset", {})
    # Which rows it was measured on is part of the statement: a policy names a dataset, not its version.
    detail += f" on {dataset.get('label', '')}" + (f" version {dataset['version']}" if "version" in dataset else "")
    return CheckResult(check.title, PASSED if good else FAILED, detail, evidence.link, evidence.digest)
