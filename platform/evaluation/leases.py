"""Leases: who is at an evaluation (evaluation.leasing says how)."""

from evaluation.leasing import LEASE, TURN, LeaseLost, Leases, new_owner
from evaluation.models import Evaluation

__all__ = ["LEASE", "TURN", "LeaseLost", "abandoned", "locked", "new_owner", "release", "renew", "take"]

_LEASES = Leases(Evaluation)
take, renew, release, abandoned = _LEASES.take, _LEASES.renew, _LEASES.release, _LEASES.abandoned


def locked(evaluation_id: int, owner: str) -> Evaluation:
    """The row, locked until the transaction ends and certainly ours; LeaseLost otherwise."""
    return _LEASES.locked(evaluation_id, owner, Evaluation.objects.with_labels())
