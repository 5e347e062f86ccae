"""What the actions on assets share: locking, ledger targets, and the asset's last change."""

from django.utils import timezone

from accounts.access import Actor
from accounts.errors import Conflict, Forbidden, NotFound
from accounts.models import User
from governance.ledger.actions import Target
from registry.models import Asset, Version


def person(by: Actor) -> User:
    """The person or service account behind an actor; tasks on their own change nothing here."""
    if by.user is None:
        raise Forbidden("Sign in to change this.")
    return by.user


def lock_asset(asset: Asset) -> Asset:
    """The asset as it is now, its row locked until the transaction ends: changes to one asset happen one at a time."""
    return Asset.objects.select_for_update(of=("self",)).select_related("team").get(pk=asset.pk)


def lock_version(version: Version) -> Version:
    """The version and its asset, locked in that asset's order."""
    asset = lock_asset(version.asset)
    found = Version.objects.select_for_update(of=("self",)).filter(pk=version.pk).first()
    if found is None:
        raise NotFound(f"{version} was discarded.")
    found.asset = asset
    return found


def lock_draft(version: Version) -> Version:
    """The same, for a change that only a draft takes."""
    found = lock_version(version)
    if found.is_registered:
        raise Conflict(
            f"Version {found.number} of {found.asset} is registered, so nothing in it changes. Make a new version.",
            code="version_is_immutable",
        )
    return found


def refuse_gone(version: Version) -> None:
    """Raise NotFound for a version that was deleted: it has to be restored before anything else is done with it."""
    if version.deleted_at is not None:
        raise NotFound(f"{version} was deleted.", code="deleted")


def touch(asset: Asset, by: Actor) -> None:
    """Note who changed the asset last, and when."""
    asset.updated_at = timezone.now()
    asset.updated_by = person(by)
    asset.save(update_fields=["updated_at", "updated_by"])


def asset_target(asset: Asset) -> Target:
    return Target(asset.kind, asset.pk, str(asset))


def version_target(version: Version) -> Target:
    return Target("version", version.pk, str(version), version.digest)
