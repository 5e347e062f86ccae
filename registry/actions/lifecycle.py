"""The end of assets and versions: archived (out of the lists, all else as ever), deleted (into the bin for a grace period),
restored from either, and purged (the bytes are gone, what was known of them stays)."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Conflict
from accounts.roles import Permission
from governance.ledger.actions import Action, record
from registry import blobs, references, search
from registry.actions.assets import require_name
from registry.actions.common import asset_target, lock_asset, lock_version, refuse_gone, touch, version_target
from registry.actions.evidence import deposit_name
from registry.models import AliasMove, Asset, File, Version
from registry.references import Reference


class InUse(Conflict):
    """Something refers to it still. `references` are what; each stands in `errors` as text with its address, too."""

    code = "in_use"
    title = "In use"

    def __init__(self, what: str, found: list[Reference]) -> None:
        self.references = found
        texts = [str(one) for one in found]
        super().__init__(
            f"{what} can't be deleted while something refers to it: {', '.join(one.label for one in found)}. "
            "Archive it, or take these away first.",
            errors={"references": texts},
            link=next((one.href for one in found if one.href), ""),
        )


@transaction.atomic
def archive_asset(*, asset: Asset, reason: str = "", by: Actor) -> Asset:
    """Take it out of lists and searches. Its aliases and deployments work on; no alias newly moves. Twice is once."""
    require(by, Permission.ASSET_EDIT, asset)
    asset = lock_asset(asset)
    if asset.archived_at is None:
        asset.archived_at = timezone.now()
        asset.save(update_fields=["archived_at"])
        _tell_asset(asset, Action.ASSET_ARCHIVED, {"state": "live"}, {"state": "archived"}, reason, by)
    return asset


@transaction.atomic
def archive_version(*, version: Version, reason: str = "", by: Actor) -> Version:
    """The same for one version."""
    require(by, Permission.ASSET_EDIT, version.asset)
    version = lock_version(version)
    refuse_gone(version)
    if version.archived_at is None:
        version.archived_at = timezone.now()
        version.save(update_fields=["archived_at"])
        _tell(version, Action.VERSION_ARCHIVED, {"state": "live"}, {"state": "archived"}, reason, by)
    return version


@transaction.atomic
def restore_asset(*, asset: Asset, name: str = "", by: Actor) -> Asset:
    """Bring it back, from the archive or out of the bin, as it was. `name`: another one, where its own was taken meanwhile."""
    require(by, Permission.ASSET_EDIT, asset)
    asset = lock_asset(asset)
    before, label = state_of(asset), str(asset)
    if before == "live":
        return asset
    if asset.deleted_at is None:
        asset.archived_at = None
    else:
        if asset.versions.filter(purged_at__gte=asset.deleted_at).exists():
            raise Conflict(f"The files of {asset} are gone for ever: it can't be restored.", code="purged")
        asset.deleted_at = None
        if name and name != asset.name:
            require_name(asset, name, by)
            asset.name = name
    try:
        with transaction.atomic():
            asset.save(update_fields=["archived_at", "deleted_at", "name"])
    except IntegrityError:
        raise Conflict(
            f"There is a {asset.kind} '{asset}' now. Give this one another name.",
            errors={"name": ["This name is taken."]},
            code="name_taken",
        ) from None
    renamed = {"name": str(asset)} if str(asset) != label else {}
    _tell_asset(asset, Action.ASSET_RESTORED, {"state": before}, {"state": state_of(asset), **renamed}, "", by)
    if before == "deleted":
        deposit_name(asset, by=by)  # another one may have stood under this name meanwhile
    return asset


@transaction.atomic
def restore_version(*, version: Version, by: Actor) -> Version:
    """The same for one version, as long as its files are there."""
    require(by, Permission.ASSET_EDIT, version.asset)
    version = lock_version(version)
    before = state_of(version)
    if version.purged_at is not None:
        raise Conflict(f"The files of {version} are gone for ever: it can't be restored.", code="purged")
    if before == "live":
        return version
    if version.deleted_at is not None:
        version.deleted_at = None
    else:
        version.archived_at = None
    version.save(update_fields=["archived_at", "deleted_at"])
    _tell(version, Action.VERSION_RESTORED, {"state": before}, {"state": state_of(version)}, "", by)
    return version


@transaction.atomic
def delete_version(*, version: Version, reason: str = "", by: Actor) -> Version:
    """Put a registered version into the bin. Raises InUse while something refers to it. Twice is once."""
    require(by, Permission.ASSET_EDIT, version.asset)
    version = lock_version(version)
    if version.deleted_at is not None:
        return version
    if not version.is_registered:
        raise Conflict(f"{version} is a draft: discard it instead.", code="version_is_draft")
    if found := references.to_version(version, by):
        raise InUse(str(version), found)
    before = state_of(version)
    version.deleted_at = timezone.now()
    version.save(update_fields=["deleted_at"])
    pointed = AliasMove.objects.filter(asset=version.asset, after=version).order_by().values_list("name", flat=True)
    after = {"state": "deleted", "purged_from": purge_day(version.deleted_at), "was": sorted(set(pointed))}
    _tell(version, Action.VERSION_DELETED, {"state": before}, after, reason, by)
    return version


@transaction.atomic
def delete_asset(*, asset: Asset, reason: str = "", by: Actor) -> Asset:
    """Put an asset with all its versions into the bin; its name is free at once. Raises InUse while something refers to it."""
    require(by, Permission.ASSET_EDIT, asset)
    asset = lock_asset(asset)
    if asset.deleted_at is not None:
        return asset
    if found := references.to_asset(asset, by):
        raise InUse(str(asset), found)
    before = state_of(asset)
    asset.deleted_at = timezone.now()
    asset.save(update_fields=["deleted_at"])
    was = AliasMove.objects.filter(asset=asset, after__isnull=False).order_by().values_list("name", flat=True)
    after = {
        "state": "deleted",
        "purged_from": purge_day(asset.deleted_at),
        "versions": asset.versions.count(),
        "was": sorted(set(was)),
    }
    _tell_asset(asset, Action.ASSET_DELETED, {"state": before}, after, reason, by)
    return asset


@transaction.atomic
def purge_version(*, version: Version, by: Actor) -> bool:
    """Let go of the files of a deleted version; its row, digest and history stay. By the clock (SYSTEM) once the grace period
    is over, or at once by whoever manages the team. Twice is once: False where there was nothing to do, or something refers to
    it after all."""
    if by.user is not None:
        require(by, Permission.TEAM_MANAGE, version.asset)
    version = lock_version(version)
    since = version.deleted_at or version.asset.deleted_at
    if since is None or version.purged_at is not None:
        return False
    if by.user is None and since > timezone.now() - grace():
        return False
    found = references.to_version(version, by)
    if version.asset.deleted_at is not None:
        found = [one for one in found if one.kind != "alias"]  # they went with it
    if found:
        # Made while it was being deleted: what is in use keeps its bytes.
        if by.user is not None:
            raise InUse(str(version), found)
        return False
    version.deleted_at, version.purged_at = since, timezone.now()
    version.save(update_fields=["deleted_at", "purged_at"])
    held = list(version.files.order_by().values_list("blob_id", flat=True))
    File.objects.filter(version=version).delete()
    after = {"state": "purged", "files": len(held), "size": version.size, "digest": version.digest}
    _tell(version, Action.VERSION_PURGED, {"state": "deleted"}, after, "", by)
    for sha256 in set(held):
        blobs.release_after_commit(sha256)
    return True


def purge_asset(*, asset: Asset, by: Actor) -> int:
    """The same for every version of a deleted asset. Returns how many were purged; the last one ends with an event of the asset."""
    require(by, Permission.TEAM_MANAGE, asset)
    if asset.deleted_at is None:
        raise Conflict(f"{asset} is not deleted.")
    done = sum(purge_version(version=version, by=by) for version in asset.versions.filter(purged_at=None))
    with transaction.atomic():
        asset = lock_asset(asset)
        _tell_asset(asset, Action.ASSET_PURGED, {"state": "deleted"}, {"state": "purged", "versions": done}, "", by)
    return done


def state_of(thing: Asset | Version) -> str:
    """'live', 'archived', 'deleted' or 'purged'."""
    if getattr(thing, "purged_at", None) is not None:
        return "purged"
    if thing.deleted_at is not None:
        return "deleted"
    return "live" if thing.archived_at is None else "archived"


def grace() -> timedelta:
    return timedelta(days=settings.PURGE_AFTER_DAYS)


def purge_day(deleted_at: datetime | None) -> str:
    """From which day on (UTC) the files of what was deleted then are let go; '' of what is not deleted."""
    return str((deleted_at + grace()).date()) if deleted_at else ""


def _tell(
    version: Version, action: Action, before: Mapping[str, object], after: Mapping[str, object], reason: str, by: Actor
) -> None:
    if by.user is not None:
        touch(version.asset, by)
    search.refresh(version.asset)  # another one may be the latest now
    record(
        action,
        by=by,
        team=version.asset.team.name,
        target=version_target(version),
        also=[asset_target(version.asset)],
        before=before,
        after=after,
        reason=reason.strip()[:2_000],
    )


def _tell_asset(
    asset: Asset, action: Action, before: Mapping[str, object], after: Mapping[str, object], reason: str, by: Actor
) -> None:
    touch(asset, by)
    search.refresh(asset)
    record(
        action,
        by=by,
        team=asset.team.name,
        target=asset_target(asset),
        before=before,
        after=after,
        reason=reason.strip()[:2_000],
    )
