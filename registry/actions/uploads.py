"""Uploads in parts: begun, written in any order and again, completed once. Also: which bytes a team holds already.

Nothing here is an event: bytes are governed from when a version takes them (`file.uploaded`).
"""

from __future__ import annotations

import time
import zlib
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.access import Actor, can, require
from accounts.errors import Conflict, Invalid, NotFound
from accounts.models import Team
from accounts.roles import Permission
from registry import blobs, storage
from registry.actions.common import person
from registry.claims import claimed
from registry.models import Artifact, Asset, Blob, File, Upload, UploadPart
from registry.storage.base import MAX_PARTS

MIB = 1 << 20
DEFAULT_PART = 16 * MIB
MAX_PART = 4096 * MIB
LIFETIME = timedelta(hours=24)
MAX_OPEN = 1_000
PATIENCE_S = 10.0  # of whoever asks for a completion that is under way
_SALT = "upload-part"


def begin(*, team: Team, size: int, sha256: str | None = None, part_size: int | None = None, by: Actor) -> Upload:
    """A new upload of `size` bytes. Where the team holds bytes of this sha256 already, it is complete at once."""
    _may_upload(team, by)
    sha256 = _checked_hash(sha256) if sha256 else ""
    if size < 0:
        raise Invalid("size", "Use the number of bytes.")
    if size > settings.MAX_FILE_BYTES:
        raise storage.too_large(settings.MAX_FILE_BYTES)
    part_size = _part_size(size, part_size)
    expires = timezone.now() + LIFETIME
    upload = Upload(team=team, size=size, part_size=part_size, sha256=sha256, created_by=person(by), expires_at=expires)
    if sha256:
        with transaction.atomic():
            blob = held(team=team, sha256=sha256, by=by)
            if blob is not None:
                if blob.size != size:
                    raise Invalid("size", f"The bytes with this SHA-256 are {blob.size}, not {size}.")
                upload.blob, upload.state = blob, Upload.State.COMPLETE
                upload.save(force_insert=True)
                return upload
    if Upload.objects.filter(created_by=person(by), state=Upload.State.OPEN).count() >= MAX_OPEN:
        raise Conflict(f"You have {MAX_OPEN} uploads open. Complete or give up some of them.", code="too_many_uploads")
    store = storage.store()
    upload.handle = store.begin(size)
    try:
        upload.save(force_insert=True)
    except BaseException:
        store.abort(upload.handle)
        raise
    return upload


def get_upload(by: Actor, upload_id: str) -> Upload:
    """An upload of the actor's own; anybody else's is not found."""
    upload = (
        Upload.objects.select_related("team")
        .filter(pk=upload_id, created_by=by.user, expires_at__gt=timezone.now())
        .first()
    )
    if upload is None or (by.key and by.key.team_id not in (None, upload.team_id)):
        raise NotFound("There is no upload of yours with this id. It may have expired: begin it again.")
    _may_upload(upload.team, by)
    return upload


def signed_upload(upload_id: str, number: int, signature: str) -> Upload:
    """The upload whose part this address (of `part_address`) opens to whoever has it."""
    upload = Upload.objects.filter(pk=upload_id, expires_at__gt=timezone.now()).first()
    if upload is None or not constant_time_compare(signature, _signature(upload, number)):
        raise NotFound("This address opens no upload. It may have expired: begin it again.")
    return upload


def put_part(
    *, upload: Upload, number: int, stream: storage.Readable, size: int | None = None, sha256: str | None = None
) -> None:
    """Store one part, numbered from 1; the same one again replaces it. `size`: what the client announced, `sha256`: of the part."""
    try:
        upload.refresh_from_db(fields=["state", "handle"])
    except Upload.DoesNotExist:
        raise _given_up() from None
    _check_open(upload)
    offset, wanted = _part(upload, number)
    if size is not None and size != wanted:
        raise Invalid(
            "file", f"Part {number} has {wanted} bytes in this upload; {size} were announced.", code="size_mismatch"
        )
    if sha256:
        sha256 = _checked_hash(sha256, "X-Content-SHA256")
    # Not there while it is written: if this breaks off, what lies at its place is nothing.
    UploadPart.objects.filter(upload=upload, number=number).delete()
    storage.store().put_part(upload.handle, number, stream, offset=offset, size=wanted, sha256=sha256)
    now = timezone.now()
    with transaction.atomic():
        found = Upload.objects.select_for_update().filter(pk=upload.pk).first()
        if found is None:
            raise _given_up()
        _check_open(found)
        UploadPart.objects.update_or_create(upload=found, number=number, defaults={"size": wanted, "received_at": now})
        if found.expires_at < now + LIFETIME - timedelta(minutes=5):
            found.expires_at = now + LIFETIME
            found.save(update_fields=["expires_at"])


