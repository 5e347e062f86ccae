"""Any two versions of models, or of datasets, side by side: what the compare page and its REST door show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from accounts.access import Actor
from accounts.errors import Invalid, NotFound
from home.comparison import content
from home.comparison.content import ConfigChange, TextChange, ValueChange
from home.comparison.metrics import MetricRow, compare_metrics, latest_figures
from registry import reads
from registry.actions import weights
from registry.comparison import FileChange
from registry.comparison import tensors as tensor_changes
from registry.comparison import tokenizers as tokenizer_changes
from registry.comparison.tensors import TensorChanges
from registry.comparison.tokenizers import TokenizerChanges
from registry.inspection.source import Malformed
from registry.models import Asset, Version, WeightComparison

MOST_FILES = 500
MOST_TENSORS = 300


@dataclass(frozen=True)
class VersionComparison:
    """`hidden` says why nothing that is in the files is compared. `weights`: what is measured, None where nobody asked yet."""

    before: Version
    after: Version
    files: Sequence[FileChange] = ()
    more_files: int = 0
    same_files: int = 0
    added_bytes: int = 0
    configuration: Sequence[ConfigChange] = ()
    facts: Sequence[ValueChange] = ()
    tensors: TensorChanges = field(default_factory=TensorChanges)
    tokenizer: TokenizerChanges | None = None
    texts: Sequence[TextChange] = ()
    metrics: Sequence[MetricRow] = ()
    weights: WeightComparison | None = None
    hidden: str = ""

    @property
    def identical(self) -> bool:
        return bool(self.before.digest) and self.before.digest == self.after.digest

    @property
    def listed_tensors(self) -> list[tensor_changes.TensorChange]:
        return self.tensors.changes[:MOST_TENSORS]

    @property
    def more_tensors(self) -> int:
        return max(0, len(self.tensors.changes) - MOST_TENSORS)

    @property
    def may_measure(self) -> bool:
        """Are there weights on both sides that could have moved?"""
        return (
            self.after.asset.kind == Asset.Kind.MODEL
            and not self.identical
            and not self.hidden.startswith("Gated")
            and bool(self.tensors.counts["same"] + self.tensors.counts["changed"])
        )


def find_version(by: Actor, asset: Asset, text: str, field: str) -> Version:
    """The version that '3' names in this asset, or 'team/name@3' in another of its kind; also by alias ('team/name@production')."""
    address, at, mark = text.strip().rpartition("@")
    if at and address:
        asset = reads.get_asset(by, asset.kind, address)
    if mark.isdecimal() and len(mark) < 10:
        return reads.get_version(by, asset, int(mark))
    if not mark or len(mark) > 96 or "/" in mark or "\0" in mark:
        raise Invalid(field, "Say which version: its number or alias, or team/name@number for one of another.")
    return reads.resolve_alias(by, asset, mark)


def pair(by: Actor, kind: str, address: str, given: dict[str, str]) -> tuple[Asset, Version, Version]:
    """The two versions that ?from= and ?to= name."""
    asset = reads.get_asset(by, kind, address)
    if not given.get("from") or not given.get("to"):
        raise NotFound("Say which two versions: ?from=1&to=2.")
    return asset, find_version(by, asset, given["from"], "from"), find_version(by, asset, given["to"], "to")


def compare_versions(before: Version, after: Version, by: Actor) -> VersionComparison:
    """Everything that differs. Of identical digests only what is not in the bytes: the evaluations."""
    figures = _figures(before, after)
    if before.digest and before.digest == after.digest:
        return VersionComparison(before, after, metrics=figures, same_files=after.files.count())
    files = content.file_changes(before, after)
    changed = [change for change in files if change.state != "same"]
    hidden = content.hidden_why(before, after, by)
    tokenizer, is_model = None, after.asset.kind == Asset.Kind.MODEL
    if is_model and not hidden:
        tokenizer = tokenizer_changes.compare(before, after)
    texts = [TextChange("Card", before.card, after.card)] if before.card != after.card else []
    if tokenizer and tokenizer.before_template != tokenizer.after_template:
        texts.append(TextChange("Chat template", tokenizer.before_template, tokenizer.after_template))
    return VersionComparison(
        before,
        after,
        files=changed[:MOST_FILES],
        more_files=max(0, len(changed) - MOST_FILES),
        same_files=len(files) - len(changed),
        added_bytes=sum((change.after or 0) - (change.before or 0) for change in changed),
        configuration=content.configuration(before, after, changed, by),
        facts=content.fact_changes(before, after),
        tensors=_tensors(before, after) if is_model else TensorChanges(),
        tokenizer=tokenizer if tokenizer and tokenizer.any else None,
        texts=texts,
        metrics=figures,
        weights=weights.weights_of(before, after) if is_model and not hidden.startswith("Gated") else None,
        hidden=hidden,
    )


def _tensors(before: Version, after: Version) -> TensorChanges:
    if not (before.is_registered and after.is_registered):
        return TensorChanges()
    try:
        return tensor_changes.compare(before, after)
    except Malformed:  # the bytes of an older version are damaged or gone: its page says so
        return TensorChanges()


def _figures(before: Version, after: Version) -> list[MetricRow]:
    if before.asset.team_id == after.asset.team_id:
        found = latest_figures(after.asset.team_id, after.digest, before.digest)
    else:
        found = latest_figures(after.asset.team_id, after.digest) + latest_figures(before.asset.team_id, before.digest)
    if not after.digest or not before.digest or len(found) < 2:
        return []
    return compare_metrics(found[0], found[1])
