"""Uploads by Xet, which clients with hf_xet installed take for every large file: their packs of chunks are received, and put
together to plain files as soon as the client says how. Downloads go without Xet: no answer of ours mentions it, so that no client asks."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import cast

from django.core import signing
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.access import Actor, require
from accounts.authentication import actor_of
from accounts.errors import Invalid, TooLarge, Unauthenticated
from accounts.middleware import address_of
from accounts.models import ApiKey
from accounts.networks import allows
from accounts.roles import Permission
from doors.huggingface.door import answer, door, failure
from doors.huggingface.repos import base, repo_of
from doors.huggingface.xet_formats import MAX_SHARD, MAX_XORB, Made, Pack, broken, files_of
from registry import storage
from registry.actions import uploads
from registry.models import Asset, Blob, Upload, Xorb
from registry.storage import Readable

_SALT = "hf-xet"
_TOKEN_S = 3600
# The client remembers what it sent to an address, and refers to it instead of sending it again. The address changes every day,
# and what was sent to it is kept a day longer.
_KEPT = timedelta(hours=48)


@door("GET")
def write_token(request: HttpRequest, kind: str, team: str, name: str, revision: str) -> HttpResponse:
    """Where to send packs, and a token for it that is good for an hour, for this repository and this key."""
    asset, by = repo_of(request, kind, team, name), actor_of(request)
    require(by, Permission.ASSET_EDIT, asset)
    assert by.key is not None
    token = signing.dumps({"key": by.key.pk, "asset": asset.pk}, salt=_SALT)
    place = hashlib.sha256(f"{asset.team_id}:{by.id}:{timezone.now():%Y-%m-%d}".encode()).hexdigest()[:16]
    where, until = f"{base(request)}/xet/{place}", int(time.time()) + _TOKEN_S
    headers = {"X-Xet-Cas-Url": where, "X-Xet-Access-Token": token, "X-Xet-Token-Expiration": str(until)}
    return answer({"casUrl": where, "accessToken": token, "exp": until}, headers=headers)


def _opened(request: HttpRequest) -> tuple[Actor, Asset]:
    """Who the token was given to, if their key still works, and the repository that they may still write to."""
    _, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        given = signing.loads(token, salt=_SALT, max_age=_TOKEN_S + 60)
    except signing.BadSignature:
        given = {}
    row = ApiKey.objects.select_related("user", "team").annotate(now=Now()).filter(pk=given.get("key")).first()
    address = address_of(request)
    if row is None or row.state(row.now) != "active" or not row.user.is_active or not allows(row.networks, address):
        raise Unauthenticated("The token for this upload is not valid any more.")
    by = Actor(row.user, key=row, via="api", address=address, request_id=getattr(request, "request_id", ""))
    request.actor = by  # type: ignore[attr-defined]
    asset = Asset.objects.visible_to(by).select_related("team").filter(pk=given.get("asset")).first()
    if asset is None:
        raise Unauthenticated("The repository of this token is not there any more.")
    require(by, Permission.ASSET_EDIT, asset)
    return by, asset


@door("POST", keyless=True)
def put_xorb(request: HttpRequest, place: str, prefix: str, xorb: str) -> HttpResponse:
    """One pack of chunks."""
    by, asset = _opened(request)
    xorb = xorb.lower()
    if len(xorb) != 64 or not set(xorb) <= set("0123456789abcdef"):
        raise Invalid("hash", "A pack is named by 64 hexadecimal digits.")
    if _stored(asset, xorb, by) is not None:
        return answer({"was_inserted": False})
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isdecimal() or len(length) > 12:
        raise Invalid("Content-Length", "Send Content-Length.")
    if not 0 < int(length) <= MAX_XORB:
        raise TooLarge(f"A pack has at most {MAX_XORB} bytes.")
    upload = uploads.begin(team=asset.team, size=int(length), part_size=int(length), by=by)
    try:
        uploads.put_part(upload=upload, number=1, stream=cast(Readable, request), size=int(length))
        uploads.complete(upload=upload)
    except BaseException:
        uploads.give_up(upload=upload)
        raise
    Upload.objects.filter(pk=upload.pk).update(expires_at=timezone.now() + _KEPT)
    Xorb.objects.create(upload=upload, hash=xorb)
    return answer({"was_inserted": True})


def _stored(asset: Asset, xorb: str, by: Actor) -> Blob | None:
    """The bytes of a pack that this person sent for this team; anybody else's is not there."""
    row = (
        Xorb.objects.filter(hash=xorb, upload__team=asset.team_id, upload__created_by=by.user)
        .filter(upload__expires_at__gt=timezone.now())
        .select_related("upload__blob")
        .first()
    )
    return row.upload.blob if row else None


