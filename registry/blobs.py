"""Blobs between disk and database. Whoever places or deletes the bytes of one hash holds that hash's lock until its
transaction ends, so that an upload and the sweeper can never pass each other."""

from django.db import connection, transaction

from registry import damage, storage
from registry.models import Artifact, Blob, BlobCheck, File, Upload


def lock(sha256: str) -> None:
    """Hold this hash until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(bytes.fromhex(sha256)[:8], signed=True)])


def claim(incoming: storage.Incoming) -> Blob:
    """Place received bytes under their hash and return their row. Called inside the transaction that refers to it."""
    lock(incoming.sha256)
    blob, created = Blob.objects.get_or_create(sha256=incoming.sha256, defaults={"size": incoming.size})
    incoming.place()
    if not created:
        damage.note_arrival(blob.sha256)
    return blob


def hold(sha256: str) -> Blob | None:
    """The row of stored bytes, which stays until the transaction ends. None when they are gone."""
    lock(sha256)
    return Blob.objects.filter(pk=sha256).first()


def is_whole(sha256: str) -> bool:
    """Are the bytes there, and not known to be damaged?"""
    return not BlobCheck.objects.filter(blob_id=sha256).exclude(
        state=BlobCheck.State.WHOLE
    ).exists() and storage.exists(sha256)


def is_used(sha256: str) -> bool:
    """Does a version, an artifact or an upload hold these bytes?"""
    return any(model.objects.filter(blob_id=sha256).exists() for model in (File, Artifact, Upload))


def release(sha256: str) -> bool:
    """Delete a blob that nothing refers to; False when something does. Safe to call at any time, and twice."""
    with transaction.atomic():
        lock(sha256)
        if is_used(sha256):
            return False
        Blob.objects.filter(pk=sha256).delete()
        # Before the commit, while the lock is held: a row without bytes is mended by the next upload, bytes that an
        # upload has just placed could not be.
        storage.delete(sha256)
    return True


def release_after_commit(sha256: str) -> None:
    """Have a blob deleted, if nothing else refers to it, once the present transaction is committed."""
    transaction.on_commit(lambda: release(sha256), robust=True)
