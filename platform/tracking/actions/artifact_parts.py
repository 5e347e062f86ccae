"""Files of runs and logged models that clients put into the bucket by themselves, in parts of which nobody says how large they are.

What is on its way is known to the bucket and to whoever holds the signed id: what is never completed is swept a day later.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.utils import timezone

from accounts.access import Actor
from accounts.errors import Conflict, Invalid, NotFound
from registry import storage
from registry.models import Artifact
from registry.storage.base import MAX_PARTS
from tracking.actions.artifacts import Owner, check_owner, keep, kind_of
from tracking.actions.common import person

LIFETIME = timedelta(hours=24)
_SALT = "artifact-parts"


def takes_parts() -> bool:
    """Can files go up in parts here? A folder has to know their lengths first."""
    store = storage.store()
    return store.direct and not store.by_length


def begin_artifact_parts(*, owner: Owner, path: str, parts: int, by: Actor) -> tuple[str, list[str]]:
    """An id for `complete_artifact_parts`, and where each part is put, from the first."""
    check_owner(owner, path, by)
    if not takes_parts():
        raise Conflict("Files go up whole here.", code="no_parts")
    if not 1 <= parts <= MAX_PARTS:
        raise Invalid("num_parts", f"Use a number of parts from 1 to {MAX_PARTS}.")
    store = storage.store()
    handle = store.begin(1)
    valid_s = int(LIFETIME.total_seconds())
    addresses = [store.part_address(handle, number, size=None, valid_s=valid_s) for number in range(1, parts + 1)]
    told = {**_what(owner, path, by), "handle": handle, "begun": timezone.now().isoformat()}
    return signing.dumps(told, salt=_SALT), addresses


def complete_artifact_parts(*, owner: Owner, path: str, upload_id: str, numbers: list[int], by: Actor) -> Artifact:
    """Put these parts together, hash the whole, and keep it under its path. Twice is once."""
    check_owner(owner, path, by)
    told = _told(owner, path, upload_id, by)
    store, handle = storage.store(), str(told["handle"])
    there = store.parts(handle, {}) or {}
    if there:
        if sorted(there) != sorted(numbers) or sorted(there) != list(range(1, len(there) + 1)):
            raise Conflict(
                f"{len(there)} parts are there, and {len(numbers)} were named. Send the missing ones, or begin again.",
                code="parts_missing",
            )
        if sum(there.values()) > settings.MAX_FILE_BYTES:
            store.abort(handle)
            raise storage.too_large(settings.MAX_FILE_BYTES)
    try:
        with store.collect(handle, size=None, sha256="") as incoming:
            artifact = keep(owner=owner, path=path, incoming=incoming, by=by)
    except NotFound:
        artifact = _kept_already(owner, path, datetime.fromisoformat(told["begun"]), by)
    else:
        incoming.discard()
    return artifact


def abort_artifact_parts(*, owner: Owner, path: str, upload_id: str, by: Actor) -> None:
    """Give the parts up. Twice is once, and what was completed stays."""
    check_owner(owner, path, by)
    storage.store().abort(str(_told(owner, path, upload_id, by)["handle"]))


def _kept_already(owner: Owner, path: str, begun: datetime, by: Actor) -> Artifact:
    """Whoever missed the answer asks again: then the file is there, and younger than the upload."""
    rows = Artifact.objects.filter(owner_kind=kind_of(owner), owner_id=owner.pk, path=path, added_at__gte=begun)
    found = rows.filter(added_by=person(by)).first()
    if found is None:
        raise NotFound("This upload was given up, or has expired.")
    return found


def _what(owner: Owner, path: str, by: Actor) -> dict[str, Any]:
    return {"kind": str(kind_of(owner)), "owner": owner.pk, "path": path, "by": person(by).pk}


def _told(owner: Owner, path: str, upload_id: str, by: Actor) -> dict[str, Any]:
    """What the id says, if it was given to this actor for this path."""
    try:
        told: dict[str, Any] = signing.loads(upload_id, salt=_SALT, max_age=LIFETIME)
    except signing.BadSignature:
        told = {}
    if {name: told.get(name) for name in ("kind", "owner", "path", "by")} != _what(owner, path, by):
        raise NotFound("There is no upload of yours with this id. It may have expired: begin it again.")
    return told
