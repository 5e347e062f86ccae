"""Finding models, datasets, versions and aliases as an actor sees them: what may not be seen is not found."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Left
from django.utils import timezone

from accounts.access import Actor, visible
from accounts.errors import NotFound
from accounts.roles import Permission
from registry import revisions
from registry.actions.lifecycle import grace
from registry.models import Alias, AliasMove, Asset, AssetTag, Branch, File, Version, VersionTag
from registry.models.assets import AssetQuerySet
from registry.models.tags import INDEXED

T = TypeVar("T", AssetTag, VersionTag)


def visible_assets(by: Actor, kind: str) -> AssetQuerySet:
    """The actor's models or datasets, with what a list shows of each: latest version, aliases, who changed it last."""
    latest = Version.objects.listed().filter(asset=OuterRef("pk")).order_by("-number")
    aliases = Alias.objects.select_related("version").defer("version__card", "version__facts", "version__row_index")
    return (
        Asset.objects.visible_to(by)
        .filter(kind=kind)
        .select_related("team", "updated_by")
        .annotate(
            latest_number=Subquery(latest.values("number")[:1]),
            latest_state=Subquery(latest.values("state")[:1]),
        )
        .prefetch_related("tags", Prefetch("aliases", queryset=aliases))
    )


def tagged(model: type[AssetTag] | type[VersionTag], owner: str, text: str) -> Exists:
    """A filter: those with this tag, 'key' or 'key:value'. A key may have colons of its own: either reading counts."""
    text = text.replace("\0", "")
    key, colon, value = text.partition(":")
    rows: Any = model._default_manager.alias(beginning=Left("value", INDEXED)).filter(**{owner: OuterRef("pk")})
    return Exists(rows.filter(Q(key=text) | _says(key, value) if colon else Q(key=text)))


def tags_saying(model: type[T], key: str, value: str) -> QuerySet[T]:
    """The tags of this key and value, found by the index: by the value's beginning, then by the whole."""
    return model._default_manager.alias(beginning=Left("value", INDEXED)).filter(_says(key, value))


def _says(key: str, value: str) -> Q:
    return Q(key=key, beginning=value[:INDEXED], value=value)


def get_asset(by: Actor, kind: str, address: str) -> Asset:
    """The model or dataset at 'team/name'."""
    team, _, name = address.partition("/")
    asset = Asset.objects.visible_to(by).filter(kind=kind, team__name=team, name=name).select_related("team").first()
    if asset is None:
        raise NotFound(f"There is no {kind} '{address}' that you can see.")
    return asset


def get_version(by: Actor, asset: Asset, number: int, *, gone: bool = False) -> Version:
    """A version of an asset that the actor sees already. `gone`: a deleted or purged one, too, which nothing else finds."""
    version = (
        asset.versions.filter(number=number).select_related("created_by", "registered_by").first()
        if number <= 2**31 - 1
        else None
    )
    if version is None:
        raise NotFound(f"{asset} has no version {number}.")
    if version.deleted_at is not None and not gone:
        raise NotFound(f"Version {number} of {asset} was deleted.", code="deleted")
    version.asset = asset
    return version


def resolve_alias(by: Actor, asset: Asset, name: str) -> Version:
    """The version that an alias points at now."""
    alias = get_alias(asset, name)
    alias.version.asset = asset
    return alias.version


def get_alias(asset: Asset, name: str) -> Alias:
    alias = (
        asset.aliases.filter(name=name)
        .select_related("updated_by", "version", "version__created_by", "version__registered_by")
        .first()
    )
    if alias is None:
        raise NotFound(f"{asset} has no alias '{name}'.")
    return alias


def get_file(version: Version, path: str) -> File:
    file = version.files.select_related("blob").filter(path=path).first()
    if file is None:
        raise NotFound(f"There is no file '{path}' in {version}.")
    return file


def history_of(asset: Asset, name: str = "") -> Any:
    """The moves of one alias, or of all, newest first."""
    moves = AliasMove.objects.filter(asset=asset).select_related("before", "after", "moved_by")
    return moves.filter(name=name) if name else moves


@dataclass(frozen=True)
class AliasAt:
    """What an alias pointed at then: `move` put it there (None: nobody had yet), `until` is when the next move took it away."""

    move: AliasMove | None
    following: AliasMove | None

    @property
    def version(self) -> Version | None:
        return self.move.after if self.move else None


def alias_at(asset: Asset, name: str, at: datetime) -> AliasAt:
    """What an alias of an asset pointed at in that moment. NotFound where there never was such an alias."""
    moves = history_of(asset, name)
    move = moves.filter(moved_at__lte=at).order_by("-moved_at", "-id").first()
    following = moves.filter(moved_at__gt=at).order_by("moved_at", "id").first()
    if move is None and following is None:
        raise NotFound(f"{asset} never had an alias '{name}'.")
    return AliasAt(move, following)


def deleted_assets(by: Actor) -> QuerySet[Asset]:
    """What of the actor's lies in the bin. Its files are there until the purge; afterwards it is history."""
    unpurged = Version.objects.filter(asset=OuterRef("pk"), purged_at=None)
    rows = Asset.objects.filter(visible(by, Permission.ASSET_EDIT, Asset), deleted_at__gt=timezone.now() - grace())
    return rows.filter(Q(last_number=0) | Exists(unpurged)).select_related("team")


def deleted_versions(by: Actor) -> QuerySet[Version]:
    """Deleted versions of assets that are there."""
    assets = Asset.objects.visible_to(by, Permission.ASSET_EDIT)
    rows = Version.objects.filter(asset__in=assets, deleted_at__isnull=False, purged_at=None)
    return rows.select_related("asset__team")


def get_deleted_asset(by: Actor, pk: int) -> Asset:
    found = deleted_assets(by).filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise NotFound("There is nothing like this in the bin.")
    return found


def get_deleted_version(by: Actor, pk: int) -> Version:
    found = deleted_versions(by).filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise NotFound("There is nothing like this in the bin.")
    return found


def branches_of(asset: Asset) -> QuerySet[Branch]:
    return Branch.objects.filter(asset=asset).select_related("start", "created_by")


def branch_names(asset: Asset) -> list[str]:
    """main and the others, for a page to choose among; empty where main is all there is."""
    names = list(Branch.objects.filter(asset=asset).order_by("name").values_list("name", flat=True)[:200])
    return [revisions.MAIN, *names] if names else []


def heads_of(asset: Asset, branches: list[Branch]) -> dict[str, Version]:
    """Where these branches stand, as revisions.head_of says of one: two queries for all of them."""
    newest = (
        revisions.commits(asset)
        .filter(branch=OuterRef("name"), number__gt=OuterRef("above"))
        .order_by("-number")
        .values("pk")[:1]
    )
    rows = Branch.objects.filter(pk__in=[row.pk for row in branches]).annotate(newest=Subquery(newest))
    own = dict(rows.exclude(newest=None).values_list("name", "newest"))
    versions = Version.objects.in_bulk(own.values())
    began = {row.name: row.start for row in branches if row.start and row.start.deleted_at is None}
    return began | {name: versions[pk] for name, pk in own.items()}
