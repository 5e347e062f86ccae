"""Leases on rows: who is at a job. One holder at a time, and none for long once it has died.

For every model with the fields of `Leased`: evaluations, tests of prompts, runs of the playground.
"""

from __future__ import annotations

import os
import secrets
import socket
from datetime import timedelta
from typing import Any, Generic, TypeVar

from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

LEASE = timedelta(seconds=20)
# How long a queued turn may take to begin before somebody else is asked to.
TURN = timedelta(seconds=10)


class LeaseLost(Exception):
    """The job is somebody else's by now, or has ended: drop what is in hand."""


class Leased(models.Model):
    """Whoever is at it writes its name here and renews the time; from `lease_until` on anybody may take over."""

    lease_owner = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class Patient(Leased):
    """A job that waits for its model to come up, and ends when turn after turn brings nothing forward."""

    stalls = models.PositiveIntegerField(default=0)  # turns in a row that brought nothing forward
    waiting_since = models.DateTimeField(null=True, blank=True)  # for a model to come up

    class Meta:
        abstract = True


J = TypeVar("J", bound=Leased)


def new_owner() -> str:
    """A name of its own for each turn, so that a worker which was thought dead can't mistake another's lease for its own."""
    return f"{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(6)}"


class Leases(Generic[J]):
    """The leases of one model's rows; `joined`: what a locked row comes with."""

    def __init__(self, model: type[J], *joined: str) -> None:
        self._rows: models.Manager[J] = model._default_manager
        self._joined = joined

    def take(self, pk: int, owner: str) -> bool:
        """Take the lease if it is free; one statement, so that of two exactly one gets it."""
        now = timezone.now()
        free = Q(lease_owner="") | Q(lease_until__lt=now)
        return bool(
            self._rows.filter(free, pk=pk, finished_at=None).update(
                lease_owner=owner, lease_until=now + LEASE, heartbeat_at=now
            )
        )

    def renew(self, pk: int, owner: str) -> None:
        """Keep the lease; LeaseLost when it is gone, which is how a cancellation arrives too."""
        now = timezone.now()
        self.note(pk, owner, lease_until=now + LEASE, heartbeat_at=now)

    def release(self, pk: int, owner: str) -> bool:
        """Give it back, with a turn's time for the next holder; False when it was no longer ours."""
        return bool(self._ours(pk, owner).update(lease_owner="", lease_until=timezone.now() + TURN))

    def note(self, pk: int, owner: str, **fields: Any) -> None:
        """Write facts of the job while the lease is ours; LeaseLost otherwise."""
        if not self._ours(pk, owner).update(**fields):
            raise LeaseLost

    def locked(self, pk: int, owner: str) -> J:
        """The row, locked until the transaction ends and certainly ours; LeaseLost otherwise."""
        if not transaction.get_connection().in_atomic_block:
            raise RuntimeError("a lock needs a transaction")
        rows = self._rows.select_related(*self._joined) if self._joined else self._rows.all()
        found = rows.select_for_update(of=("self",)).filter(pk=pk, lease_owner=owner, finished_at=None).first()
        if found is None:
            raise LeaseLost
        return found

    def abandoned(self) -> list[int]:
        """Jobs that nobody is at: their lease ran out, or their turn was never taken."""
        rows = self._rows.filter(finished_at=None, lease_until__lt=timezone.now())
        return list(rows.order_by("pk").values_list("pk", flat=True)[:200])

    def _ours(self, pk: int, owner: str) -> models.QuerySet[J]:
        return self._rows.filter(pk=pk, lease_owner=owner, finished_at=None)
