"""Tags of assets and versions. They change at any time and say nothing that governance looks at."""

import hashlib

from django.db import transaction

from accounts.access import Actor, require
from accounts.errors import Invalid, NotFound
from accounts.roles import Permission
from governance.ledger.actions import Action, record
from registry import search
from registry.actions.common import asset_target, lock_asset, lock_version, refuse_gone, touch, version_target
from registry.models import Asset, AssetTag, Version, VersionTag
from registry.models.tags import MAX_KEY, MAX_VALUE

MAX_TAGS = 1_000
_TOLD = 1_000  # characters of a value that an event repeats


@transaction.atomic
def set_tag(
    *, asset: Asset | None = None, version: Version | None = None, key: str, value: str = "", by: Actor
) -> AssetTag | VersionTag:
    """Give a tag of an asset or of a version (name one of them) this value; without one it is a plain word. Twice is once."""
    check_tag(key, value)
    tag, thing = _found(asset, version, key, by)
    if tag is None:
        if thing.tags.count() >= MAX_TAGS:
            raise Invalid("key", f"At most {MAX_TAGS} tags. Take one away first.")
        tag = thing.tags.create(key=key, value=value)
        _tell(thing, Action.VERSION_TAG_SET if version else Action.ASSET_TAG_SET, key, None, value, by)
    elif tag.value != value:
        before, tag.value = tag.value, value
        tag.save(update_fields=["value"])
        _tell(thing, Action.VERSION_TAG_SET if version else Action.ASSET_TAG_SET, key, before, value, by)
    return tag


@transaction.atomic
def delete_tag(*, asset: Asset | None = None, version: Version | None = None, key: str, by: Actor) -> None:
    """Take a tag away; NotFound where there is none of this key."""
    tag, thing = _found(asset, version, key, by)
    if tag is None:
        raise NotFound(f"{thing} has no tag '{key[:MAX_KEY]}'.")
    before = tag.value
    tag.delete()
    _tell(thing, Action.VERSION_TAG_REMOVED if version else Action.ASSET_TAG_REMOVED, key, before, None, by)


def check_tag(key: str, value: str = "") -> None:
    """Raise Invalid for what can't be a tag."""
    if not key or key != key.strip() or len(key) > MAX_KEY or "\0" in key:
        raise Invalid("key", f"Use 1 to {MAX_KEY} characters, without a space at either end.")
    if len(value) > MAX_VALUE or "\0" in value:
        raise Invalid("value", f"Use at most {MAX_VALUE} characters of text.")


def _found(
    asset: Asset | None, version: Version | None, key: str, by: Actor
) -> tuple[AssetTag | VersionTag | None, Asset | Version]:
    if version is not None:
        require(by, Permission.ASSET_EDIT, version.asset)
        version = lock_version(version)
        refuse_gone(version)
        return version.tags.filter(key=key).first(), version
    if asset is None:
        raise TypeError("Name an asset or a version.")
    require(by, Permission.ASSET_EDIT, asset)
    asset = lock_asset(asset)
    return asset.tags.filter(key=key).first(), asset


def _tell(thing: Asset | Version, action: Action, key: str, before: str | None, after: str | None, by: Actor) -> None:
    asset = thing if isinstance(thing, Asset) else thing.asset
    touch(asset, by)
    if thing is asset:
        search.refresh(asset)
    record(
        action,
        by=by,
        team=asset.team.name,
        target=asset_target(thing) if isinstance(thing, Asset) else version_target(thing),
        also=[] if isinstance(thing, Asset) else [asset_target(asset)],
        before=None if before is None else {"key": key, "value": told(before)},
        after=None if after is None else {"key": key, "value": told(after)},
    )


def told(value: str) -> str:
    """A value as an event repeats it: a long one by its beginning, length and hash."""
    if len(value) <= _TOLD:
        return value
    digest = hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
    return f"{value[:200]}… ({len(value)} characters, sha256 {digest})"
