"""Files that runs and logged models leave. They become governed bytes when a version is registered of them."""

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Conflict, Invalid, NotFound
from accounts.roles import Permission
from registry import blobs, storage
from registry.models import Artifact
from tracking.actions.common import is_storable, person
from tracking.models import LoggedModel, Run

Owner = Run | LoggedModel
MAX_PATH = 500


def kind_of(owner: Owner) -> str:
    return Artifact.OwnerKind.RUN if isinstance(owner, Run) else Artifact.OwnerKind.LOGGED_MODEL


def check_artifact_path(path: str) -> str:
    """The path as given, if it stays inside: relative, no part of it empty, '.' or '..'."""
    parts = path.split("/")
    if (
        not path
        or len(path) > MAX_PATH
        or not is_storable(path)
        or "\\" in path
        or any(part in ("", ".", "..") for part in parts)
        or any(ord(character) < 32 for character in path)
    ):
        raise Invalid("path", "Invalid path", code="invalid_path")
    return path


def put_artifact(
    *,
    owner: Owner,
    path: str,
    stream: storage.Readable,
    size: int | None = None,
    sha256: str | None = None,
    by: Actor,
) -> Artifact:
    """Keep a file under this path; one of the same path is replaced. The bytes stream to the store, and are stored once. `size`
    and `sha256` (hex): what the sender says of them; Invalid where it is not so."""
    check_owner(owner, path, by)
    incoming = storage.receive(stream, limit=settings.MAX_FILE_BYTES, expected_size=size, expected_sha256=sha256)
    try:
        return keep(owner=owner, path=path, incoming=incoming, by=by)
    finally:
        incoming.discard()


def check_owner(owner: Owner, path: str, by: Actor) -> None:
    """Raise unless the actor may put a file at this path now."""
    require(by, Permission.RUN_CREATE, owner.team)
    check_artifact_path(path)
    if owner.deleted_at is not None:
        raise Conflict("It is deleted, and takes no files until it is restored.", code="run_is_deleted")


@transaction.atomic
def keep(*, owner: Owner, path: str, incoming: storage.Incoming, by: Actor) -> Artifact:
    """Give received bytes their place among the owner's files. `check_owner` comes first."""
    rows = Artifact.objects.filter(owner_kind=kind_of(owner), owner_id=owner.pk)
    _require_free(rows, path)
    old = rows.filter(path=path).values_list("blob_id", flat=True).first()
    artifact, _ = Artifact.objects.update_or_create(
        owner_kind=kind_of(owner),
        owner_id=owner.pk,
        path=path,
        defaults={
            "team": owner.team,
            "blob": blobs.claim(incoming),
            "added_by": person(by),
            "added_at": timezone.now(),
        },
    )
    if old and old != artifact.blob_id:
        blobs.release_after_commit(old)
    return artifact


@transaction.atomic
def delete_artifacts(*, owner: Owner, path: str, by: Actor) -> int:
    """Take away the file of this path, or every file below it. How many; NotFound for none."""
    require(by, Permission.RUN_CREATE, owner.team)
    check_artifact_path(path)
    rows = Artifact.objects.filter(owner_kind=kind_of(owner), owner_id=owner.pk)
    gone = drop(rows.filter(Q(path=path) | Q(path__startswith=f"{path}/")))
    if not gone:
        raise NotFound(f"There is no file '{path}'.")
    return gone


def drop(rows: "QuerySet[Artifact]") -> int:
    """Delete these rows; bytes that nothing else refers to go after the commit."""
    held = list(rows.values_list("pk", "blob_id"))
    Artifact.objects.filter(pk__in=[pk for pk, _ in held]).delete()
    for sha256 in {sha256 for _, sha256 in held}:
        blobs.release_after_commit(sha256)
    return len(held)


def _require_free(rows: "QuerySet[Artifact]", path: str) -> None:
    """A path is a file or a folder, never both."""
    parents = ["/".join(path.split("/")[:length]) for length in range(1, path.count("/") + 1)]
    if rows.filter(Q(path__in=parents) | Q(path__startswith=f"{path}/")).exists():
        raise Conflict(
            f"'{path}' is a folder here, or one of its folders is a file. Use another path.", code="path_taken"
        )
