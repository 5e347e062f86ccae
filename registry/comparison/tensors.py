"""Which tensors two versions have, and where shape or type differ. Only headers are read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from registry import tensors
from registry.inspection.source import Tensor
from registry.models import Version


@dataclass(frozen=True)
class TensorChange:
    """A tensor that is not in both, or not with the same shape and type. state: added, removed or changed."""

    name: str
    state: str
    before: Tensor | None
    after: Tensor | None


@dataclass(frozen=True)
class TensorChanges:
    """`changes` in natural order; how many there are of each state, and how many are the same in shape and type."""

    changes: list[TensorChange] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def totals(self) -> list[tuple[str, int]]:
        """For templates, which look for a key before a method."""
        return list(self.counts.items())


def compare(before: Version, after: Version) -> TensorChanges:
    if before.digest == after.digest:
        count = before.facts.get("tensors", 0)
        return TensorChanges([], Counter({"same": count}) if count else Counter())
    old = {row.tensor.name: row.tensor for row in tensors.of_version(before)}
    new = {row.tensor.name: row.tensor for row in tensors.of_version(after)}
    changes, counts = [], Counter[str]()
    for name in dict.fromkeys([*old, *new]):
        was, is_now = old.get(name), new.get(name)
        if was and is_now and (was.dtype, was.shape) == (is_now.dtype, is_now.shape):
            counts["same"] += 1
            continue
        state = "added" if was is None else "removed" if is_now is None else "changed"
        counts[state] += 1
        changes.append(TensorChange(name, state, was, is_now))
    return TensorChanges(sorted(changes, key=lambda change: tensors.natural(change.name)), counts)
