"""Background work: tidying the storage."""

import logging

from celery import shared_task

from registry import blobs, storage
from registry.models import Blob

STALE_S = 24 * 3600.0
log = logging.getLogger(__name__)


@shared_task
def sweep_uploads() -> None:
    """Remove what broken-off uploads left behind, and bytes that no version refers to, once they are a day old.

    Bytes that an upload is placing at this moment are safe: both sides hold the blob's lock (registry.blobs).
    """
    removed = 0
    for path in storage.stale_uploads(STALE_S):
        path.unlink(missing_ok=True)
        removed += 1
    batch: list[str] = []
    for sha256 in storage.stored_blobs(STALE_S):
        batch.append(sha256)
        if len(batch) == 500:
            removed += _sweep(batch)
            batch = []
    removed += _sweep(batch)
    if removed:
        log.info("swept %d files that nothing refers to", removed)


def _sweep(hashes: list[str]) -> int:
    used = set(Blob.objects.filter(pk__in=hashes, files__isnull=False).values_list("pk", flat=True).distinct())
    return sum(blobs.release(sha256) for sha256 in hashes if sha256 not in used)
