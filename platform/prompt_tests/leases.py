"""Leases: who is at a run of tests (evaluation.leasing says how)."""

from evaluation.leasing import TURN, LeaseLost, Leases, new_owner
from prompt_tests.models import SuiteRun

__all__ = ["LEASES", "TURN", "LeaseLost", "locked", "new_owner"]

LEASES = Leases(SuiteRun)


def locked(run_id: int, owner: str) -> SuiteRun:
    """The row, locked until the transaction ends and certainly ours; LeaseLost otherwise."""
    return LEASES.locked(run_id, owner, SuiteRun.objects.with_labels())
