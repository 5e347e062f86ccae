"""Looking into the files of a version before it is registered: are they whole, and what do they say of themselves?"""

from dataclasses import dataclass, field
from typing import Any

from accounts.errors import Invalid
from registry.inspection import cards, datasets, models
from registry.inspection.manifest import Manifest
from registry.models import Asset


@dataclass(frozen=True)
class Inspection:
    """What was found: facts for pages and API, the card's text, what the card lacks, where rows begin."""

    facts: dict[str, Any]
    card: str
    missing_in_card: list[str]
    row_index: dict[str, Any] = field(default_factory=dict)
    # What evidence is made of: the card's fields, its licence (SPDX or ''), and what it names as its origin.
    card_fields: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    base_models: list[str] = field(default_factory=list)
    datasets: list[str] = field(default_factory=list)


def inspect(asset: Asset, manifest: list[dict[str, Any]]) -> Inspection:
    """Check the files of a manifest; raises Invalid naming the file and what to do about it."""
    files = Manifest(manifest)
    if not files:
        raise Invalid("files", "This version has no files yet. Upload some, then register it.", code="version_is_empty")
    card = cards.read(files)
    bases = cards.names(card, "base_model")
    row_index: dict[str, Any] = {}
    if asset.kind == Asset.Kind.MODEL:
        facts = models.check(files, asset.task)
        base = facts.get("adapter", {}).get("base_model")
        bases += [base] if base and base not in bases else []
    else:
        facts, row_index = datasets.check(files)
    facts["files"] = len(files)
    if card.front_matter:
        facts["card"] = card.front_matter
    return Inspection(
        facts,
        card.text,
        cards.missing(card, asset.kind),
        row_index,
        card_fields=cards.fields(card),
        licence=cards.licence(card),
        base_models=bases,
        datasets=cards.names(card, "datasets"),
    )