def parts_there(upload: Upload) -> dict[int, int]:
    """Size by number of the parts that arrived whole."""
    whole = {number: upload.part(number)[1] for number in range(1, upload.part_count + 1)}
    if upload.is_complete:
        return whole
    found = storage.store().parts(upload.handle, whole)
    return dict(upload.parts.values_list("number", "size")) if found is None else found


def part_address(upload: Upload, number: int) -> str:
    """Where this part is put, without a key: in the bucket, or here with a signature. The address is as good as the permission."""
    _, size = _part(upload, number)
    valid_s = max(60, int((upload.expires_at - timezone.now()).total_seconds()))
    direct = storage.store().part_address(upload.handle, number, size=size, valid_s=valid_s)
    return (
        direct
        or f"{settings.SITE_URL}/api/v1/uploads/{upload.pk}/parts/{number}?signature={_signature(upload, number)}"
    )


def complete(*, upload: Upload) -> Blob:
    """Put the parts together, hash the whole once and give it its name. Twice is once: whoever asks while somebody is at it waits
    for that a while, and is told (409 `part_in_flight`) to ask again. So a request that was cut off costs nothing."""
    until = time.monotonic() + PATIENCE_S
    while True:
        with claimed("complete", zlib.crc32(upload.pk.encode())) as mine:
            found = Upload.objects.filter(pk=upload.pk).select_related("blob").first()
            if found is None:
                raise NotFound("This upload was given up, or has expired.")
            if found.blob is not None:
                return found.blob
            if mine:
                _check_parts(found)
                try:
                    return _put_together(upload, found)
                except Invalid:
                    if not storage.store().mendable:
                        _start_over(found)
                    raise
        if time.monotonic() >= until:
            raise Conflict(
                "The upload is being put together and hashed. Ask again: nothing is done twice.", code="part_in_flight"
            )
        time.sleep(0.25)


def _start_over(upload: Upload) -> None:
    """An upload that turned out wrong begins anew under its id, where its parts can't be put again one by one."""
    with transaction.atomic():
        row = Upload.objects.select_for_update(of=("self",)).filter(pk=upload.pk, handle=upload.handle).first()
        if row is not None and not row.is_complete:
            row.handle = storage.store().begin(row.size)
            row.save(update_fields=["handle"])
            row.parts.all().delete()


def _put_together(upload: Upload, found: Upload) -> Blob:
    with storage.store().collect(found.handle, size=found.size, sha256=found.sha256) as incoming, transaction.atomic():
        row = Upload.objects.select_for_update(of=("self",)).filter(pk=upload.pk).first()
        if row is None:
            incoming.discard()
            raise _given_up()
        if row.blob is not None:
            return row.blob
        row.blob = blobs.claim(incoming)
        row.state, row.expires_at = Upload.State.COMPLETE, timezone.now() + LIFETIME
        row.save(update_fields=["blob", "state", "expires_at"])
        row.parts.all().delete()
    incoming.discard()
    upload.blob, upload.state, upload.expires_at = row.blob, row.state, row.expires_at
    return row.blob


def give_up(*, upload: Upload) -> None:
    """Forget an upload and its bytes, unless something else holds them. Twice is once."""
    with transaction.atomic():
        row = Upload.objects.select_for_update().filter(pk=upload.pk).first()
        if row is None:
            return
        handle, sha256 = row.handle if not row.is_complete else "", row.blob_id
        row.delete()
        if sha256:
            blobs.release_after_commit(sha256)
        if handle:
            transaction.on_commit(lambda: storage.store().abort(handle), robust=True)


