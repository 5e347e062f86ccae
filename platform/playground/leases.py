"""Leases: who is at a run. One holder at a time, and none for long once it has died."""

from __future__ import annotations

import os
import secrets
import socket
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from playground.models import PlaygroundRun

LEASE = timedelta(seconds=20)
# How long a queued turn may take to begin before somebody else is asked to.
TURN = timedelta(seconds=10)


class LeaseLost(Exception):
    """The run is somebody else's by now, or has ended: drop what is in hand."""


def new_owner() -> str:
    """A name of its own for each turn."""
    return f"{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(6)}"


def take(run_id: int, owner: str) -> bool:
    """Take the lease if it is free; one statement, so that of two exactly one gets it."""
    now = timezone.now()
    free = Q(lease_owner="") | Q(lease_until__lt=now)
    rows = PlaygroundRun.objects.filter(free, pk=run_id, finished_at=None)
    return bool(rows.update(lease_owner=owner, lease_until=now + LEASE))


def renew(run_id: int, owner: str) -> None:
    """Keep the lease; LeaseLost when it is gone, which is how a cancellation arrives too."""
    rows = PlaygroundRun.objects.filter(pk=run_id, lease_owner=owner, finished_at=None)
    if not rows.update(lease_until=timezone.now() + LEASE):
        raise LeaseLost


def release(run_id: int, owner: str) -> bool:
    """Give it back, with a turn's time for the next holder; False when it was no longer ours."""
    rows = PlaygroundRun.objects.filter(pk=run_id, lease_owner=owner, finished_at=None)
    return bool(rows.update(lease_owner="", lease_until=timezone.now() + TURN))


def locked(run_id: int, owner: str) -> PlaygroundRun:
    """The row, locked until the transaction ends and certainly ours; LeaseLost otherwise."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a lock needs a transaction")
    rows = PlaygroundRun.objects.select_for_update(of=("self",)).select_related("team", "created_by", "key")
    found: PlaygroundRun | None = rows.filter(pk=run_id, lease_owner=owner, finished_at=None).first()
    if found is None:
        raise LeaseLost
    return found


def abandoned() -> list[int]:
    """Runs that nobody is at: their lease ran out, or their turn was never taken."""
    rows = PlaygroundRun.objects.filter(finished_at=None, lease_until__lt=timezone.now())
    return list(rows.order_by("pk").values_list("pk", flat=True)[:200])
