"""What a policy says of a digest, line by line."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from governance.models import Evidence, PolicyVersion
from governance.quorum import FAILED, PASSED, WAITING, StepResult
from governance.rules import Rules

__all__ = ["FAILED", "PASSED", "WAITING", "CheckResult", "StepResult", "Verdict", "too_old"]


@dataclass(frozen=True)
class CheckResult:
    """One check held against the evidence. state: passed, failed or waiting (nothing to judge by yet). `compared_digest`: evidence
    about what is in production, where the check is against that."""

    title: str
    state: str
    detail: str
    link: str = ""
    evidence_digest: str = ""
    compared_digest: str = ""


@dataclass(frozen=True)
class Verdict:
    """A policy held against evidence and reviews. `policy_version` None: the built-in rule, or rules that are a draft."""

    policy_version: PolicyVersion | None
    rules: Rules
    checks: Sequence[CheckResult]
    steps: Sequence[StepResult] = field(default_factory=tuple)

    @property
    def lines(self) -> list[CheckResult | StepResult]:
        return [*self.checks, *self.steps]

    @property
    def checks_pass(self) -> bool:
        return all(check.state == PASSED for check in self.checks)

    @property
    def passed(self) -> bool:
        return self.checks_pass and bool(self.steps) and all(step.state == PASSED for step in self.steps)

    @property
    def evidence_digests(self) -> list[str]:
        """What an approval binds to."""
        found = {check.evidence_digest for check in self.checks} | {check.compared_digest for check in self.checks}
        return sorted(found - {""})


def too_old(evidence: Evidence, days: int | None, as_of: datetime | None) -> str:
    """How old it is, in words, when that is more than the check allows; else ''."""
    age = (as_of or timezone.now()) - evidence.created_at
    if days is None or age <= timedelta(days=days):
        return ""
    return f"{age.days} days old, and the policy wants it within {days}"
