"""Finding models, datasets, versions and aliases as an actor sees them: what may not be seen is not found."""

from typing import Any

from django.db.models import OuterRef, Prefetch, Q, Subquery

from accounts.access import Actor
from accounts.errors import NotFound
from registry.models import Alias, AliasMove, Asset, File, Version
from registry.models.assets import AssetQuerySet


def visible_assets(by: Actor, kind: str) -> AssetQuerySet:
    """The actor's models or datasets, with what a list shows of each: latest version, aliases, who changed it last."""
    latest = Version.objects.filter(asset=OuterRef("pk")).order_by("-number")
    return (
        Asset.objects.visible_to(by)
        .filter(kind=kind)
        .select_related("team", "updated_by")
        .annotate(
            latest_number=Subquery(latest.values("number")[:1]),
            latest_state=Subquery(latest.values("state")[:1]),
        )
        .prefetch_related(Prefetch("aliases", queryset=Alias.objects.select_related("version")))
    )


def search_assets(
    rows: AssetQuerySet, *, search: str = "", task: str = "", alias: str = "", team: str = ""
) -> AssetQuerySet:
    """Narrow a list: words in name or description, the task, having an alias (a stage), the team."""
    for word in search.split()[:5]:
        rows = rows.filter(Q(name__icontains=word) | Q(description__icontains=word))
    if task:
        rows = rows.filter(task=task)
    if alias:
        rows = rows.filter(aliases__name=alias)
    if team:
        rows = rows.filter(team__name=team)
    return rows


def get_asset(by: Actor, kind: str, address: str) -> Asset:
    """The model or dataset at 'team/name'."""
    team, _, name = address.partition("/")
    asset = Asset.objects.visible_to(by).filter(kind=kind, team__name=team, name=name).select_related("team").first()
    if asset is None:
        raise NotFound(f"There is no {kind} '{address}' that you can see.")
    return asset


def get_version(by: Actor, asset: Asset, number: int) -> Version:
    """A version of an asset that the actor sees already."""
    version = (
        asset.versions.filter(number=number).select_related("created_by", "registered_by").first()
        if number <= 2**31 - 1
        else None
    )
    if version is None:
        raise NotFound(f"{asset} has no version {number}.")
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
