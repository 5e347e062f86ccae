"""Reading stored bytes again and hashing them: never checked ones first, then the longest ago, at a limited rate."""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from registry import blobs, damage, storage
from registry.models import Blob, BlobCheck

BATCH = 50


def scrub(*, budget_s: float, rate: float | None = None) -> int:
    """Check blobs for about `budget_s` seconds at `rate` bytes per second (settings.SCRUB_MIB_PER_S). Returns how many. Two at once
    do some of the work twice and write the same."""
    rate = rate or settings.SCRUB_MIB_PER_S * 2**20
    until, done = time.monotonic() + budget_s, 0
    while time.monotonic() < until and (batch := due(BATCH)):
        for sha256 in batch:
            check(sha256, rate)
            done += 1
            if time.monotonic() >= until:
                break
    return done


def due(limit: int) -> list[str]:
    """The blobs whose turn it is: those never checked, then those whose last check is older than SCRUB_EVERY_DAYS; damaged ones
    each hour, since somebody may have put them right by hand."""
    never = list(Blob.objects.filter(check_result=None).order_by("created_at").values_list("pk", flat=True)[:limit])
    if len(never) == limit:
        return never
    now = timezone.now()
    whole = BlobCheck.State.WHOLE
    old = BlobCheck.objects.filter(checked_at__lt=now - timedelta(days=settings.SCRUB_EVERY_DAYS), state=whole)
    broken = BlobCheck.objects.filter(checked_at__lt=now - timedelta(hours=1)).exclude(state=whole)
    rows = (old | broken).order_by(F("checked_at").asc()).values_list("blob_id", flat=True)
    return never + list(rows[: limit - len(never)])


def check(sha256: str, rate: float) -> str:
    """Hash one blob's bytes and write down what came of it. The state that was found."""
    state, detail = look(sha256, rate)
    with transaction.atomic():
        blobs.lock(sha256)
        if state != BlobCheck.State.WHOLE:
            # Somebody may have replaced it meanwhile: under its lock nobody does. No pause here, since uploads wait.
            state, detail = look(sha256, 0)
        damage.note_check(sha256=sha256, state=state, detail=detail)
    return state


def look(sha256: str, rate: float) -> tuple[str, str]:
    """(state, detail) of the bytes stored under this hash, read at most at this rate (0: as fast as it goes)."""
    digest, size, began = hashlib.sha256(), 0, time.monotonic()
    try:
        with storage.open_blob(sha256) as stream:
            while block := stream.read(4 << 20):
                digest.update(block)
                size += len(block)
                ahead = size / rate - (time.monotonic() - began) if rate else 0
                if ahead > 0:
                    time.sleep(min(ahead, 5))
    except FileNotFoundError:
        return BlobCheck.State.MISSING, "there are no bytes under this name"
    except OSError as error:
        return BlobCheck.State.DAMAGED, f"can't be read: {error.strerror or type(error).__name__}"
    if digest.hexdigest() != sha256:
        return BlobCheck.State.DAMAGED, f"{size} bytes with the SHA-256 {digest.hexdigest()}"
    return BlobCheck.State.WHOLE, ""
