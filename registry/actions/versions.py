"""Versions: made as drafts, registered once, never changed afterwards."""

import hashlib
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Conflict, Invalid
from accounts.roles import Permission
from governance.digests import digest_of
from governance.ledger.actions import Action, record
from registry import blobs, search, wake
from registry.actions.common import (
    asset_target,
    lock_asset,
    lock_draft,
    lock_version,
    person,
    refuse_gone,
    touch,
    version_target,
)
from registry.actions.evidence import deposit_registration
from registry.actions.lineage import link_named
from registry.actions.tags import told
from registry.inspection import Inspection, inspect
from registry.models import Asset, Version

MAX_MESSAGE = 2_000
MAX_DESCRIPTION = 20_000


@transaction.atomic
def create_version(*, asset: Asset, message: str = "", source_run_id: int | None = None, by: Actor) -> Version:
    """A new draft with the next number. `source_run_id`: the run that made what will be uploaded."""
    require(by, Permission.ASSET_EDIT, asset)
    message = message.strip()
    if len(message) > MAX_MESSAGE or "\0" in message:
        raise Invalid(
            "message", f"Use at most {MAX_MESSAGE} characters of text; the card (README.md) has room for more."
        )
    asset = lock_asset(asset)
    if asset.archived_at is not None:
        raise Conflict(f"{asset} is archived. Restore it, then make a new version.", code="archived")
    asset.last_number = F("last_number") + 1
    asset.save(update_fields=["last_number"])
    asset.refresh_from_db(fields=["last_number"])
    version = Version.objects.create(
        asset=asset, number=asset.last_number, message=message, source_run_id=source_run_id, created_by=person(by)
    )
    touch(asset, by)
    record(
        Action.VERSION_CREATED,
        by=by,
        team=asset.team.name,
        target=version_target(version),
        also=[asset_target(asset)],
        after={"number": version.number, "message": message, "source_run": source_run_id},
    )
    return version


def manifest_of(version: Version) -> list[dict[str, Any]]:
    """[{path, sha256, size}] sorted by path: what the digest is taken over, and what replicas fetch."""
    rows = version.files.values_list("path", "blob_id", "blob__size")
    return [{"path": path, "sha256": sha256, "size": size} for path, sha256, size in sorted(rows)]


def commit_of(version: Version) -> str:
    """What git-like clients call a registered version: 40 hex digits, its own even where two versions hold the same bytes."""
    return hashlib.sha256(f"countersign version {version.pk} {version.digest}".encode()).hexdigest()[:40]


def register_version(*, version: Version, by: Actor) -> Version:
    """Check the files, fix the manifest and its digest for ever, and deposit what the card says as evidence.

    Raises Invalid naming the file when one does not hold what it should. Registering twice is a Conflict.
    """
    require(by, Permission.ASSET_EDIT, version.asset)
    person(by)
    if version.is_registered:
        raise Conflict(f"{version} is registered already.", code="version_is_immutable")
    manifest = manifest_of(version)
    # The files are read outside the transaction, since they may be many gigabytes; what was read is compared inside it.
    inspection = inspect(version.asset, manifest)
    with transaction.atomic():
        version = lock_draft(version)
        if manifest_of(version) != manifest:
            raise Conflict("A file changed while this version was being checked. Register it again.")
        return _register(version, manifest, inspection, by)


def _register(version: Version, manifest: list[dict[str, Any]], inspection: Inspection, by: Actor) -> Version:
    version.digest = digest_of({"files": manifest})
    version.commit = commit_of(version)
    version.state = Version.State.REGISTERED
    version.registered_at = timezone.now()
    version.registered_by = person(by)
    version.facts = {**version.facts, **inspection.facts}  # a draft may know where it came from
    version.card = inspection.card
    version.row_index = inspection.row_index
    version.save(
        update_fields=["digest", "commit", "state", "registered_at", "registered_by", "facts", "card", "row_index"]
    )
    touch(version.asset, by)
    search.refresh(version.asset)
    record(
        Action.VERSION_REGISTERED,
        by=by,
        team=version.asset.team.name,
        target=version_target(version),
        also=[asset_target(version.asset)],
        before={"state": Version.State.DRAFT.value},
        after={"state": version.state.value, "digest": version.digest, "files": len(manifest), "size": version.size},
    )
    deposit_registration(version, inspection, by=by)
    how = version.facts.get("card", {}).get("base_model_relation")
    link_named(
        version=version,
        base_models=inspection.base_models,
        datasets=inspection.datasets,
        how=how if isinstance(how, str) else "",
        by=by,
    )
    for task in ("registry.tasks.scan", "registry.tasks.sign"):
        wake.after_commit(task, version.pk)
    return version


@transaction.atomic
def describe_version(*, version: Version, description: str, by: Actor) -> Version:
    """Say what a version is, at any time: a description is no part of what was registered. Nothing changed, nothing recorded."""
    require(by, Permission.ASSET_EDIT, version.asset)
    description = description.strip()
    if len(description) > MAX_DESCRIPTION or "\0" in description:
        raise Invalid("description", f"Use at most {MAX_DESCRIPTION} characters of text.")
    version = lock_version(version)
    refuse_gone(version)
    if description == version.description:
        return version
    before, version.description = version.description, description
    version.save(update_fields=["description"])
    touch(version.asset, by)
    record(
        Action.VERSION_DESCRIBED,
        by=by,
        team=version.asset.team.name,
        target=version_target(version),
        also=[asset_target(version.asset)],
        before={"description": told(before)},
        after={"description": told(description)},
    )
    return version


@transaction.atomic
def discard_version(*, version: Version, by: Actor) -> None:
    """Give up a draft and its files. Its number is not used again."""
    require(by, Permission.ASSET_EDIT, version.asset)
    version = lock_version(version)
    if version.is_registered:
        raise Conflict(
            f"{version} is registered: it stays, so that what was approved or deployed can always be looked at.",
            code="version_is_immutable",
        )
    target = version_target(version)
    held = list(version.files.values_list("blob_id", flat=True))
    before = {"number": version.number, "message": version.message, "files": len(held), "size": version.size}
    version.delete()
    touch(version.asset, by)
    record(
        Action.VERSION_DISCARDED,
        by=by,
        team=version.asset.team.name,
        target=target,
        also=[asset_target(version.asset)],
        before=before,
    )
    for sha256 in set(held):
        blobs.release_after_commit(sha256)
