"""Commits: a branch's newest version with some files changed, made and registered in one go."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F

from accounts.access import Actor, require
from accounts.errors import Conflict, Invalid
from accounts.roles import Permission
from governance.ledger.actions import Action, record
from registry import blobs, paths, revisions, storage
from registry.actions.common import asset_target, lock_asset, person, version_target
from registry.actions.files import MAX_FILES
from registry.actions.versions import MAX_MESSAGE, _register
from registry.claims import in_turn
from registry.inspection import Inspection, inspect
from registry.models import Asset, Blob, File, Version

MAX_DESCRIPTION = 20_000
_RETRIES = 5


class Stale(Conflict):
    code = "stale_parent"


@dataclass(frozen=True)
class Add:
    """A file, by bytes that the team holds (`sha256`) or that were received just now (`incoming`)."""

    path: str
    sha256: str
    incoming: storage.Incoming | None = None


@dataclass(frozen=True)
class Delete:
    path: str


@dataclass(frozen=True)
class DeleteFolder:
    path: str


Operation = Add | Delete | DeleteFolder
Holds = Callable[[str], bool]


def commit(
    *,
    asset: Asset,
    branch: str = revisions.MAIN,
    operations: Sequence[Operation],
    parent_commit: str | None = None,
    message: str = "",
    description: str = "",
    holds: Holds,
    by: Actor,
) -> Version:
    """Apply the operations to the branch's head and register what comes of it as the next version.

    Where nothing changes, the head is returned. `parent_commit`: the head that the caller saw; another one now is a
    Conflict (code 'stale_parent'). `holds`: whether the team may use bytes by their hash alone. Racing commits without a
    parent follow each other.
    """
    require(by, Permission.ASSET_EDIT, asset)
    person(by)
    message, description = _checked(message, description)
    _check(asset, operations, holds)
    placed = _place(operations)
    try:
        return _commit(asset, branch, operations, parent_commit, message, description, by)
    finally:
        for sha256 in placed:
            blobs.release(sha256)  # what no version holds after all


def _commit(
    asset: Asset,
    branch: str,
    operations: Sequence[Operation],
    parent_commit: str | None,
    message: str,
    description: str,
    by: Actor,
) -> Version:
    with ExitStack() as turn:
        for attempt in range(_RETRIES):
            if attempt == 1:
                # Somebody was quicker. Those who lost once take turns, so that they don't go on beating each other.
                turn.enter_context(in_turn("commit", asset.pk))
            version = _attempt(asset, branch, operations, parent_commit, message, description, by)
            if version is not None:
                return version
    raise Conflict(f"Others are committing to '{branch}' of {asset} all the time. Send the commit again.")


def _attempt(
    asset: Asset,
    branch: str,
    operations: Sequence[Operation],
    parent_commit: str | None,
    message: str,
    description: str,
    by: Actor,
) -> Version | None:
    """The version that the commit makes of the head as it is now; None where the head moved on meanwhile."""
    head = revisions.head_of(asset, branch)
    _check_parent(asset, head, parent_commit)
    files = _apply(_files_of(head), operations)
    if head is not None and files == _files_of(head):
        head.asset = asset
        return head
    manifest = _manifest(files)
    # Read outside of the transaction, since files may be large; that the head is the same is asked again inside.
    inspection = inspect(asset, manifest)
    with transaction.atomic():
        locked = lock_asset(asset)
        if locked.archived_at is not None or locked.deleted_at is not None:
            raise Conflict(f"{asset} is archived or deleted. Restore it, then commit.", code="archived")
        now = revisions.head_of(locked, branch)
        if (now.pk if now else None) == (head.pk if head else None):
            return _write(locked, branch, head, files, manifest, inspection, message, description, by)
    if parent_commit is not None:
        _check_parent(asset, now, parent_commit)
    return None


def _checked(message: str, description: str) -> tuple[str, str]:
    message, description = message.strip(), description.strip()
    if len(message) > MAX_MESSAGE or "\0" in message:
        raise Invalid("message", f"Use at most {MAX_MESSAGE} characters of text.")
    if len(description) > MAX_DESCRIPTION or "\0" in description:
        raise Invalid("description", f"Use at most {MAX_DESCRIPTION} characters of text.")
    return message, description


def _check(asset: Asset, operations: Sequence[Operation], holds: Holds) -> None:
    if not operations:
        return
    for operation in operations:
        paths.check_path(operation.path)
        if isinstance(operation, Add) and operation.incoming is None and not holds(operation.sha256):
            # The same words whether somebody else has these bytes or nobody: a hash alone says nothing and opens nothing.
            raise Invalid(
                "files",
                f"The bytes of '{operation.path}' (SHA-256 {operation.sha256[:12]}…) were not uploaded. Upload them, then commit.",
                code="bytes_missing",
            )


def _place(operations: Sequence[Operation]) -> list[str]:
    """Give the bytes that came with the commit their names, so that they can be looked into. Returns what is new here."""
    placed = []
    for operation in operations:
        if isinstance(operation, Add) and operation.incoming is not None:
            with transaction.atomic():
                if not Blob.objects.filter(pk=operation.sha256).exists():
                    placed.append(operation.sha256)
                blobs.claim(operation.incoming)
    return placed


def _check_parent(asset: Asset, head: Version | None, parent: str | None) -> None:
    now = head.commit if head else revisions.empty_commit(asset)
    if parent is not None and parent != now:
        raise Stale(
            f"The branch has moved on: it stands at {now}, not at {parent}. Look at what changed and try again."
        )


def _files_of(head: Version | None) -> dict[str, str]:
    return dict(head.files.values_list("path", "blob_id")) if head else {}


def _apply(before: dict[str, str], operations: Sequence[Operation]) -> dict[str, str]:
    """{path: sha256} afterwards. Raises Invalid where a path to delete is not there or a file would be a folder too."""
    files = dict(before)
    for operation in operations:
        if isinstance(operation, Add):
            files[operation.path] = operation.sha256
        elif isinstance(operation, Delete):
            if files.pop(operation.path, None) is None:
                raise Invalid("files", f"There is no file '{operation.path}' to delete.", code="no_such_file")
        else:
            inside = [path for path in files if path.startswith(f"{operation.path}/")]
            if not inside:
                raise Invalid("files", f"There is no folder '{operation.path}' to delete.", code="no_such_file")
            for path in inside:
                del files[path]
    if len(files) > MAX_FILES:
        raise Invalid("files", f"A version takes at most {MAX_FILES} files.")
    folders = {parent for path in files for parent in _parents(path)}
    for path in files:
        if path in folders:
            raise Invalid("files", f"'{path}' can't be a file and a folder in one version.")
    return files


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


def _manifest(files: dict[str, str]) -> list[dict[str, Any]]:
    sizes = dict(Blob.objects.filter(pk__in=set(files.values())).values_list("sha256", "size"))
    missing = next((path for path, sha256 in files.items() if sha256 not in sizes), None)
    if missing is not None:
        raise Invalid(
            "files", f"The bytes of '{missing}' were not uploaded. Upload them, then commit.", code="bytes_missing"
        )
    return [{"path": path, "sha256": sha256, "size": sizes[sha256]} for path, sha256 in sorted(files.items())]


def _write(
    asset: Asset,
    branch: str,
    head: Version | None,
    files: dict[str, str],
    manifest: list[dict[str, Any]],
    inspection: Inspection,
    message: str,
    description: str,
    by: Actor,
) -> Version:
    """The version's rows, in the transaction that holds the asset's lock."""
    before = _files_of(head)
    for sha256 in sorted(set(files.values()) - set(before.values())):
        blobs.lock(sha256)  # against the sweeper: the bytes are referred to from here on
        if not Blob.objects.filter(pk=sha256).exists():
            raise Conflict("Bytes of this commit were removed while it was being checked. Send it again.")
    asset.last_number = F("last_number") + 1
    asset.save(update_fields=["last_number"])
    asset.refresh_from_db(fields=["last_number"])
    version = Version.objects.create(
        asset=asset,
        number=asset.last_number,
        message=message,
        description=description,
        branch=branch,
        parent=head,
        size=sum(entry["size"] for entry in manifest),
        created_by=person(by),
    )
    authors = dict(head.files.values_list("path", "added_by_id")) if head else {}
    File.objects.bulk_create(
        File(
            version=version,
            path=path,
            blob_id=sha256,
            # Who put a file in goes with it: nobody reviews their own work because somebody else committed beside it.
            added_by_id=authors[path] if before.get(path) == sha256 else person(by).pk,
        )
        for path, sha256 in files.items()
    )
    record(
        Action.VERSION_CREATED,
        by=by,
        team=asset.team.name,
        target=version_target(version),
        also=[asset_target(asset)],
        after={
            "number": version.number,
            "message": message,
            "branch": branch,
            "parent": head.number if head else None,
            "added": sorted(path for path, sha256 in files.items() if before.get(path) != sha256)[:100],
            "removed": sorted(path for path in before if path not in files)[:100],
        },
    )
    return _register(version, manifest, inspection, by)
