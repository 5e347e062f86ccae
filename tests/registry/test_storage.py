"""Bytes on disk: whole and verified under their hash, or nothing."""

import hashlib
import io
import os
import time
import tracemalloc

import pytest

from accounts.errors import Invalid, TooLarge
from registry import storage


def left_behind(root):
    return [path for path in root.rglob("*") if path.is_file()]


def test_received_bytes_take_their_hash_as_name(storage_root):
    content = os.urandom(3 * storage.BLOCK + 5)
    incoming = storage.receive(io.BytesIO(content), limit=10**9, expected_size=len(content))
    assert incoming.sha256 == hashlib.sha256(content).hexdigest() and incoming.size == len(content)
    assert not storage.blob_path(incoming.sha256).exists()
    incoming.place()
    incoming.discard()
    assert storage.blob_path(incoming.sha256) == storage_root / "blobs" / incoming.sha256[:2] / incoming.sha256
    with storage.open_blob(incoming.sha256) as stream:
        assert stream.read() == content
    assert os.listdir(storage_root / "tmp") == []


def test_an_empty_file_is_a_file(storage_root):
    incoming = storage.receive(io.BytesIO(b""), limit=1, expected_size=0)
    incoming.place()
    assert storage.blob_path(hashlib.sha256(b"").hexdigest()).stat().st_size == 0


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"expected_size": 11}, Invalid, "11 bytes were announced, 10 arrived"),
        ({"expected_size": 9}, Invalid, "9 bytes were announced, 10 arrived"),
        ({"expected_sha256": "0" * 64}, Invalid, "not 0000"),
        ({"limit": 9}, TooLarge, "at most 9 bytes"),
    ],
)
def test_wrong_bytes_leave_nothing(storage_root, given, error, words):
    with pytest.raises(error, match=words):
        storage.receive(io.BytesIO(b"0123456789"), **{"limit": 100, **given})
    assert left_behind(storage_root) == []


def test_an_announced_size_over_the_limit_is_refused_before_a_byte_is_read(storage_root):
    class Never:
        def read(self, size):
            raise AssertionError("read")

    with pytest.raises(TooLarge):
        storage.receive(Never(), limit=10, expected_size=11)


def test_a_stream_that_breaks_leaves_nothing(storage_root):
    class Breaks:
        left = 3

        def read(self, size):
            self.left -= 1
            if not self.left:
                raise ConnectionResetError
            return b"x" * size

    with pytest.raises(ConnectionResetError):
        storage.receive(Breaks(), limit=10**9)
    assert left_behind(storage_root) == []


def test_a_killed_process_leaves_only_a_file_in_tmp(storage_root):
    pid = os.fork()
    if pid == 0:

        class Kills:
            left = 3

            def read(self, size):
                self.left -= 1
                if not self.left:
                    os._exit(9)
                return b"x" * size

        storage.receive(Kills(), limit=10**9)
    os.waitpid(pid, 0)
    assert [path.parent for path in left_behind(storage_root)] == [storage_root / "tmp"]


def test_memory_stays_at_a_few_blocks(storage_root):
    class Zeros:
        left = 128

        def read(self, size):
            self.left -= 1
            return bytes(size) if self.left >= 0 else b""

    tracemalloc.start()
    incoming = storage.receive(Zeros(), limit=10**12)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert incoming.size == 128 * storage.BLOCK and peak < 16 * storage.BLOCK


def test_only_what_nobody_writes_to_is_swept(storage_root):
    storage.receive(io.BytesIO(b"old"), limit=10)
    storage.receive(io.BytesIO(b"new"), limit=10)
    old = min((storage_root / "tmp").iterdir(), key=lambda path: path.read_bytes() != b"old")
    kept, given_up = (storage_root / "parts" / storage.store().begin(5) for _ in range(2))
    for path in (old, kept, given_up):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    assert storage.store().sweep(3600, lambda handle: handle == kept.name) == 2
    assert [path.read_bytes() for path in left_behind(storage_root / "tmp")] == [b"new"]
    assert left_behind(storage_root / "parts") == [kept]
