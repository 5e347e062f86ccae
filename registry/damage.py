"""Stored bytes that are no longer what their name says: found by the scrubber, refused where they would be used, mended by sending
the same bytes again."""

from __future__ import annotations

from collections import defaultdict

from django.utils import timezone

from accounts.access import SYSTEM
from accounts.errors import Conflict
from governance.ledger.actions import Action, Target, record
from registry.models import Artifact, Blob, BlobCheck, File, Version

MAX_NAMED = 100  # versions that an event belongs to the life of


def note_check(*, sha256: str, state: str, detail: str = "") -> bool:
    """Write down what re-hashing found; damage that is new, and its end, are events of each team that holds the bytes. The caller
    holds the blob's lock. False when nothing holds them any more."""
    blob = Blob.objects.filter(pk=sha256).first()
    if blob is None:
        return False
    before = BlobCheck.objects.select_for_update().filter(blob=blob).first()
    was_whole = before is None or before.state == BlobCheck.State.WHOLE
    BlobCheck.objects.update_or_create(
        blob=blob, defaults={"state": state, "detail": detail[:300], "checked_at": timezone.now()}
    )
    is_whole = state == BlobCheck.State.WHOLE
    if was_whole != is_whole:
        _tell(blob, Action.BLOB_MENDED if is_whole else Action.BLOB_DAMAGED, {"state": state, "detail": detail[:300]})
    return True


def note_arrival(sha256: str) -> None:
    """The same bytes were received and hashed again: whatever was wrong with them is mended. The caller holds the blob's lock."""
    if BlobCheck.objects.filter(blob_id=sha256).exclude(state=BlobCheck.State.WHOLE).exists():
        note_check(sha256=sha256, state=BlobCheck.State.WHOLE, detail="sent again")


def files_of(version: Version) -> list[str]:
    """The paths of a version whose bytes are damaged or missing, as far as is known."""
    broken = File.objects.filter(version=version, blob__check_result__state__in=_BROKEN)
    return list(broken.order_by("path").values_list("path", flat=True)[:MAX_NAMED])


def refuse(version: Version) -> None:
    """Raise where some of a version's bytes are known to be damaged: nothing newly points at it or deploys it."""
    paths = files_of(version)
    if paths:
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        raise Conflict(
            f"{version} is damaged: the stored bytes of {', '.join(paths[:3])}{more} are not what was registered. "
            "Upload the same files to any draft of the team: that mends them.",
            code="damaged",
        )


def _tell(blob: Blob, action: Action, after: dict[str, str]) -> None:
    versions: dict[str, list[Target]] = defaultdict(list)
    rows = File.objects.filter(blob=blob).select_related("version__asset__team").order_by("version_id", "path")
    for file in rows.iterator():
        version = file.version
        versions[version.asset.team.name].append(
            Target("version", version.pk, f"{file.path} of {version}", version.digest)
        )
    for name in Artifact.objects.filter(blob=blob).values_list("team__name", flat=True).distinct():
        versions.setdefault(name, [])
    for team, held in sorted(versions.items()):
        target = held[0] if held else Target("blob", blob.sha256, f"file {blob.sha256[:12]}")
        record(
            action, by=SYSTEM, team=team, target=target, also=held[1:MAX_NAMED], after={"sha256": blob.sha256, **after}
        )


_BROKEN = (BlobCheck.State.DAMAGED, BlobCheck.State.MISSING)
