"""Leases: who is at an evaluation. One holder at a time, and none for long once it has died."""

from __future__ import annotations

import os
import secrets
import socket
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from evaluation.models import Evaluation

LEASE = timedelta(seconds=20)
# How long a queued turn may take to begin before somebody else is asked to.
TURN = timedelta(seconds=10)


class LeaseLost(Exception):
    """The evaluation is somebody else's by now, or has ended: drop what is in hand."""


def new_owner() -> str:
    """A name of its own for each turn, so that a worker which was thought dead can't mistake another's lease for its own."""
    return f"{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(6)}"


def take(evaluation_id: int, owner: str) -> bool:
    """Take the lease if it is free; one statement, so that of two exactly one gets it."""
    now = timezone.now()
    free = Q(lease_owner="") | Q(lease_until__lt=now)
    return bool(
        Evaluation.objects.filter(free, pk=evaluation_id, finished_at=None).update(
            lease_owner=owner, lease_until=now + LEASE, heartbeat_at=now
        )
    )


def renew(evaluation_id: int, owner: str) -> None:
    """Keep the lease; LeaseLost when it is gone, which is how a cancellation arrives too."""
    now = timezone.now()
    kept = Evaluation.objects.filter(pk=evaluation_id, lease_owner=owner, finished_at=None).update(
        lease_until=now + LEASE, heartbeat_at=now
    )
    if not kept:
        raise LeaseLost


def release(evaluation_id: int, owner: str) -> bool:
    """Give it back, with a turn's time for the next holder; False when it was no longer ours."""
    return bool(
        Evaluation.objects.filter(pk=evaluation_id, lease_owner=owner, finished_at=None).update(
            lease_owner="", lease_until=timezone.now() + TURN
        )
    )


def locked(evaluation_id: int, owner: str) -> Evaluation:
    """The row, locked until the transaction ends and certainly ours; LeaseLost otherwise."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a lock needs a transaction")
    found = (
        Evaluation.objects.select_for_update(of=("self",))
        .with_labels()
        .filter(pk=evaluation_id, lease_owner=owner, finished_at=None)
        .first()
    )
    if found is None:
        raise LeaseLost
    return found


def abandoned() -> list[int]:
    """Evaluations that nobody is at: their lease ran out, or their turn was never taken."""
    rows = Evaluation.objects.filter(finished_at=None, lease_until__lt=timezone.now())
    return list(rows.order_by("pk").values_list("pk", flat=True)[:200])
