"""The one way to bytes, by their hash: a folder (settings.STORAGE), or an S3-compatible bucket where settings.STORAGE_URL names
one. Nothing here knows of versions or permissions."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from registry.storage.base import BLOCK, Incoming, Readable, StorageFull, Store, too_large
from registry.storage.local import LocalStore

__all__ = [
    "BLOCK", "Incoming", "Readable", "StorageFull", "Store", "blob_path", "delete", "exists", "open_blob", "receive", "root", "store",
    "too_large",
]  # fmt: skip


def store() -> Store:
    """The store that this site keeps its bytes in."""
    return _store(settings.STORAGE_URL, str(settings.STORAGE))


@lru_cache(maxsize=8)
def _store(url: str, folder: str) -> Store:
    if not url:
        return LocalStore(Path(folder))
    from registry.storage.s3 import S3Store  # boto3 takes half a second to import: only where there is a bucket

    return S3Store.at(url)


def root() -> Path:
    return Path(settings.STORAGE)


def blob_path(sha256: str) -> Path:
    """Where the blob of this hash lies in the folder, or would. Only for what can't be a bucket's."""
    return LocalStore(root()).path(sha256)


def open_blob(sha256: str) -> BinaryIO:
    """The bytes, from the beginning, seekable. FileNotFoundError when they are not there."""
    return store().open(sha256)


def exists(sha256: str) -> bool:
    return store().size(sha256) is not None


def receive(
    stream: Readable, *, limit: int, expected_size: int | None = None, expected_sha256: str | None = None
) -> Incoming:
    """Read a stream to its end, hashing on the way; memory stays at a few blocks whatever the size.

    Raises TooLarge above `limit` bytes and Invalid when size or sha256 (hex) is not the expected one; then nothing is kept.
    """
    if expected_size is not None and expected_size > limit:
        raise too_large(limit)
    return store().receive(stream, limit=limit, expected_size=expected_size, expected_sha256=expected_sha256)


def delete(sha256: str) -> None:
    """Remove a blob's bytes; nothing happens when they are gone already. Only under the blob's lock (registry.blobs)."""
    store().delete(sha256)