@door("POST", keyless=True)
def put_shard(request: HttpRequest, place: str) -> HttpResponse:
    """Which chunks make which files. The files are put together here; each is the team's afterwards, by its SHA-256."""
    by, asset = _opened(request)
    body = request.read(MAX_SHARD + 1)
    if len(body) > MAX_SHARD:
        raise TooLarge(f"A shard has at most {MAX_SHARD} bytes.")
    for made in files_of(body):
        _put_together(made, asset, by)
    return answer({"result": 1})


def _put_together(made: Made, asset: Asset, by: Actor) -> None:
    if uploads.holds(asset.team, made.sha256, by=by, asset=asset):
        return
    upload = uploads.begin(team=asset.team, size=made.size, sha256=made.sha256, by=by)
    if upload.is_complete:
        return
    try:
        with ExitStack() as stack:
            stream = _Joined(_chunks(made, asset, by, stack))
            for number in range(1, upload.part_count + 1):
                uploads.put_part(upload=upload, number=number, stream=stream.next(upload.part(number)[1]))
        uploads.complete(upload=upload)
    except BaseException:
        uploads.give_up(upload=upload)
        raise


def _chunks(made: Made, asset: Asset, by: Actor, stack: ExitStack) -> Iterator[bytes]:
    packs: dict[str, Pack] = {}
    for segment in made.segments:
        pack = packs.get(segment.xorb)
        if pack is None:
            blob = _stored(asset, segment.xorb, by)
            if blob is None:
                raise Invalid(
                    "body",
                    "The shard names a pack that was not sent here. Upload the file again tomorrow, or with HF_HUB_DISABLE_XET=1.",
                )
            if len(packs) >= 8:  # open files are few; a pack that comes up again is opened again
                packs.clear()
                stack.pop_all().close()
            stream = stack.enter_context(storage.open_blob(blob.sha256))
            pack = packs[segment.xorb] = Pack(
                cast(io.BufferedReader, io.BufferedReader(cast(io.RawIOBase, stream), 1 << 18)), blob.size
            )
        size = 0
        for chunk in pack.chunks(segment.start, segment.end):
            size += len(chunk)
            yield chunk
        if size != segment.size:
            raise broken("a part of a file has another size than the shard says")


class _Joined:
    """Chunks as a stream that is read a part at a time."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest, self._left = chunks, b"", 0

    def next(self, size: int) -> _Joined:
        """The same stream, ending after so many bytes more."""
        self._left = size
        return self

    def read(self, size: int, /) -> bytes:
        parts: list[bytes] = []
        wanted = min(size, self._left)
        while wanted > 0:
            if not self._rest:
                self._rest = next(self._chunks, b"")
                if not self._rest:
                    break
            part, self._rest = self._rest[:wanted], self._rest[wanted:]
            parts.append(part)
            wanted -= len(part)
            self._left -= len(part)
        return b"".join(parts)


@door("GET", "POST", keyless=True)
def unspoken(request: HttpRequest, place: str, rest: str) -> HttpResponse:
    """The rest of Xet's protocol (what others sent before, newer ways to send): the client goes on without."""
    return failure(404, "This part of Xet is not spoken here.")
