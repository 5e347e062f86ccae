"""Bytes to and from a bucket as streams, and the bucket's errors in our words."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from accounts.errors import Unavailable
from registry.storage.base import StorageFull

if TYPE_CHECKING:
    from registry.storage.s3 import S3Store

MIB = 1 << 20
_GONE = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"})
_FULL = frozenset({"507", "QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "EntityTooLarge"})


@contextmanager
def said() -> Iterator[None]:
    """The bucket's errors in our words."""
    try:
        yield
    except ClientError as error:
        code = _code(error)
        if code in _GONE:
            raise FileNotFoundError(code) from error
        if code in _FULL:
            raise StorageFull(
                "The storage takes no more. Ask whoever runs the site for room, then send it again."
            ) from error
        raise Unavailable(
            f"The object storage refused: {code}. Try again; if it stays so, tell whoever runs the site."
        ) from error
    except BotoCoreError as error:
        raise Unavailable("The object storage can't be reached at the moment. Try again.") from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


class S3Stream(io.RawIOBase):
    """An object read by ranges: a little where the reader jumps about, in windows that grow where it reads on."""

    FIRST, LARGEST = 256 * 1024, 64 * MIB

    def __init__(self, store: S3Store, key: str, size: int, etag: str = "") -> None:
        self._store, self._key, self._size, self._etag = store, key, size, etag
        self._at, self._window = 0, self.FIRST
        self._body: Any = None
        self._left = 0  # bytes of the window that were not read yet

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if at < 0:
            raise ValueError("negative place in a stream")
        if at != self._at:
            self._drop()
            self._at, self._window = at, self.FIRST
        return at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._at)
        if wanted <= 0:
            return 0
        block = b""
        for attempt in range(3):
            if not self._left:
                self._fetch()
            try:
                block = self._body.read(min(wanted, self._left))
            except (BotoCoreError, OSError):
                if attempt == 2:
                    raise
            if block:
                break
            self._drop()  # the connection broke: the rest of the window is asked for again
        if not block:
            raise OSError(f"{self._key} ended at {self._at} of {self._size} bytes")
        view[: len(block)] = block
        self._at += len(block)
        self._left -= len(block)
        return len(block)

    def _fetch(self) -> None:
        self._drop()
        end = min(self._at + self._window, self._size)
        same = {"IfMatch": self._etag} if self._etag else {}
        with said():
            answer = self._store.client.get_object(
                Bucket=self._store.bucket, Key=self._key, Range=f"bytes={self._at}-{end - 1}", **same
            )
        self._body, self._left = answer["Body"], end - self._at
        self._window = min(self._window * 4, self.LARGEST)

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body, self._left = None, 0

    def close(self) -> None:
        self._drop()
        super().close()


class Multipart:
    """Writes one object of unknown length: two parts travel while the next one fills; one that fits a part goes as it is."""

    def __init__(self, store: S3Store, key: str, part_size: int) -> None:
        self._store, self._key, self._part_size = store, key, part_size
        self._buffer = bytearray()
        self._upload_id = ""
        self._sent: list[Future[str]] = []
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="s3-part")
        self._finished = False

    def __enter__(self) -> Multipart:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._upload_id and not self._finished:
            with suppress(FileNotFoundError, Unavailable):
                self._store.abort(f"{self._key} {self._upload_id}")

    def write(self, block: bytes) -> None:
        self._buffer += block
        if len(self._buffer) >= self._part_size:
            self._send()

    def _send(self) -> None:
        if not self._upload_id:
            self._upload_id = self._store.client.create_multipart_upload(Bucket=self._store.bucket, Key=self._key)[
                "UploadId"
            ]
        if len(self._sent) >= 2:
            self._sent[-2].result()
        number, body = len(self._sent) + 1, bytes(self._buffer)
        self._buffer.clear()
        self._sent.append(self._pool.submit(self._put, number, body))

    def _put(self, number: int, body: bytes) -> str:
        store = self._store
        answer = store.client.upload_part(
            Bucket=store.bucket, Key=self._key, UploadId=self._upload_id, PartNumber=number, Body=body
        )
        return str(answer["ETag"])

    def finish(self) -> str:
        """The ETag of the whole."""
        store = self._store
        if not self._upload_id:
            answer = store.client.put_object(Bucket=store.bucket, Key=self._key, Body=bytes(self._buffer))
        else:
            if self._buffer:
                self._send()
            parts = [{"PartNumber": number, "ETag": sent.result()} for number, sent in enumerate(self._sent, 1)]
            store.client.complete_multipart_upload(
                Bucket=store.bucket, Key=self._key, UploadId=self._upload_id, MultipartUpload={"Parts": parts}
            )
            # The object's own: some servers answer the completion with another one (rclone: of the parts).
            answer = store.client.head_object(Bucket=store.bucket, Key=self._key)
        self._finished = True
        return str(answer["ETag"])
