"""Measuring how far the weights moved between two versions: asked for once per pair of digests, done in the background.

What is kept is derived from bytes that never change, and can be made again at any time: it is no governed state.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import zlib
from datetime import timedelta
from typing import Any

from celery import current_app
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.access import Actor, require
from accounts.errors import Conflict, Invalid
from accounts.roles import Permission
from registry import gates
from registry.actions.common import person
from registry.models import Asset, Version, WeightComparison

LEASE_S = 60
State = WeightComparison.State


def ask_weights(*, before: Version, after: Version, by: Actor) -> WeightComparison:
    """Have it measured, or find that it is, was or will be. One that failed is tried again."""
    for version in (before, after):
        require(by, Permission.ASSET_VIEW, version.asset)
        gates.check_read(by, version.asset)
        if version.asset.kind != Asset.Kind.MODEL:
            raise Invalid("to", "Only models have weights.")
        if not version.is_registered:
            raise Conflict(f"{version} is a draft. Register it first: what is compared are exact bytes.")
    if before.digest == after.digest:
        raise Conflict("Both have the same digest: the weights are the same, byte for byte.", code="same_digest")
    values = {
        "before_version_id": before.pk,
        "after_version_id": after.pk,
        "asked_by": person(by),
        "asked_at": timezone.now(),
    }
    with transaction.atomic():
        row, created = WeightComparison.objects.select_for_update().get_or_create(
            before_digest=before.digest, after_digest=after.digest, defaults=values
        )
        if not created and row.state == State.FAILED:
            for name, value in values.items():
                setattr(row, name, value)
            row.state, row.error, row.done_bytes, row.tensors, row.finished_at = State.QUEUED, "", 0, b"", None
            row.save()
        if not row.has_ended:
            transaction.on_commit(lambda: _wake(row.pk), robust=True)
    return row


def _wake(pk: int) -> None:
    """Whether it arrives doesn't matter: the schedule finds what waits."""
    with contextlib.suppress(OperationalError, OSError):
        current_app.send_task("registry.tasks.measure_weights", [pk], retry=False)


def claim(pk: int | None = None) -> WeightComparison | None:
    """Take one that waits, or whose worker is gone, under a lease of our own; None where there is none."""
    now = timezone.now()
    free = Q(state=State.QUEUED) | Q(state=State.RUNNING, leased_until__lt=now)
    rows = WeightComparison.objects.filter(free).order_by("asked_at")
    with transaction.atomic():
        row = (rows.filter(pk=pk) if pk is not None else rows).select_for_update(skip_locked=True).first()
        if row is None:
            return None
        row.state, row.lease = State.RUNNING, secrets.token_hex(16)
        row.leased_until = now + timedelta(seconds=LEASE_S)
        row.save(update_fields=["state", "lease", "leased_until"])
    return row


def note(row: WeightComparison, **fields: Any) -> bool:
    """Write progress while the lease is ours; False when somebody else has it."""
    fields.setdefault("leased_until", timezone.now() + timedelta(seconds=LEASE_S))
    return bool(WeightComparison.objects.filter(pk=row.pk, lease=row.lease, state=State.RUNNING).update(**fields))


def give_back(row: WeightComparison, **fields: Any) -> bool:
    """Leave what is measured so far to whoever takes it up next."""
    return note(row, state=State.QUEUED, lease="", leased_until=None, **fields)


def finish(row: WeightComparison, *, error: str = "", **fields: Any) -> bool:
    state = State.FAILED if error else State.DONE
    return note(row, state=state, error=error[:300], finished_at=timezone.now(), lease="", leased_until=None, **fields)


Line = tuple[str, float | None, float | None, float | None]


def pack(lines: list[Line]) -> bytes:
    return zlib.compress(json.dumps(lines, separators=(",", ":"), allow_nan=False).encode(), 3)


def unpack(packed: bytes | memoryview) -> list[Line]:
    return [(line[0], line[1], line[2], line[3]) for line in json.loads(zlib.decompress(packed))] if packed else []


def weights_of(before: Version, after: Version) -> WeightComparison | None:
    """What is known of how far the weights moved from one to the other."""
    return WeightComparison.objects.filter(before_digest=before.digest, after_digest=after.digest).first()
