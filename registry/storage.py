"""Bytes on disk, stored once by content: STORAGE/blobs/<ab>/<sha256>. Nothing here knows of versions or permissions.

A write goes to STORAGE/tmp first, is hashed on the way, and is synced before it takes its name, so that a name under
blobs/ always stands for whole, verified bytes, and a crash leaves nothing but a file in tmp/ for the sweeper.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import BinaryIO, Protocol

from django.conf import settings

from accounts.errors import Invalid, TooLarge

BLOCK = 1 << 20
# Start writing to the disk while the upload goes on, so that the sync at its end has little left to do.
_FLUSH_EVERY = 64 << 20


class Readable(Protocol):
    """The part of a stream that is read from."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Incoming:
    """Bytes that were received whole and lie in tmp/, not yet under their name."""

    path: Path
    sha256: str
    size: int
    beginning: bytes

    def place(self) -> None:
        """Give the bytes their name. Always replaces: what was there may have rotted, and readers keep their open file."""
        target = blob_path(self.sha256)
        if not target.parent.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            _sync_folder(target.parent.parent)
        self.path.replace(target)
        _sync_folder(target.parent)

    def discard(self) -> None:
        """Forget them; nothing happens when they were placed."""
        self.path.unlink(missing_ok=True)


def root() -> Path:
    return Path(settings.STORAGE)


def blob_path(sha256: str) -> Path:
    """Where the blob of this hash lies, or would."""
    return root() / "blobs" / sha256[:2] / sha256


def open_blob(sha256: str) -> BinaryIO:
    """The bytes, from the beginning. FileNotFoundError when they are not there."""
    return blob_path(sha256).open("rb", buffering=0)


def receive(
    stream: Readable, *, limit: int, expected_size: int | None = None, expected_sha256: str | None = None
) -> Incoming:
    """Read a stream to its end into tmp/, hashing on the way; memory stays at a few blocks whatever the size.

    Raises TooLarge above `limit` bytes and Invalid when size or sha256 (hex) is not the expected one; then nothing is kept.
    """
    if expected_size is not None and expected_size > limit:
        raise too_large(limit)
    folder = root() / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{int(time.time())}-{secrets.token_hex(8)}"
    try:
        with path.open("xb", buffering=0) as out:
            sha256, size, beginning = _copy(stream, out, limit)
            _check(size, sha256, expected_size, expected_sha256)
            os.fsync(out.fileno())
            os.fchmod(out.fileno(), 0o444)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Incoming(path, sha256, size, beginning)


def _copy(stream: Readable, out: BinaryIO, limit: int) -> tuple[str, int, bytes]:
    """Copy to the end, hashing in a thread beside the reading and writing (hashlib lets go of the interpreter)."""
    digest = hashlib.sha256()
    blocks: Queue[bytes | None] = Queue(maxsize=8)

    def hash_blocks() -> None:
        while (block := blocks.get()) is not None:
            digest.update(block)

    hasher = Thread(target=hash_blocks, name="upload-hash", daemon=True)
    hasher.start()
    size, flushed, beginning = 0, 0, b""
    try:
        while block := stream.read(BLOCK):
            size += len(block)
            if size > limit:
                raise too_large(limit)
            if len(beginning) < 16:
                beginning = (beginning + block[:16])[:16]
            blocks.put(block)
            _write_whole(out, block)
            if size - flushed >= _FLUSH_EVERY:
                _start_flush(out, flushed, size - flushed)
                flushed = size
    finally:
        blocks.put(None)
        hasher.join()
    return digest.hexdigest(), size, beginning


def _write_whole(out: BinaryIO, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[out.write(view) :]


def _start_flush(out: BinaryIO, start: int, length: int) -> None:
    # POSIX_FADV_DONTNEED starts the write-back of what is dirty, and waits for none of it.
    with suppress(AttributeError, OSError):
        os.posix_fadvise(out.fileno(), start, length, os.POSIX_FADV_DONTNEED)


def _check(size: int, sha256: str, expected_size: int | None, expected_sha256: str | None) -> None:
    if expected_size is not None and size != expected_size:
        raise Invalid(
            "file",
            f"The upload stopped early or ran over: {expected_size} bytes were announced, {size} arrived. Send the file again.",
            code="size_mismatch",
        )
    if expected_sha256 and sha256 != expected_sha256.lower():
        raise Invalid(
            "X-Content-SHA256",
            f"The bytes that arrived have the SHA-256 {sha256}, not {expected_sha256.lower()}. Send the file again.",
            code="checksum_mismatch",
        )


def too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"A file can have at most {limit} bytes here. Split it (safetensors can be sharded), or raise MAX_FILE_BYTES.",
        errors={"file": [f"At most {limit} bytes."]},
    )


def delete(sha256: str) -> None:
    """Remove a blob's bytes; nothing happens when they are gone already. Only under the blob's lock (registry.blobs)."""
    blob_path(sha256).unlink(missing_ok=True)


def stale_uploads(older_than_s: float) -> Iterator[Path]:
    """Files in tmp/ that no upload can still be writing to."""
    yield from _older(root() / "tmp", older_than_s)


def stored_blobs(older_than_s: float) -> Iterator[str]:
    """The hashes of all blobs on disk that were placed longer ago than this."""
    for folder in sorted((root() / "blobs").glob("??")):
        for path in _older(folder, older_than_s):
            yield path.name


def _older(folder: Path, age_s: float) -> Iterator[Path]:
    limit = time.time() - age_s
    if not folder.is_dir():
        return
    for entry in os.scandir(folder):
        with suppress(FileNotFoundError):
            if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < limit:
                yield Path(entry.path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
