"""Background work: scanning what was registered, and tidying the storage."""

import logging
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from accounts.access import SYSTEM
from governance.models import Evidence
from governance.reads import digests_with_evidence
from registry import blobs, conversion, scrubbing, search, storage
from registry.actions import uploads, weights
from registry.actions.evidence import deposit_scan
from registry.actions.lifecycle import grace, purge_version
from registry.actions.signing import sign_version
from registry.claims import claimed
from registry.comparison.measuring import measure
from registry.models import Blob, BlobScan, Conversion, File, Upload, Version
from registry.scans import SCANNER, payload_of, scan_version

STALE_S = 24 * 3600.0
SCRUB_S = 20.0  # of each minute
RECENT = 200
log = logging.getLogger(__name__)


@shared_task
def sweep_uploads() -> None:
    """Remove what broken-off uploads left behind, and bytes that no version refers to, once they are a day old.

    Bytes that an upload is placing at this moment are safe: both sides hold the blob's lock (registry.blobs).
    """
    removed = 0
    store = storage.store()
    for upload in Upload.objects.filter(expires_at__lt=timezone.now())[:1000]:
        uploads.give_up(upload=upload)
        removed += 1
    removed += store.sweep(STALE_S, lambda handle: Upload.objects.filter(handle=handle).exists())
    batch: list[str] = []
    for sha256 in store.blobs(STALE_S):
        batch.append(sha256)
        if len(batch) == 500:
            removed += _sweep(batch)
            batch = []
    removed += _sweep(batch)
    if removed:
        log.info("swept %d files that nothing refers to", removed)


def _sweep(hashes: list[str]) -> int:
    blobs_of = Blob.objects.filter(pk__in=hashes)
    used = {
        *blobs_of.filter(files__isnull=False).values_list("pk", flat=True).distinct(),
        *blobs_of.filter(artifacts__isnull=False).values_list("pk", flat=True).distinct(),
        *blobs_of.filter(uploads__isnull=False).values_list("pk", flat=True).distinct(),
    }
    return sum(blobs.release(sha256) for sha256 in hashes if sha256 not in used)


@shared_task
def scan(version_id: int) -> None:
    """Scan one version that was just registered."""
    version = _with_files().filter(pk=version_id).first()
    if version is not None:
        _scan(version)


def _with_files() -> QuerySet[Version]:
    """Registered versions whose files are here, newest first."""
    rows = Version.objects.registered().filter(Exists(File.objects.filter(version=OuterRef("pk"))), purged_at=None)
    return rows.select_related("asset__team").order_by("-pk")


@shared_task
def sign(version_id: int) -> None:
    """Sign one version that was just registered."""
    version = _with_files().filter(pk=version_id).first()
    if version is not None:
        sign_version(version=version)


@shared_task
def sign_versions() -> int:
    """Sign the registered versions that were not yet, newest first. Returns how many."""
    rows = _with_files().filter(signature=None)[:RECENT]
    return sum(sign_version(version=version) for version in rows)


@shared_task
def convert(conversion_id: int) -> None:
    """Make the safetensors that somebody asked for."""
    conversion.convert(conversion_id)


@shared_task
def convert_waiting() -> int:
    """Take up the conversions that no worker has, or that one left lying. Returns how many."""
    waiting = Conversion.objects.filter(state__in=[Conversion.State.QUEUED, Conversion.State.RUNNING])
    return sum(conversion.convert(pk) for pk in waiting.values_list("pk", flat=True)[:20])


def _scan(version: Version) -> bool:
    with claimed("scan", version.pk) as mine:
        if not mine:
            return False
        state = scan_version(version)
        return state.state == "done" and deposit_scan(version=version, found=payload_of(state))


@shared_task
def scan_versions(*, every: bool = False) -> int:
    """Scan the registered versions that were not yet, newest first; `every`: not only among the last ones, and once more those
    that another scanner scanned or on which the scan failed. Returns how many. Two at once do the work twice and write it once."""
    rows = _with_files()
    wanted = {"scanner": SCANNER} if every else {}
    done = 0
    last: int | None = None
    while batch := list((rows if last is None else rows.filter(pk__lt=last))[:RECENT]):
        last = batch[-1].pk
        teams, digests = [version.asset.team_id for version in batch], [version.digest for version in batch]
        there = digests_with_evidence(teams, Evidence.Kind.SCAN, digests, **wanted)
        if every:
            there -= digests_with_evidence(teams, Evidence.Kind.SCAN, digests, scanner=SCANNER, verdict="error")
        unseen = _unseen(batch)
        for version in batch:
            if (version.asset.team_id, version.digest) not in there or version.pk in unseen:
                done += _scan(version)
        if not every:
            break
    return done


def _unseen(batch: list[Version]) -> set[int]:
    """Those with bytes of which no scan says anything (any more): somebody asked for another one, whose message may be lost."""
    said = BlobScan.objects.filter(blob=OuterRef("blob"))
    rows = File.objects.filter(~Exists(said), version__in=batch).order_by()
    return set(rows.values_list("version_id", flat=True).distinct())


@shared_task
def purge_deleted() -> int:
    """Let go of the files of what was deleted longer ago than the grace period. Returns of how many versions. Each is a transaction
    of its own, which looks again: two at once purge nothing twice."""
    cut = timezone.now() - grace()
    rows = Version.objects.filter(purged_at=None).select_related("asset__team")
    done = 0
    for due in (rows.filter(deleted_at__lt=cut), rows.filter(asset__deleted_at__lt=cut)):
        for version in due.order_by("pk").iterator(chunk_size=500):
            done += purge_version(version=version, by=SYSTEM)
    if done:
        log.info("purged the files of %d deleted versions", done)
    return done


@shared_task
def refresh_search(*, every: bool = False) -> int:
    """Mend what search knows of assets that changed past the actions, among those of the last hour; `every`: among all. How many."""
    return search.refresh_many(search.stale(within=None if every else timedelta(hours=1)))


@shared_task
def scrub_blobs() -> int:
    """Hash some of what is stored again; damage is an event. Returns how many blobs. Two at once write the same."""
    return scrubbing.scrub(budget_s=SCRUB_S) if settings.SCRUB_EVERY_DAYS else 0


@shared_task
def measure_weights(pk: int | None = None) -> bool:
    """Measure a slice of the comparison of weights that waits the longest (or of this one), and call for the next slice. Its row
    is under a lease: two at once never do the same work, and one whose worker died is taken up by the schedule."""
    row = weights.claim(pk)
    if row is None:
        return False
    if measure(row):
        measure_weights.delay(row.pk)
    return True
