"""Putting files into a draft and taking them out."""

from collections.abc import Callable, Mapping

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Conflict, Invalid
from accounts.roles import Permission
from governance.ledger.actions import Action, record
from registry import blobs, gates, paths, storage
from registry.actions.common import asset_target, lock_draft, person, touch, version_target
from registry.actions.uploads import held
from registry.models import Blob, File, Upload, Version

MAX_FILES = 10_000


def check_upload(*, version: Version, path: str, by: Actor) -> None:
    """Raise what `add_file` would raise before it reads a single byte, so that nobody sends a gigabyte to learn it."""
    require(by, Permission.ASSET_EDIT, version.asset)
    person(by)
    paths.check_path(path)
    if version.is_registered:
        raise Conflict(
            f"Version {version.number} of {version.asset} is registered, so nothing in it changes. Make a new version.",
            code="version_is_immutable",
        )


def add_file(
    *,
    version: Version,
    path: str,
    stream: storage.Readable,
    expected_size: int | None = None,
    expected_sha256: str | None = None,
    by: Actor,
) -> tuple[File, bool]:
    """Store a file of a draft; one of the same path is replaced. Returns it and whether the path is new.

    The bytes stream to disk outside any transaction; the last of two uploads of one path to arrive whole wins.
    """
    check_upload(version=version, path=path, by=by)
    if expected_sha256 is not None and not _is_sha256(expected_sha256):
        raise Invalid("X-Content-SHA256", "Use the SHA-256 of the file as 64 hexadecimal digits.")
    incoming = storage.receive(
        stream, limit=settings.MAX_FILE_BYTES, expected_size=expected_size, expected_sha256=expected_sha256
    )
    try:
        with transaction.atomic():
            return _keep(version, path, lambda: blobs.claim(incoming), by)
    finally:
        incoming.discard()


def link_file(*, version: Version, path: str, sha256: str, by: Actor) -> tuple[File, bool]:
    """Put bytes that the team holds already (`uploads.held`) into a draft without sending them. As `add_file` otherwise."""
    check_upload(version=version, path=path, by=by)
    if not _is_sha256(sha256):
        raise Invalid("sha256", "Use the SHA-256 of the file as 64 hexadecimal digits.")

    def blob() -> Blob:
        found = held(team=version.asset.team, sha256=sha256, by=by, asset=version.asset)
        if found is None:
            raise Invalid(
                "sha256", "You have no bytes with this SHA-256 in this team. Upload them.", code="unknown_bytes"
            )
        return found

    with transaction.atomic():
        return _keep(version, path, blob, by)


def add_upload(*, version: Version, path: str, upload: Upload, by: Actor) -> tuple[File, bool]:
    """Put the bytes of a complete upload of the version's team into a draft. As `add_file` otherwise."""
    check_upload(version=version, path=path, by=by)
    if upload.blob_id is None:
        raise Conflict("This upload is not complete yet: POST to its address + /complete first.", code="upload_open")
    if upload.team_id != version.asset.team_id:
        raise Invalid("upload", "This upload belongs to another team.")
    return link_file(version=version, path=path, sha256=upload.blob_id, by=by)


def _keep(version: Version, path: str, claim: Callable[[], Blob], by: Actor) -> tuple[File, bool]:
    version = lock_draft(version)
    old = version.files.select_related("blob").filter(path=path).first()
    if old is None:
        others = set(version.files.values_list("path", flat=True))
        if len(others) >= MAX_FILES:
            raise Invalid("path", f"A version takes at most {MAX_FILES} files.")
        paths.check_nesting(path, others)
    blob = claim()
    now = timezone.now()
    file, created = File.objects.update_or_create(
        version=version, path=path, defaults={"blob": blob, "added_by": person(by), "added_at": now}
    )
    _measure(version)
    touch(version.asset, by)
    record(
        Action.FILE_UPLOADED,
        by=by,
        team=version.asset.team.name,
        target=version_target(version),
        also=[asset_target(version.asset)],
        before={"path": path, "sha256": old.blob_id, "size": old.blob.size} if old else None,
        after={"path": path, "sha256": blob.sha256, "size": blob.size},
    )
    if old and old.blob_id != blob.sha256:
        blobs.release_after_commit(old.blob_id)
    return file, created


@transaction.atomic
def remove_file(*, version: Version, path: str, by: Actor) -> None:
    """Take a file out of a draft."""
    require(by, Permission.ASSET_EDIT, version.asset)
    version = lock_draft(version)
    file = version.files.select_related("blob").filter(path=path).first()
    if file is None:
        raise Invalid("path", f"There is no file '{path}' in this version.", code="no_such_file")
    sha256, before = file.blob_id, {"path": path, "sha256": file.blob_id, "size": file.blob.size}
    file.delete()
    _measure(version)
    touch(version.asset, by)
    record(
        Action.FILE_REMOVED,
        by=by,
        team=version.asset.team.name,
        target=version_target(version),
        also=[asset_target(version.asset)],
        before=before,
    )
    blobs.release_after_commit(sha256)


def record_download(*, version: Version, what: Mapping[str, str | int], by: Actor) -> None:
    """Called for bytes that are about to leave, `what` of the version they are (a path, a span of rows), after the door looked
    whether the actor may see it and before the first byte is sent. Raises Forbidden (code 'gated') where the asset is gated and
    its files are not theirs; writes an event where it is restricted."""
    gates.check_read(by, version.asset)
    if not version.asset.restricted:
        return
    record(
        Action.FILE_DOWNLOADED,
        by=by,
        team=version.asset.team.name,
        target=version_target(version),
        also=[asset_target(version.asset)],
        after=what,
    )


def _measure(version: Version) -> None:
    version.size = version.files.aggregate(size=Sum("blob__size"))["size"] or 0
    version.save(update_fields=["size"])


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and all(character in "0123456789abcdefABCDEF" for character in text)
