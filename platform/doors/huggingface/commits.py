"""Uploads, first and last step: how each file should be sent, and the commit that takes them all."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from accounts.access import require
from accounts.authentication import actor_of
from accounts.errors import Invalid, TooLarge
from accounts.roles import Permission
from doors.huggingface import signature_file
from doors.huggingface.door import answer, door, json_of, text_of
from doors.huggingface.lfs import holds_for
from doors.huggingface.repos import address, branch_of, repo_of
from registry import actions, paths, revisions, storage
from registry.actions.commits import Add, Delete, DeleteFolder, Operation
from registry.gitoids import is_large, oids_of
from registry.models import Asset, Version
from registry.revisions import Revision
from registry.signing import SIGNATURE_FILE

MAX_FILES = 1000  # of one preupload
MAX_OPERATIONS = 25_000
# A file in a commit's own body is base64 in one line of JSON. What is larger goes the way of large files.
MAX_LINE = 24 * 1024**2


@door("POST")
def preupload(request: HttpRequest, kind: str, team: str, name: str, revision: str) -> HttpResponse:
    """For each file: 'regular' (its bytes in the commit) or 'lfs' (sent beforehand), and what is there under its path now."""
    asset = repo_of(request, kind, team, name)
    require(actor_of(request), Permission.ASSET_EDIT, asset)
    body = json_of(request)
    rows = body.get("files")
    if not isinstance(rows, list) or len(rows) > MAX_FILES or not all(isinstance(row, dict) for row in rows):
        raise Invalid("files", f"'files' is a list of at most {MAX_FILES} objects.")
    wanted = [_file(row) for row in rows]
    _refuse_pull_request(request)
    head = revisions.head_of(asset, branch_of(asset, revision))
    there = (
        dict(head.files.filter(path__in=[path for path, _ in wanted]).values_list("path", "blob_id")) if head else {}
    )
    small = oids_of({there[path] for path, size in wanted if path in there and not is_large(path, size)})
    return answer({"files": [_advice(path, size, there.get(path), small) for path, size in wanted]})


def _file(row: dict[str, Any]) -> tuple[str, int]:
    size = row.get("size", 0)
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise Invalid("files", "'size' is a number of bytes.")
    return paths.check_path(text_of(row, "path")), size


def _advice(path: str, size: int, sha256: str | None, small: dict[str, str]) -> dict[str, Any]:
    large = is_large(path, size)
    oid = None if sha256 is None else sha256 if large else small.get(sha256)
    return {"path": path, "shouldIgnore": False, "uploadMode": "lfs" if large else "regular", "oid": oid}


@door("POST")
def commit(request: HttpRequest, kind: str, team: str, name: str, revision: str) -> HttpResponse:
    """Lines of JSON: a header, then files, pointers to large files, and deletions. One version comes of them, or nothing."""
    asset, by = repo_of(request, kind, team, name), actor_of(request)
    require(by, Permission.ASSET_EDIT, asset)
    _refuse_pull_request(request)
    branch = branch_of(asset, revision)
    with ExitStack() as stack:
        header, operations = _read(request, stack)
        operations = _without_signature(operations, revisions.head_of(asset, branch))
        version = (
            actions.commit(
                asset=asset,
                branch=branch,
                operations=operations,
                parent_commit=text_of(header, "parentCommit", default="", limit=40) or None,
                message=text_of(header, "summary", default=""),
                description=text_of(header, "description", default="", limit=20_000),
                holds=holds_for(asset, by),
                by=by,
            )
            if operations
            else revisions.head_of(asset, branch)
        )
    return answer(_done(request, asset, version))


def _without_signature(operations: list[Operation], head: Version | None) -> list[Operation]:
    """The signature that the head shows as a file is not its own: a client that mirrors the folder neither brings it nor takes it
    away."""
    if not any(one.path == SIGNATURE_FILE for one in operations):
        return operations
    if (content := signature_file.content_of(head)) is None:
        return operations
    ours = hashlib.sha256(content).hexdigest()
    return [
        one
        for one in operations
        if one.path != SIGNATURE_FILE or not (isinstance(one, Delete) or (isinstance(one, Add) and one.sha256 == ours))
    ]


def _done(request: HttpRequest, asset: Asset, version: Version | None) -> dict[str, Any]:
    oid = Revision(asset, "", version).commit
    return {"success": True, "commitOid": oid, "commitUrl": f"{address(request, asset)}/commit/{oid}", "hookOutput": ""}


def _refuse_pull_request(request: HttpRequest) -> None:
    if request.GET.get("create_pr", "").lower() in ("1", "true"):
        raise Invalid(
            "create_pr", "There are no pull requests here: commit to a branch, and ask for its version to be approved."
        )


def _read(request: HttpRequest, stack: ExitStack) -> tuple[dict[str, Any], list[Operation]]:
    """The header and the operations. Bytes that come along are received on the way; `stack` forgets those that stay unused."""
    header: dict[str, Any] = {}
    operations: list[Operation] = []
    for number, line in enumerate(_lines(request), 1):
        key, value = _parsed(line, number)
        if key == "header":
            header = value
        elif key == "file":
            operations.append(_received(value, stack))
        elif key == "lfsFile":
            operations.append(_pointed(value))
        elif key == "deletedFile":
            operations.append(Delete(text_of(value, "path")))
        elif key == "deletedFolder":
            operations.append(DeleteFolder(text_of(value, "path").rstrip("/")))
        else:
            raise Invalid("body", f"Line {number}: '{key[:50]}' is no operation that this door knows.")
        if len(operations) > MAX_OPERATIONS:
            raise Invalid("body", f"A commit takes at most {MAX_OPERATIONS} operations.")
    if not header:
        raise Invalid("body", "The commit has no header. Was the body cut off?")
    return header, operations


def _lines(request: HttpRequest) -> Iterator[bytes]:
    """The body line by line: never more than one in memory, and none without an end. Cut here: servers differ in `readline`."""
    total, rest = 0, bytearray()
    while block := request.read(1 << 18):
        total += len(block)
        *whole, end = (bytes(rest) + block).split(b"\n") if b"\n" in block else (None,)
        if end is None:
            rest += block
        else:
            yield from (line for line in whole if line and line.strip())
            rest = bytearray(end)
        if len(rest) > MAX_LINE or total > settings.MAX_COMMIT_BYTES:
            raise TooLarge(
                f"A commit's body has at most {settings.MAX_COMMIT_BYTES} bytes, {MAX_LINE} in a line. Larger files go as LFS: "
                "leave the mode to what preupload says."
            )
    # A client that vanishes looks like one that has said all: broken off behind a line, half the files would be a commit.
    if total < int(request.META.get("CONTENT_LENGTH") or 0):
        raise Invalid(
            "body", "The commit broke off: fewer bytes came than its Content-Length announced. Send it again."
        )
    if rest.strip():
        yield bytes(rest)


def _parsed(line: bytes, number: int) -> tuple[str, dict[str, Any]]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("key"), str) or not isinstance(found.get("value"), dict):
        raise Invalid("body", f'Line {number} is not of the form {{"key": …, "value": {{…}}}}. Was the body cut off?')
    return found["key"], found["value"]


def _received(value: dict[str, Any], stack: ExitStack) -> Add:
    path = paths.check_path(text_of(value, "path"))
    content = value.get("content")
    if not isinstance(content, str):
        raise Invalid("files", f"'{path}' comes without content.")
    encoding = text_of(value, "encoding", default="utf-8")
    try:
        raw = base64.b64decode(content, validate=True) if encoding == "base64" else content.encode()
    except (binascii.Error, ValueError):
        raise Invalid("files", f"The content of '{path}' is not base64.") from None
    incoming = storage.receive(io.BytesIO(raw), limit=settings.MAX_FILE_BYTES)
    stack.callback(incoming.discard)
    return Add(path, incoming.sha256, incoming)


def _pointed(value: dict[str, Any]) -> Add:
    path = paths.check_path(text_of(value, "path"))
    oid = text_of(value, "oid").lower()
    if (
        text_of(value, "algo", default="sha256") != "sha256"
        or len(oid) != 64
        or not all(c in "0123456789abcdef" for c in oid)
    ):
        raise Invalid("files", f"'{path}': a large file is named by its SHA-256, 64 hexadecimal digits.")
    return Add(path, oid)
