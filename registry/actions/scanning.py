"""Scanning again what was scanned: when somebody doubts a verdict, or the scan itself failed."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Conflict
from accounts.roles import Permission
from governance.ledger.actions import Action, record
from registry import scans, wake
from registry.actions.common import asset_target, lock_version, refuse_gone, version_target
from registry.models import BlobScan, Version
from registry.scanners.forms import form_of

_SETTLED = timedelta(seconds=30)  # a verdict so new is no reason to ask again: twice is once


@transaction.atomic
def scan_again(*, version: Version, by: Actor) -> None:
    """Forget what the scan said of this version's bytes and have a worker look anew; what was deposited as evidence stays, and the
    new result comes beside it. A scan that is under way, or only just ended, is the one that is asked for."""
    require(by, Permission.ASSET_EDIT, version.asset)
    version = lock_version(version)
    refuse_gone(version)
    if not version.is_registered or version.purged_at is not None:
        raise Conflict(f"{version} has no files that are scanned.")
    files = scans.files_of(version)
    if not files:
        raise Conflict(f"{version} has no files.")
    before = scans.state_of(version, files)
    newest = max((file.scan.scanned_at for file in files if file.scan), default=None)
    if before.state != "done" or (newest and newest > timezone.now() - _SETTLED):
        return
    forms = {(file.sha256, form_of(file.path)) for file in files}
    rows = BlobScan.objects.filter(blob__in={sha256 for sha256, _ in forms})
    gone = [row.pk for row in rows if (row.blob_id, row.form) in forms]
    BlobScan.objects.filter(pk__in=gone).delete()
    record(
        Action.VERSION_SCAN_ASKED,
        by=by,
        team=version.asset.team.name,
        target=version_target(version),
        also=[asset_target(version.asset)],
        before={"verdict": before.verdict, "files": len(files)},
    )
    wake.after_commit("registry.tasks.scan", version.pk)
