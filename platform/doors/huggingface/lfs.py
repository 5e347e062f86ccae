"""Large files, sent before the commit that names them: the Git LFS batch, and addresses that are signed instead of a key."""

from __future__ import annotations

from typing import Any, cast

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.access import Actor, require
from accounts.authentication import actor_of
from accounts.errors import Invalid, NotFound, Problem
from accounts.roles import Permission
from doors.huggingface.door import answer, by_method, door, json_of, text_of
from doors.huggingface.repos import base, prefix_of, repo_of, require_files
from registry.actions import uploads
from registry.actions.commits import Holds
from registry.models import Asset, File, Upload
from registry.storage import Readable

MAX_OBJECTS = 1000
_SALT = "hf-lfs"
_TYPE = "application/vnd.git-lfs+json"
_LIFETIME_S = 24 * 3600
# Up to here a file goes in one request; above, in parts, which the client sends one after the other and again on its own.
ONE_PIECE = 256 * 1024**2
PART = 64 * 1024**2


def holds_for(asset: Asset, by: Actor) -> Holds:
    """Whether bytes may be used by their hash alone: the team has them where this caller may have them."""
    return lambda sha256: uploads.holds(asset.team, sha256, by=by, asset=asset)


@door("POST")
def batch(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    """Where to send each object (upload), or where to get it (download). What the team holds already needs no sending."""
    asset, by = repo_of(request, kind, team, name), actor_of(request)
    body = json_of(request)
    operation = text_of(body, "operation", default="upload")
    if operation not in ("upload", "download"):
        raise Invalid("operation", "'operation' is 'upload' or 'download'.")
    if text_of(body, "hash_algo", default="sha256") != "sha256":
        raise Invalid("hash_algo", "Objects are named by their SHA-256 here.")
    rows = body.get("objects")
    if not isinstance(rows, list) or len(rows) > MAX_OBJECTS:
        raise Invalid("objects", f"'objects' is a list of at most {MAX_OBJECTS}.")
    objects = [_object(row) for row in rows]
    if operation == "upload":
        require(by, Permission.ASSET_EDIT, asset)
        multipart = "multipart" in (body.get("transfers") or [])
        found = [_to_send(request, asset, oid, size, multipart, by) for oid, size in objects]
    else:
        require_files(by, asset)
        found = [_to_get(request, asset, oid, size) for oid, size in objects]
    transfer = "multipart" if any("chunk_size" in _header(row) for row in found) else "basic"
    response = answer({"transfer": transfer, "objects": found, "hash_algo": "sha256"})
    response["Content-Type"] = _TYPE
    return response


def _object(row: Any) -> tuple[str, int]:
    oid, size = (row.get("oid"), row.get("size")) if isinstance(row, dict) else (None, None)
    if not isinstance(oid, str) or len(oid) != 64 or not set(oid.lower()) <= set("0123456789abcdef"):
        raise Invalid("objects", "'oid' is a SHA-256 of 64 hexadecimal digits.")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise Invalid("objects", "'size' is a number of bytes.")
    return oid.lower(), size


def _header(row: dict[str, Any]) -> dict[str, str]:
    return cast(dict[str, str], row.get("actions", {}).get("upload", {}).get("header", {}))


def _to_send(request: HttpRequest, asset: Asset, oid: str, size: int, multipart: bool, by: Actor) -> dict[str, Any]:
    found: dict[str, Any] = {"oid": oid, "size": size, "authenticated": True}
    if uploads.holds(asset.team, oid, by=by, asset=asset):
        return found
    in_parts = multipart and size > ONE_PIECE
    try:
        upload = uploads.begin(
            team=asset.team, size=size, sha256=oid, part_size=PART if in_parts else max(size, 1), by=by
        )
    except Problem as error:
        return found | {"error": {"code": error.status, "message": error.detail}}
    if upload.is_complete:
        return found
    root = f"{base(request)}/lfs/{upload.pk}"
    header: dict[str, str] = {}
    if in_parts:
        header["chunk_size"] = str(upload.part_size)
        for number in range(1, upload.part_count + 1):
            header[str(number)] = f"{root}/{number}?signature={_signature(upload, number)}"
    verify = f"{base(request)}/{prefix_of(asset.kind)}{asset}.git/info/lfs/verify"
    return found | {
        "actions": {
            "upload": {
                "href": f"{root}/{0 if in_parts else 1}?signature={_signature(upload, 0 if in_parts else 1)}",
                "header": header,
                "expires_in": _LIFETIME_S,
            },
            "verify": {"href": verify, "header": {}},
        }
    }


def _to_get(request: HttpRequest, asset: Asset, oid: str, size: int) -> dict[str, Any]:
    found: dict[str, Any] = {"oid": oid, "size": size, "authenticated": True}
    file = (
        File.objects.filter(version__asset=asset, version__deleted_at=None, version__state="registered", blob_id=oid)
        .select_related("version")
        .first()
    )
    if file is None:
        return found | {"error": {"code": 404, "message": f"{asset} holds no such object."}}
    href = f"{base(request)}/{prefix_of(asset.kind)}{asset}/resolve/{file.version.commit}/{file.path}"
    # Git LFS sends no key of its own to an address that it was given: the one that asked is repeated.
    header = {"Authorization": request.headers.get("Authorization", "")}
    return found | {"actions": {"download": {"href": href, "header": header}}}


@door("POST")
def verify(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    """After an upload: did it arrive whole?"""
    asset, by = repo_of(request, kind, team, name), actor_of(request)
    require(by, Permission.ASSET_EDIT, asset)
    oid, _ = _object(json_of(request))
    if not uploads.holds(asset.team, oid, by=by, asset=asset):
        raise NotFound(f"The object {oid} did not arrive. Send it again.")
    return answer({})


def _signature(upload: Upload, number: int) -> str:
    """Bound to the upload, which is one person's, team's, size's and hash's, and to the part; the upload itself expires."""
    return signing.Signer(salt=_SALT).signature(f"{upload.pk}:{number}:{upload.sha256}:{upload.size}")


def _signed(request: HttpRequest, upload_id: str, number: int) -> Upload:
    upload = Upload.objects.filter(pk=upload_id, expires_at__gt=timezone.now()).first()
    given = request.GET.get("signature", "")
    if upload is None or not constant_time_compare(given, _signature(upload, number)):
        raise NotFound("This address opens no upload. It may have expired: ask for the batch again.")
    return upload


@door("PUT", public=True)
def put(request: HttpRequest, upload_id: str, number: int) -> HttpResponse:
    """The bytes of a file or of one of its parts. The address is signed; no key is sent."""
    upload = _signed(request, upload_id, number)
    if not upload.is_complete:
        length = request.META.get("CONTENT_LENGTH") or ""
        size = int(length) if length.isdecimal() and len(length) < 16 else None
        uploads.put_part(upload=upload, number=number, stream=cast(Readable, request), size=size)
        if upload.part_count == 1:
            _complete(upload)
    return answer({}, headers={"ETag": f'"{upload.sha256}-{number}"'})


@door("POST", public=True)
def complete(request: HttpRequest, upload_id: str, number: int) -> HttpResponse:
    """All parts were sent: put them together and compare the hash."""
    upload = _signed(request, upload_id, number)
    if number != 0:
        raise NotFound("Parts are PUT; the whole is completed at number 0.")
    _complete(upload)
    return answer({"success": True})


def _complete(upload: Upload) -> None:
    try:
        uploads.complete(upload=upload)
    except Invalid:
        uploads.give_up(upload=upload)  # other bytes than announced: nothing of them is kept
        raise


part = by_method(PUT=put, POST=complete)