def holds(team: Team, sha256: str, *, by: Actor, asset: Asset | None = None) -> bool:
    """Has the team these bytes, where this actor may have them? See `held`."""
    sha256 = sha256.lower()
    return _holders(team, sha256, by, asset) and blobs.is_whole(sha256)


def held(*, team: Team, sha256: str, by: Actor, asset: Asset | None = None) -> Blob | None:
    """The bytes of this hash, if the team has them where the actor may have them: in a version or an artifact of its own that the
    actor sees and may download, or in an upload of the actor's that is complete. `asset`: where they will go; its own count even
    where its downloads are recorded. Held until the transaction ends. A hash of anybody else's bytes is as good as none."""
    sha256 = sha256.lower()
    if not _holders(team, sha256, by, asset):
        return None
    found = blobs.hold(sha256)
    # Damaged or lost bytes are to be sent again: that mends them.
    return found if found and blobs.is_whole(sha256) else None


def _holders(team: Team, sha256: str, by: Actor, asset: Asset | None) -> bool:
    if Upload.objects.filter(team=team, blob_id=sha256, created_by=by.user, expires_at__gt=timezone.now()).exists():
        return True
    # Bytes of a restricted asset leave it with an event each time: nobody takes them out by naming them.
    open_to_all = Q(restricted=False) | Q(pk=asset.pk) if asset else Q(restricted=False)
    seen = Asset.objects.visible_to(by).filter(open_to_all, team=team)
    gated = Asset.objects.visible_to(by, Permission.FILE_DOWNLOAD).filter(team=team)
    files = File.objects.filter(blob_id=sha256, version__deleted_at=None, version__asset__in=seen)
    if files.filter(Q(version__asset__gated=False) | Q(version__asset__in=gated)).exists():
        return True
    return can(by, Permission.TEAM_VIEW, team) and Artifact.objects.filter(team=team, blob_id=sha256).exists()


def _may_upload(team: Team, by: Actor) -> None:
    """Whoever may change something in the team, be it one asset, may bring bytes."""
    if any(
        can(by, permission, team)
        for permission in (Permission.ASSET_EDIT, Permission.ASSET_CREATE, Permission.RUN_CREATE)
    ):
        return
    if not Asset.objects.visible_to(by, Permission.ASSET_EDIT).filter(team=team).exists():
        require(by, Permission.ASSET_EDIT, team)


def _part_size(size: int, asked: int | None) -> int:
    least = max(storage.store().min_part, -(-size // MAX_PARTS))
    if asked is None:
        return max(DEFAULT_PART, -(-least // MIB) * MIB)
    if not 1 <= asked <= MAX_PART:
        raise Invalid("part_size", f"Use a number of bytes from 1 to {MAX_PART}.")
    if asked < least and asked < size:
        raise Invalid(
            "part_size",
            f"A file of {size} bytes takes parts of at least {least} bytes here ({MAX_PARTS} parts at most).",
        )
    return asked


def _part(upload: Upload, number: int) -> tuple[int, int]:
    if not 1 <= number <= upload.part_count:
        raise Invalid("part", f"This upload has the parts 1 to {upload.part_count}.", code="no_such_part")
    return upload.part(number)


def _given_up() -> NotFound:
    return NotFound("This upload was given up meanwhile.")


def _check_open(upload: Upload) -> None:
    if upload.is_complete:
        raise Conflict("This upload is complete: its bytes don't change any more.", code="upload_complete")


def _check_parts(upload: Upload) -> None:
    there = parts_there(upload)
    missing = [number for number in range(1, upload.part_count + 1) if there.get(number) != upload.part(number)[1]]
    if missing:
        some = ", ".join(str(number) for number in missing[:10]) + (" and more" if len(missing) > 10 else "")
        raise Conflict(f"{len(missing)} of {upload.part_count} parts are not there yet: {some}.", code="parts_missing")


def _checked_hash(text: str, field: str = "sha256") -> str:
    if len(text) != 64 or any(character not in "0123456789abcdefABCDEF" for character in text):
        raise Invalid(field, "Use the SHA-256 as 64 hexadecimal digits.")
    return text.lower()


def _signature(upload: Upload, number: int) -> str:
    return signing.Signer(salt=_SALT).signature(f"{upload.pk}:{number}")
