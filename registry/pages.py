"""What every page about one model or dataset shows: its header and tabs. Apps above use it for the tabs that they fill."""

from typing import Any

from accounts.access import ANY_STAGE, Actor, can
from accounts.roles import Permission
from governance import gate
from governance.stages import Stage
from registry import cards
from registry.models import Asset, Version

MODEL_TABS = (
    ("versions", "Versions", ""),
    ("files", "Files", "/files"),
    ("card", "Card", "/card"),
    ("evaluations", "Evaluations", "/evaluations"),
    ("deployments", "Deployments", "/deployments"),
    ("lineage", "Lineage", "/lineage"),
    ("history", "History", "/history"),
    ("access", "Access", "/access"),
    ("settings", "Settings", "/settings"),
)
DATASET_TABS = tuple(tab for tab in MODEL_TABS if tab[0] not in ("evaluations", "deployments"))


def asset_page(asset: Asset, tab: str, by: Actor) -> dict[str, Any]:
    """Context for templates that extend 'registry/asset_base.html': the asset, its aliases, tabs and what the actor may do.

    Three queries: the aliases, the tags, and the number of versions.
    """
    aliases = list(asset.aliases.select_related("version", "updated_by"))
    for alias in aliases:
        alias.asset = asset
        alias.version.asset = asset
    address = asset.get_absolute_url()
    tabs = DATASET_TABS if asset.kind == Asset.Kind.DATASET else MODEL_TABS
    return {
        "asset": asset,
        "aliases": aliases,
        "tab": tab,
        "tabs": [(slug, title, f"{address}{path}") for slug, title, path in tabs if slug != "access" or asset.gated],
        "asset_tags": list(asset.tags.all()),
        "version_count": Version.objects.listed().filter(asset=asset).count(),
        "may_edit": can(by, Permission.ASSET_EDIT, asset),
        "may_move": can(by, Permission.ALIAS_MOVE, asset, stage=ANY_STAGE),
        "may_request": can(by, Permission.REQUEST_CREATE, asset, stage=ANY_STAGE),
        "may_evaluate": asset.kind == Asset.Kind.MODEL and can(by, Permission.EVALUATION_RUN, asset),
        "may_deploy": asset.kind == Asset.Kind.MODEL and can(by, Permission.DEPLOYMENT_MANAGE, asset, stage=ANY_STAGE),
        "may_see_ledger": can(by, Permission.LEDGER_VIEW, asset),
    }


def card_page(version: Version | None) -> dict[str, Any]:
    """Context of 'registry/card.html': the card's fields, and what it must say with whether it does."""
    if version is None or not version.card:
        return {"card_fields": None, "card_needs": []}
    card = cards.readable(version.card)
    return {"card_fields": cards.structured(card), "card_needs": cards.lacks(card, version.asset.kind)}


def protected_stages(asset: Asset) -> list[str]:
    """The stages of this asset that only an approval moves."""
    return [stage.value for stage in Stage if gate.is_protected(asset.team, asset.kind, str(asset), stage.value)]
