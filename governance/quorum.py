"""Counting reviews: whose word counts for which step of a policy, and why a word that was given does not count any more."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from governance.models import ApprovalRequest, PolicyVersion, Review
from governance.rules import Rules

PASSED, FAILED, WAITING = "passed", "failed", "waiting"


@dataclass(frozen=True)
class StepResult:
    """One step of the reviews. `stale`: approvals given for it that do not count any more, each with the reason."""

    title: str
    state: str
    detail: str
    counted: list[Review] = field(default_factory=list)
    stale: list[tuple[Review, str]] = field(default_factory=list)
    # Lines of checks have these; a step has no evidence to link to.
    link: str = ""
    evidence_digest: str = ""


def count(
    rules: Rules,
    reviews: Sequence[Review],
    *,
    request: ApprovalRequest,
    policy_version: PolicyVersion | None,
    evidence_digests: Sequence[str],
    as_of: datetime | None = None,
) -> list[StepResult]:
    """The steps of the policy with the approvals that count for each. `as_of`: as it stood then."""
    given = [
        review
        for review in reviews
        if (as_of is None or review.created_at <= as_of)
        and (review.replaced_at is None or (as_of is not None and review.replaced_at > as_of))
    ]
    approvals = [review for review in given if review.verdict == Review.Verdict.APPROVE]
    rejected = [str(review.reviewer) for review in given if review.verdict == Review.Verdict.REJECT]
    fresh, stale = [], []
    for review in approvals:
        why = _stale(review, request, policy_version, evidence_digests)
        (stale.append((review, why)) if why else fresh.append(review))
    results: list[StepResult] = []
    for index, step in enumerate(rules.reviews.steps):
        counted = [r for r in fresh if (step.role in r.roles if step.role else step.group in r.groups)][: step.count]
        fresh = [review for review in fresh if review not in counted]
        detail = f"{len(counted)} of {step.count}"
        detail += ": " + ", ".join(str(review.reviewer) for review in counted) if counted else ""
        old = stale if index == 0 else []
        if old:
            detail += "; no longer counted: " + "; ".join(f"{review.reviewer} ({why})" for review, why in old)
        state = PASSED if len(counted) >= step.count else WAITING
        if rejected:
            state, detail = FAILED, f"Rejected by {', '.join(rejected)}"
        results.append(StepResult(step.title, state, detail, counted, old))
    return results


def _stale(
    review: Review, request: ApprovalRequest, policy_version: PolicyVersion | None, evidence_digests: Sequence[str]
) -> str:
    """Why this approval is no approval of what is there now; '' when it is."""
    if not review.reviewer.is_active:
        return f"the account of {review.reviewer} is deactivated"
    if review.digest != request.digest:
        return "it was given for other bytes"
    if review.policy_version_id != (policy_version.pk if policy_version else None):
        return "the policy changed since"
    return "" if review.evidence_digests == list(evidence_digests) else "the evidence changed since"
