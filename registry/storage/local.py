"""Bytes on disk, stored once by content: ROOT/blobs/<ab>/<sha256>.

A write goes to ROOT/tmp (or, in parts, to ROOT/parts) first, is hashed, and is synced before it takes its name, so that a name under
blobs/ always stands for whole, verified bytes, and a crash leaves nothing but a file there for the sweeper.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

from accounts.errors import Conflict, Invalid, NotFound
from registry.storage.base import (
    BLOCK,
    Hasher,
    Incoming,
    Readable,
    StorageFull,
    check,
    full_is_said,
    hash_stream,
    part_in_flight,
    too_large,
)

# Start writing to the disk while the upload goes on, so that the sync at its end has little left to do.
_FLUSH_EVERY = 64 << 20
_LOCK_WAIT_S = 2.0


@dataclass(frozen=True)
class LocalIncoming:
    """Bytes that lie whole and synced in tmp/ or parts/."""

    store: LocalStore
    path: Path
    sha256: str
    size: int
    beginning: bytes

    def place(self) -> None:
        """By a rename: readers of what was there keep their open file."""
        target = self.store.path(self.sha256)
        with full_is_said():
            if not target.parent.is_dir():
                target.parent.mkdir(parents=True, exist_ok=True)
                _sync_folder(target.parent.parent)
            self.path.replace(target)
            _sync_folder(target.parent)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class LocalStore:
    """A folder of one machine, or a file system that several share."""

    min_part: ClassVar[int] = 1
    mendable: ClassVar[bool] = True
    by_length: ClassVar[bool] = True
    direct: ClassVar[bool] = False
    root: Path

    def path(self, sha256: str) -> Path:
        """Where the blob of this hash lies, or would."""
        return self.root / "blobs" / sha256[:2] / sha256

    def open(self, sha256: str) -> BinaryIO:
        return self.path(sha256).open("rb", buffering=0)

    def size(self, sha256: str) -> int | None:
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def delete(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)

    def receive(
        self, stream: Readable, *, limit: int, expected_size: int | None, expected_sha256: str | None
    ) -> Incoming:
        path = self._folder("tmp") / f"{int(time.time())}-{secrets.token_hex(8)}"
        try:
            with full_is_said(), path.open("xb", buffering=0) as out:
                with Hasher() as hasher:
                    _copy(stream, out, hasher, limit)
                sha256 = hasher.hexdigest()
                check(hasher.size, sha256, expected_size, expected_sha256)
                os.fsync(out.fileno())
                os.fchmod(out.fileno(), 0o444)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return LocalIncoming(self, path, sha256, hasher.size, hasher.beginning)

    def blobs(self, older_than_s: float) -> Iterator[str]:
        for folder in sorted((self.root / "blobs").glob("??")):
            for path in _older(folder, older_than_s):
                yield path.name

    def sweep(self, older_than_s: float, in_use: Callable[[str], bool]) -> int:
        stale = [
            *_older(self.root / "tmp", older_than_s),
            *(path for path in _older(self.root / "parts", older_than_s) if not in_use(path.name)),
        ]
        for path in stale:
            path.unlink(missing_ok=True)
        return len(stale)

    def address(self, sha256: str, *, disposition: str, content_type: str) -> str:
        return ""

    def begin(self, size: int) -> str:
        """One file of the whole size, without blocks yet: each part is written at its place in it, and nothing is copied later."""
        folder = self._folder("parts")
        free = os.statvfs(folder)
        if size > free.f_bavail * free.f_frsize:
            raise StorageFull(f"The storage has no room for {size} bytes. Ask whoever runs the site for some.")
        handle = f"{int(time.time())}-{secrets.token_hex(16)}"
        try:
            with full_is_said(), (folder / handle).open("xb") as out:
                out.truncate(size)
        except BaseException:
            (folder / handle).unlink(missing_ok=True)
            raise
        return handle

    def put_part(
        self, handle: str, number: int, stream: Readable, *, offset: int, size: int, sha256: str | None
    ) -> None:
        with full_is_said(), self._part_file(handle) as file:
            if not _lock(file, offset, size, wait_s=_LOCK_WAIT_S):
                raise part_in_flight(number)
            # Collected while this waited: the file is a blob now, and nothing writes to those.
            if not self._part_path(handle).exists():
                raise _no_upload()
            file.seek(offset)
            with Hasher() if sha256 else _Counter() as hasher:
                _copy(stream, file, hasher, size, over=_part_over(number, size))
            check(hasher.size, hasher.hexdigest(), size, sha256)

    def part_address(self, handle: str, number: int, *, size: int | None, valid_s: int) -> str:
        return ""

    def parts(self, handle: str, whole: dict[int, int]) -> dict[int, int] | None:
        return None

    @contextmanager
    def collect(self, handle: str, *, size: int | None, sha256: str) -> Iterator[Incoming]:
        with self._part_file(handle) as file:
            if not _lock(file, 0, 0, wait_s=_LOCK_WAIT_S):
                raise Conflict(
                    "A part is still being written, or the upload is being completed. Ask again when it is there.",
                    code="part_in_flight",
                )
            path = self._part_path(handle)
            if not path.exists():
                raise _no_upload()
            found, length, beginning = hash_stream(file)
            check(length, found, size, sha256)
            with full_is_said():
                os.fsync(file.fileno())
            # The lock is held until the bytes have their name and whoever waits finds the file gone.
            yield LocalIncoming(self, path, found, length, beginning)

    def abort(self, handle: str) -> None:
        self._part_path(handle).unlink(missing_ok=True)

    def _part_path(self, handle: str) -> Path:
        return self.root / "parts" / handle

    def _part_file(self, handle: str) -> BinaryIO:
        try:
            return self._part_path(handle).open("r+b", buffering=0)
        except FileNotFoundError:
            raise _no_upload() from None

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


class _Counter:
    """A hasher's place where nobody asked for a hash."""

    size = 0

    def __enter__(self) -> _Counter:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, block: bytes) -> None:
        self.size += len(block)

    def hexdigest(self) -> str:
        return ""


def _copy(
    stream: Readable, out: BinaryIO, hasher: Hasher | _Counter, limit: int, *, over: Invalid | None = None
) -> None:
    """Copy to the end; more than `limit` bytes raise `over`, or that the file is too large."""
    size, flushed, start = 0, 0, out.tell()
    while block := stream.read(BLOCK):
        size += len(block)
        if size > limit:
            raise over or too_large(limit)
        hasher.update(block)
        _write_whole(out, block)
        if size - flushed >= _FLUSH_EVERY:
            _start_flush(out, start + flushed, size - flushed)
            flushed = size


def _part_over(number: int, size: int) -> Invalid:
    return Invalid("file", f"Part {number} has {size} bytes in this upload; more were sent.", code="size_mismatch")


def _no_upload() -> NotFound:
    return NotFound("This upload was completed, given up, or has expired.")


def _lock(file: BinaryIO, start: int, length: int, *, wait_s: float) -> bool:
    """Lock a range of the file for this open file alone (length 0: all of it). The lock goes with the file, whatever kills us."""
    request = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, request)
        except (BlockingIOError, PermissionError):
            if time.monotonic() >= until:
                return False
            time.sleep(0.05)
        else:
            return True


def _write_whole(out: BinaryIO, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[out.write(view) :]


def _start_flush(out: BinaryIO, start: int, length: int) -> None:
    # POSIX_FADV_DONTNEED starts the write-back of what is dirty, and waits for none of it.
    with suppress(AttributeError, OSError):
        os.posix_fadvise(out.fileno(), start, length, os.POSIX_FADV_DONTNEED)


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
