"""What every store of bytes does, whatever it is made of, and what they share: copying while hashing, checking, the plan of parts."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from queue import Queue
from threading import Thread
from typing import BinaryIO, ClassVar, Protocol

from accounts.errors import Invalid, Problem, TooLarge

BLOCK = 1 << 20
BEGINNING = 16  # bytes that are kept of each file to tell its kind
MAX_PARTS = 10_000
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class StorageFull(Problem):
    """The disk, the quota or the bucket takes no more."""

    status = 507
    code = "storage_full"
    title = "Storage full"


class Readable(Protocol):
    """The part of a stream that is read from."""

    def read(self, size: int, /) -> bytes: ...


class Incoming(Protocol):
    """Bytes that were received whole and verified, not yet under their name."""

    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def beginning(self) -> bytes: ...

    def place(self) -> None:
        """Give the bytes their name; what was there under it is replaced, since it may have rotted."""

    def discard(self) -> None:
        """Forget them; nothing happens when they were placed."""


class Store(Protocol):
    """Bytes by their sha256 (hex). A name under blobs/ stands for whole, verified bytes; all else is for the sweeper."""

    min_part: ClassVar[int]  # bytes of the smallest part of an upload, but for its last
    mendable: ClassVar[bool]  # can parts be put again after `collect` found the whole to be wrong?
    by_length: ClassVar[bool]  # must `begin` know the length, since each part is written at its place?

    @property
    def direct(self) -> bool:
        """Do clients put and fetch bytes by themselves? Then `address` and `part_address` are never ''."""

    def open(self, sha256: str) -> BinaryIO:
        """A seekable stream from the beginning. FileNotFoundError when they are not there."""

    def size(self, sha256: str) -> int | None:
        """Bytes stored under this hash; None when there are none."""

    def delete(self, sha256: str) -> None:
        """Remove them; nothing happens when they are gone already. Only under the blob's lock (registry.blobs)."""

    def receive(
        self, stream: Readable, *, limit: int, expected_size: int | None, expected_sha256: str | None
    ) -> Incoming:
        """Read a stream to its end, hashing on the way; memory stays at a few blocks whatever the size."""

    def blobs(self, older_than_s: float) -> Iterator[str]:
        """The hashes of everything stored under a name for longer than this."""

    def sweep(self, older_than_s: float, in_use: Callable[[str], bool]) -> int:
        """Remove what broken-off writes left longer ago than this; `in_use` says whether a handle is an upload's. How many."""

    def address(self, sha256: str, *, disposition: str, content_type: str) -> str:
        """Where a client fetches the bytes by itself for some minutes; '' where it can't."""

    # Uploads in parts. A handle names one; parts come in any order, at the same time, and again.
    def begin(self, size: int) -> str:
        """A new one. Where the store is not `by_length`, any size but 0 stands for one that nobody knows yet."""

    def put_part(
        self, handle: str, number: int, stream: Readable, *, offset: int, size: int, sha256: str | None
    ) -> None:
        """Write one part, whole or not at all as far as `collect` sees it."""

    def part_address(self, handle: str, number: int, *, size: int | None, valid_s: int) -> str:
        """Where a client puts the part by itself; '' where it can't. size: its bytes, no more and no less; None: not known yet."""

    def parts(self, handle: str, whole: dict[int, int]) -> dict[int, int] | None:
        """Sizes by number of the parts that are there (`whole`: if all are); None where only who wrote them knows."""

    def collect(self, handle: str, *, size: int | None, sha256: str) -> AbstractContextManager[Incoming]:
        """All parts as one, hashed and compared with `size` and `sha256` (None, '': whatever it is). No part is written while it
        is held."""

    def abort(self, handle: str) -> None:
        """Give up an upload's parts; twice is once."""


@contextmanager
def full_is_said() -> Iterator[None]:
    """Turn the system's 'no space left' into a problem that a client can read."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(
                "The storage is full, so nothing of this was kept. Ask whoever runs the site for room, then send it again."
            ) from error
        raise


class Hasher:
    """SHA-256 in a thread beside the reading and writing (hashlib lets go of the interpreter)."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._blocks: Queue[bytes | None] = Queue(maxsize=4)
        self._thread = Thread(target=self._run, name="upload-hash", daemon=True)
        self.size = 0
        self.beginning = b""

    def __enter__(self) -> Hasher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._blocks.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (block := self._blocks.get()) is not None:
            self._digest.update(block)

    def update(self, block: bytes) -> None:
        self.size += len(block)
        if len(self.beginning) < BEGINNING:
            self.beginning = (self.beginning + block[:BEGINNING])[:BEGINNING]
        self._blocks.put(block)

    def hexdigest(self) -> str:
        """After the `with`."""
        return self._digest.hexdigest()


def hash_stream(stream: BinaryIO) -> tuple[str, int, bytes]:
    """(sha256, size, first bytes) of a stream from its present place, in two buffers of one block."""
    digest, size, beginning = hashlib.sha256(), 0, b""
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    while count := stream.readinto(buffer):  # type: ignore[attr-defined]  # raw and buffered streams have it
        digest.update(view[:count])
        size += count
        if len(beginning) < BEGINNING:
            beginning = (beginning + bytes(view[:BEGINNING]))[: min(BEGINNING, size)]
    return digest.hexdigest(), size, beginning


def check(size: int, sha256: str, expected_size: int | None, expected_sha256: str | None) -> None:
    """Raise Invalid when what arrived is not what was announced."""
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


def part_in_flight(number: int) -> Problem:
    found = Problem(
        f"Part {number} is being written by another request at this moment. Wait for it, then send the part again if you must.",
        code="part_in_flight",
    )
    found.status, found.title = 409, "Conflict"
    return found
