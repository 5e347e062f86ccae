"""Bytes in an S3-compatible bucket: PREFIX/blobs/<ab>/<sha256>, and PREFIX/tmp/ for what is on its way.

Nothing gets its name before it was hashed here, whoever brought it: a copy inside the bucket, bound to the ETag that was hashed.
"""

from __future__ import annotations

import io
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, ClassVar, cast
from urllib.parse import parse_qs, urlsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from accounts.errors import Invalid, NotFound, Unavailable
from registry.storage.base import (
    BLOCK,
    MAX_PARTS,
    Hasher,
    Incoming,
    Readable,
    check,
    hash_stream,
    too_large,
)
from registry.storage.s3_streams import MIB, Multipart, S3Stream, said

_PART = 16 * MIB
_ADDRESS_S = 900
# A copy inside the bucket takes up to 5 GiB at once.
_COPY = TransferConfig(multipart_threshold=4096 * MIB, multipart_chunksize=1024 * MIB)


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
        store, target = self.store, self.store.key(self.sha256)
        with said():
            store.client.copy(
                {"Bucket": store.bucket, "Key": self.key},
                store.bucket,
                target,
                ExtraArgs={"CopySourceIfMatch": self.etag},
                Config=_COPY,
            )
            # Not every server minds the condition (rclone copies whatever is there): what was copied is looked at again.
            if store.client.head_object(Bucket=store.bucket, Key=self.key)["ETag"] != self.etag:
                store.client.delete_object(Bucket=store.bucket, Key=target)
                raise Unavailable("The object changed in the storage after it was hashed. Send the file again.")

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
    by_length: ClassVar[bool] = False

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

    @property
    def direct(self) -> bool:
        return self.signer is not None

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
        with said(), Multipart(self, key, part_size) as target:
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
        for one in self._open_uploads():
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

    def part_address(self, handle: str, number: int, *, size: int | None, valid_s: int) -> str:
        if self.signer is None:
            return ""
        key, upload_id = handle.split(" ", 1)
        part = {"Bucket": self.bucket, "Key": key, "UploadId": upload_id, "PartNumber": number}
        if size is not None:
            part["ContentLength"] = size  # signed too: nobody puts more there than was announced
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
    def collect(self, handle: str, *, size: int | None, sha256: str) -> Iterator[Incoming]:
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

    def _open_uploads(self) -> list[Any]:
        # Where there never was one, rclone answers NoSuchUpload.
        with suppress(FileNotFoundError), said():
            pages = self.client.get_paginator("list_multipart_uploads")
            found = pages.paginate(Bucket=self.bucket, Prefix=f"{self.prefix}tmp/")
            return [one for page in found for one in page.get("Uploads", [])]
        return []

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
