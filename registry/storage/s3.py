"""Bytes in an S3-compatible bucket: PREFIX/blobs/<ab>/<sha256>, and PREFIX/tmp/ for what is on its way.

Nothing gets its name before it was hashed here, whoever brought it: a copy inside the bucket, bound to the ETag that was hashed.
"""

from __future__ import annotations

import io
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, ClassVar, cast
from urllib.parse import parse_qs, urlsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from accounts.errors import Invalid, NotFound, Unavailable
from registry.storage.base import (
    BLOCK,
    MAX_PARTS,
    Hasher,
    Incoming,
    Readable,
    StorageFull,
    check,
    hash_stream,
    too_large,
)

MIB = 1 << 20
_PART = 16 * MIB
_ADDRESS_S = 900
_GONE = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"})
_FULL = frozenset({"507", "QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "EntityTooLarge"})
# A copy inside the bucket takes up to 5 GiB at once.
_COPY = TransferConfig(multipart_threshold=4096 * MIB, multipart_chunksize=1024 * MIB)


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


@dataclass(frozen=True)
class S3Incoming:
    """An object under tmp/ whose bytes were hashed; `etag` is of exactly those."""

    store: S3Store
    key: str
    etag: str
    sha256: str
    size: int
    beginning: bytes

    def place(self) -> None:
        with said():
            self.store.client.copy(
                {"Bucket": self.store.bucket, "Key": self.key},
                self.store.bucket,
                self.store.key(self.sha256),
                ExtraArgs={"CopySourceIfMatch": self.etag},
                Config=_COPY,
            )

    def discard(self) -> None:
        with said():
            self.store.client.delete_object(Bucket=self.store.bucket, Key=self.key)


@dataclass(frozen=True)
class S3Store:
    """`client` talks from here; `signer` writes the addresses that clients are given, which may reach it by another name."""

    bucket: str
    prefix: str
    client: Any
    signer: Any
    min_part: ClassVar[int] = 5 * MIB
    mendable: ClassVar[bool] = False  # the parts are one object then

    @classmethod
    def at(cls, url: str) -> S3Store:
        """s3://bucket/prefix?endpoint=https://…&region=…&public=https://… public: the endpoint as clients reach
        it. direct=no: they don't, and all bytes pass through the site."""
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise ValueError("STORAGE_URL is s3://bucket/prefix?endpoint=https://…&region=…")
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        endpoint = asked.get("endpoint")
        prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
        client = _client(endpoint, asked.get("region"))
        public = asked.get("public")
        signer = _client(public, asked.get("region")) if public else client
        return cls(parts.netloc, prefix, client, None if asked.get("direct") == "no" else signer)

    def key(self, sha256: str) -> str:
        return f"{self.prefix}blobs/{sha256[:2]}/{sha256}"

    def open(self, sha256: str) -> BinaryIO:
        size = self.size(sha256)
        if size is None:
            raise FileNotFoundError(sha256)
        return self._stream(self.key(sha256), size)

    def size(self, sha256: str) -> int | None:
        return self._size(self.key(sha256))

    def _size(self, key: str) -> int | None:
        try:
            with said():
                return int(self.client.head_object(Bucket=self.bucket, Key=key)["ContentLength"])
        except FileNotFoundError:
            return None

    def delete(self, sha256: str) -> None:
        with said():
            self.client.delete_object(Bucket=self.bucket, Key=self.key(sha256))

    def receive(
        self, stream: Readable, *, limit: int, expected_size: int | None, expected_sha256: str | None
    ) -> Incoming:
        key = self._fresh_key()
        wanted = limit if expected_size is None else expected_size
        part_size = max(_PART, -(-wanted // MAX_PARTS))
        with said(), _Multipart(self, key, part_size) as target:
            with Hasher() as hasher:
                while block := stream.read(BLOCK):
                    if hasher.size + len(block) > limit:
                        raise too_large(limit)
                    hasher.update(block)
                    target.write(block)
            sha256 = hasher.hexdigest()
            check(hasher.size, sha256, expected_size, expected_sha256)
            etag = target.finish()
        return S3Incoming(self, key, etag, sha256, hasher.size, hasher.beginning)

    def blobs(self, older_than_s: float) -> Iterator[str]:
        for item in self._listed(f"{self.prefix}blobs/", older_than_s):
            yield str(item["Key"]).rsplit("/", 1)[-1]

    def sweep(self, older_than_s: float, in_use: Callable[[str], bool]) -> int:
        removed = 0
        for item in self._listed(f"{self.prefix}tmp/", older_than_s):
            if not in_use(item["Key"]):
                self.client.delete_object(Bucket=self.bucket, Key=item["Key"])
                removed += 1
        before = datetime.now(UTC) - timedelta(seconds=older_than_s)
        with said():
            open_ones = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=f"{self.prefix}tmp/").get(
                "Uploads", []
            )
        for one in open_ones:
            if one["Initiated"] < before and not in_use(f"{one['Key']} {one['UploadId']}"):
                self.abort(f"{one['Key']} {one['UploadId']}")
                removed += 1
        return removed

    def address(self, sha256: str, *, disposition: str, content_type: str) -> str:
        if self.signer is None:
            return ""
        asked = {"ResponseContentDisposition": disposition, "ResponseContentType": content_type}
        place = {"Bucket": self.bucket, "Key": self.key(sha256)}
        return str(self.signer.generate_presigned_url("get_object", Params={**place, **asked}, ExpiresIn=_ADDRESS_S))

    # A handle is 'key upload-id'. An empty file has no parts, and S3 no upload without them: then it is 'key '.
    def begin(self, size: int) -> str:
        key = self._fresh_key()
        if not size:
            return f"{key} "
        with said():
            return f"{key} {self.client.create_multipart_upload(Bucket=self.bucket, Key=key)['UploadId']}"

    def put_part(
        self, handle: str, number: int, stream: Readable, *, offset: int, size: int, sha256: str | None
    ) -> None:
        key, upload_id = handle.split(" ", 1)
        # On disk first, since the part goes with its length and again when the bucket stumbles.
        with tempfile.TemporaryFile() as kept:
            with Hasher() as hasher:
                while block := stream.read(BLOCK):
                    if hasher.size + len(block) > size:
                        raise Invalid(
                            "file",
                            f"Part {number} has {size} bytes in this upload; more were sent.",
                            code="size_mismatch",
                        )
                    hasher.update(block)
                    kept.write(block)
            check(hasher.size, hasher.hexdigest(), size, sha256)
            kept.seek(0)
            try:
                with said():
                    self.client.upload_part(
                        Bucket=self.bucket,
                        Key=key,
                        UploadId=upload_id,
                        PartNumber=number,
                        Body=kept,
                        ContentLength=size,
                    )
            except FileNotFoundError:
                raise _no_upload() from None

    def part_address(self, handle: str, number: int, *, size: int, valid_s: int) -> str:
        if self.signer is None:
            return ""
        key, upload_id = handle.split(" ", 1)
        # The length is signed too: nobody puts more there than was announced.
        part = {"Bucket": self.bucket, "Key": key, "UploadId": upload_id, "PartNumber": number, "ContentLength": size}
        return str(self.signer.generate_presigned_url("upload_part", Params=part, ExpiresIn=min(valid_s, 7 * 86_400)))

    def parts(self, handle: str, whole: dict[int, int]) -> dict[int, int] | None:
        key, upload_id = handle.split(" ", 1)
        if not upload_id:
            return {}
        try:
            return {number: size for number, (size, _) in self._parts(key, upload_id).items()}
        except FileNotFoundError:
            # Put together already, by somebody who was stopped before the end: what counts is the object.
            return whole if self._size(key) is not None else {}

    @contextmanager
    def collect(self, handle: str, *, size: int, sha256: str) -> Iterator[Incoming]:
        key, upload_id = handle.split(" ", 1)
        with said():
            if not upload_id:
                self.client.put_object(Bucket=self.bucket, Key=key, Body=b"")
            else:
                with suppress(FileNotFoundError), said():
                    parts = [
                        {"PartNumber": number, "ETag": etag}
                        for number, (_, etag) in sorted(self._parts(key, upload_id).items())
                    ]
                    self.client.complete_multipart_upload(
                        Bucket=self.bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
                    )
            try:
                with said():
                    head = self.client.head_object(Bucket=self.bucket, Key=key)
            except FileNotFoundError:
                raise _no_upload() from None
            with self._stream(key, int(head["ContentLength"]), head["ETag"]) as stream:
                found, length, beginning = hash_stream(stream)
        incoming = S3Incoming(self, key, head["ETag"], found, length, beginning)
        try:
            check(length, found, size, sha256)
        except Invalid:
            # The parts are one object now and can't be mended one by one.
            incoming.discard()
            raise
        yield incoming

    def abort(self, handle: str) -> None:
        key, upload_id = handle.split(" ", 1)
        with suppress(FileNotFoundError), said():
            if upload_id:
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)
        with said():
            self.client.delete_object(Bucket=self.bucket, Key=key)

    def _parts(self, key: str, upload_id: str) -> dict[int, tuple[int, str]]:
        found: dict[int, tuple[int, str]] = {}
        with said():
            pages = self.client.get_paginator("list_parts").paginate(Bucket=self.bucket, Key=key, UploadId=upload_id)
            for page in pages:
                found.update({part["PartNumber"]: (part["Size"], part["ETag"]) for part in page.get("Parts", [])})
        return found

    def _listed(self, prefix: str, older_than_s: float) -> Iterator[Any]:
        before = datetime.now(UTC) - timedelta(seconds=older_than_s)
        with said():
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Contents", []):
                    if item["LastModified"] < before:
                        yield item

    def _fresh_key(self) -> str:
        return f"{self.prefix}tmp/{int(time.time())}-{secrets.token_hex(16)}"

    def _stream(self, key: str, size: int, etag: str = "") -> BinaryIO:
        return cast(BinaryIO, io.BufferedReader(S3Stream(self, key, size, etag), 256 * 1024))


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


class _Multipart:
    """Writes one object of unknown length: two parts travel while the next one fills; one that fits a part goes as it is."""

    def __init__(self, store: S3Store, key: str, part_size: int) -> None:
        self._store, self._key, self._part_size = store, key, part_size
        self._buffer = bytearray()
        self._upload_id = ""
        self._sent: list[Future[str]] = []
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="s3-part")
        self._finished = False

    def __enter__(self) -> _Multipart:
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
            answer = store.client.complete_multipart_upload(
                Bucket=store.bucket, Key=self._key, UploadId=self._upload_id, MultipartUpload={"Parts": parts}
            )
        self._finished = True
        return str(answer["ETag"])


def _client(endpoint: str | None, region: str | None) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region or "us-east-1",
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if endpoint else "auto"},
            retries={"max_attempts": 5, "mode": "standard"},
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=32,
            # Checksums of our own cover more; not every server knows these.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _no_upload() -> NotFound:
    return NotFound("This upload was completed, given up, or has expired.")
