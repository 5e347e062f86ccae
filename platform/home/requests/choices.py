"""What the form of a new request offers: the assets one sees, their versions and slots, and what is there now."""

from dataclasses import dataclass
from typing import Any

from django.db.models import F

import prompts.reads
import registry.reads
from accounts.access import Actor
from accounts.errors import Problem
from evaluation.models import Evaluation
from governance import policies
from governance.stages import ALWAYS_PROTECTED, Stage
from prompts.models import Prompt, PromptVersion
from registry.models import Asset, Version

_MOST_ASSETS = 200
_MOST_VERSIONS = 50


@dataclass(frozen=True)
class Choices:
    """`now` is what the slot points at, `same` whether that is the version that was chosen; None until an asset is named."""

    assets: list[str]
    versions: list[tuple[int, str]]
    slots: list[str]
    evaluations: list[tuple[int, str]]
    asset: str
    slot: str
    found: bool
    protected: bool
    now: int | None
    same: bool


def read(actor: Actor, *, kind: str, asset: str, version: str, alias: str) -> Choices:
    """At most six small queries; a name that is not there, or not seen, completes nothing."""
    number = int(version) if version.isdecimal() and len(version) <= 9 else None
    asset, alias = asset.replace("\0", ""), alias.replace("\0", "")
    is_prompt = kind == "prompt"
    found: Asset | Prompt | None = None
    try:
        if asset.count("/") == 1 or (is_prompt and "/" in asset):  # prompts lie in folders
            found = (
                prompts.reads.get_prompt(actor, asset) if is_prompt else registry.reads.get_asset(actor, kind, asset)
            )
    except Problem:
        found = None
    if found is None:
        return Choices(_assets(actor, kind), [], sorted(Stage), [], asset, alias, False, False, None, False)
    pointed = _pointed(found)
    return Choices(
        assets=_assets(actor, kind),
        versions=_versions(found),
        slots=sorted({*Stage, *pointed}),
        evaluations=_evaluations(actor, found, number),
        asset=str(found),
        slot=alias,
        found=True,
        protected=alias in ALWAYS_PROTECTED or policies.is_protected(found.team, kind, str(found), alias),
        now=pointed.get(alias),
        same=number is not None and pointed.get(alias) == number,
    )


def _assets(actor: Actor, kind: str) -> list[str]:
    rows: Any = (
        Prompt.objects.visible_to(actor)
        if kind == "prompt"
        else Asset.objects.visible_to(actor).filter(kind=kind, archived_at=None)
    )
    names = rows.order_by("-updated_at", "-id").values_list("team__name", "name")[:_MOST_ASSETS]
    return [f"{team}/{name}" for team, name in names]


def _versions(found: Asset | Prompt) -> list[tuple[int, str]]:
    rows: Any = (
        PromptVersion.objects.filter(prompt=found)
        if isinstance(found, Prompt)
        else Version.objects.filter(asset=found, archived_at=None).registered()
    )
    return list(rows.order_by("-number").values_list("number", "message")[:_MOST_VERSIONS])


def _pointed(found: Asset | Prompt) -> dict[str, int]:
    rows: Any = found.labels if isinstance(found, Prompt) else found.aliases
    return dict(rows.annotate(number=F("version__number")).values_list("name", "number"))


def _evaluations(actor: Actor, found: Asset | Prompt, number: int | None) -> list[tuple[int, str]]:
    """Those of this version that may still end green."""
    if isinstance(found, Prompt) or found.kind != Asset.Kind.MODEL:
        return []
    rows = Evaluation.objects.visible_to(actor).filter(model=found, state__in=["queued", "running", "succeeded"])
    if number is not None:
        rows = rows.filter(version__number=number)
    shown = rows.select_related("dataset", "version").order_by("-id")[:20]
    return [(row.pk, f"version {row.version.number} on {row.dataset.name}, {row.state}") for row in shown]
