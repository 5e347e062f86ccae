"""Decisions: which policy holds for a move, and what each of its lines says of a digest. Nothing here changes anything."""

from governance.policies.dryrun import DryRun, Outcome, dry_run
from governance.policies.evaluation import evaluate, require_safe_files
from governance.policies.matching import is_protected, policy_for
from governance.policies.people import check_people
from governance.policies.results import FAILED, PASSED, WAITING, CheckResult, StepResult, Verdict

__all__ = [
    "FAILED",
    "PASSED",
    "WAITING",
    "CheckResult",
    "DryRun",
    "Outcome",
    "StepResult",
    "Verdict",
    "check_people",
    "dry_run",
    "evaluate",
    "is_protected",
    "policy_for",
    "require_safe_files",
]
