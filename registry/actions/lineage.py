"""Where versions come from: the edges that a card names at registration, and those that conversions and copies write."""

import re

from django.db import transaction

from accounts.access import Actor, require
from accounts.errors import Invalid, NotFound
from accounts.roles import Permission
from governance.ledger.actions import Action, record
from registry.actions.common import asset_target, version_target
from registry.models import Alias, Asset, Link, Version

MAX_NAME = 300
_NAMED = re.compile(r"([^/@:\s]+)/([^/@:\s]+)(?:@([^/@:\s]+)|:([1-9][0-9]{0,8}))?")
_OF_BASE = {"adapter": Link.Relation.ADAPTER_OF}


@transaction.atomic
def link_versions(
    *,
    version: Version,
    relation: str,
    origin: Version | None = None,
    origin_asset: Asset | None = None,
    origin_name: str = "",
    by: Actor,
) -> Link:
    """Note one origin of a version: a version, an asset of which nobody said which version, or a name outside. Twice is once."""
    require(by, Permission.ASSET_EDIT, version.asset)
    if relation not in Link.Relation.values:
        raise Invalid("relation", f"Use one of {', '.join(Link.Relation.values)}.")
    name = origin_name.strip()
    if (origin is not None) + (origin_asset is not None) + bool(name) != 1:
        raise Invalid("origin", "Name exactly one origin: a version, an asset, or something outside by its name.")
    if len(name) > MAX_NAME or "\0" in name:
        raise Invalid("origin_name", f"Use at most {MAX_NAME} characters of text.")
    if origin is not None and origin.pk == version.pk:
        raise Invalid("origin", "A version does not come from itself.")
    if origin is not None and not Version.objects.visible_to(by).filter(pk=origin.pk).exists():
        raise NotFound("There is no such version that you can see.")
    if origin_asset is not None and not Asset.objects.visible_to(by).filter(pk=origin_asset.pk).exists():
        raise NotFound("There is no such asset that you can see.")
    link, made = Link.objects.get_or_create(
        version=version, relation=relation, origin=origin, origin_asset=origin_asset, origin_name=name
    )
    if made:
        also = [asset_target(version.asset)]
        if origin is not None:
            also += [version_target(origin), asset_target(origin.asset)]
        elif origin_asset is not None:
            also.append(asset_target(origin_asset))
        record(
            Action.VERSION_LINKED,
            by=by,
            team=version.asset.team.name,
            target=version_target(version),
            also=also,
            after={"relation": relation, "origin": str(origin or origin_asset or name)},
        )
    return link


def link_named(*, version: Version, base_models: list[str], datasets: list[str], how: str = "", by: Actor) -> None:
    """Note what the card of a version names: its base models (`how`: the card's base_model_relation) and its datasets. Names that
    `by` can resolve to assets of ours lead there; others are kept as they were written."""
    relation = _OF_BASE.get(how, Link.Relation.DERIVED_FROM)
    trained = Link.Relation.TRAINED_ON if version.asset.kind == Asset.Kind.MODEL else Link.Relation.DERIVED_FROM
    for kind, names, one in ((Asset.Kind.MODEL, base_models, relation), (Asset.Kind.DATASET, datasets, trained)):
        for name in dict.fromkeys(names):
            origin, asset = resolve(name, kind, by)
            if origin is not None and origin.pk == version.pk:
                continue
            link_versions(
                version=version,
                relation=one,
                origin=origin,
                origin_asset=asset,
                origin_name="" if origin or asset else name[:MAX_NAME],
                by=by,
            )


def resolve(name: str, kind: str, by: Actor) -> tuple[Version | None, Asset | None]:
    """'team/name', 'team/name@alias' or 'team/name:number' as what `by` sees under it: a version, else an asset, else neither."""
    match = _NAMED.fullmatch(name.strip())
    if match is None:
        return None, None
    team, own, alias, number = match.groups()
    asset = (
        Asset.objects.visible_to(by).filter(kind=kind, team__name=team, name__iexact=own).select_related("team").first()
    )
    if asset is None or not (alias or number):
        return None, asset
    version: Version | None
    if alias:
        pointing = Alias.objects.filter(asset=asset, name=alias).select_related("version").first()
        version = pointing.version if pointing else None
    else:
        version = asset.versions.live().filter(number=int(number)).first()
    if version is None:
        return None, asset
    version.asset = asset
    return version, None
