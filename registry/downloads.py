"""Answering with a file's bytes: whole or a range of them, by the rules of RFC 9110."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified, StreamingHttpResponse
from django.utils.http import parse_etags

from accounts.errors import NotFound
from registry import storage

_BLOCK = 1 << 20
_ALONE_FROM = 4 << 20  # bytes from which a second connection is worth it
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
# Shown in the browser as text; everything else is offered for saving and never interpreted.
_TEXTS = frozenset({".json", ".jsonl", ".csv", ".md", ".txt", ".yaml", ".yml", ".jinja", ".toml"})


def file_response(request: HttpRequest, *, sha256: str, size: int, path: str) -> HttpResponseBase:
    """The file for GET or HEAD. One range is served as such; several at once are answered with the whole file."""
    etag = f'"sha256:{sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "X-Content-SHA256": sha256,
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": disposition(path),
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, no-cache",
    }
    if _matches(request.headers.get("If-None-Match", ""), etag):
        return HttpResponseNotModified(headers={name: headers[name] for name in ("ETag", "Cache-Control")})
    span = _span(request, etag, size)
    if span == "unsatisfiable":
        return HttpResponse(status=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    start, end = span if isinstance(span, tuple) else (0, size - 1)
    status = 200
    if isinstance(span, tuple):
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    headers["Content-Length"] = str(end - start + 1)
    content_type = content_type_of(path)
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers, content_type=content_type)
    if end - start >= _ALONE_FROM and (
        address := storage.store().address(sha256, disposition=disposition(path), content_type=content_type)
    ):
        # The client fetches them from the bucket by itself, with the same Range.
        alone = {name: headers[name] for name in ("ETag", "Accept-Ranges", "X-Content-SHA256")}
        return HttpResponse(status=302, headers={**alone, "Location": address, "Cache-Control": "no-store"})
    try:
        stream = storage.open_blob(sha256)
    except FileNotFoundError:
        raise NotFound(f"The bytes of '{path}' are not in the storage any more.") from None
    response = StreamingHttpResponse(
        _blocks(stream, start, end - start + 1), status=status, headers=headers, content_type=content_type
    )
    response._resource_closers.append(stream.close)  # type: ignore[attr-defined]
    # A client may take hours over it: config.patience lets the connection go meanwhile.
    response.needs_no_database = True  # type: ignore[attr-defined]
    return response


def sends_bytes(response: HttpResponseBase) -> bool:
    """Whether this answer of `file_response` carries (some of) the file, or says where it is: not for HEAD, 304 or 416."""
    return isinstance(response, StreamingHttpResponse) or response.status_code == 302


def content_type_of(path: str) -> str:
    """Plain text is plain text; all else is bytes, so that no browser runs what somebody uploaded."""
    return "text/plain; charset=utf-8" if PurePosixPath(path).suffix.lower() in _TEXTS else "application/octet-stream"


def disposition(path: str) -> str:
    """`attachment` with the file's own name, in ASCII and (RFC 8187) in full."""
    name = PurePosixPath(path).name
    plain = re.sub(r'[^\x20-\x7e]|["\\%;]', "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _matches(header: str, etag: str) -> bool:
    if not header:
        return False
    return header.strip() == "*" or any(given.removeprefix("W/") == etag for given in parse_etags(header))


def _span(request: HttpRequest, etag: str, size: int) -> tuple[int, int] | str | None:
    """First and last byte asked for; None for the whole file; 'unsatisfiable' when there is no such byte."""
    condition = request.headers.get("If-Range", "")
    match = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if match is None or (condition and condition.strip() != etag):
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        start, end = max(0, size - int(last)), size - 1
        return (start, end) if int(last) and size else "unsatisfiable"
    start, end = int(first), int(last) if last else size - 1
    if last and end < start:
        return None
    return (start, min(end, size - 1)) if start < size else "unsatisfiable"


def _blocks(stream: BinaryIO, start: int, length: int) -> Iterator[bytes]:
    stream.seek(start)
    while length > 0 and (block := stream.read(min(_BLOCK, length))):
        length -= len(block)
        yield block
