"""The drawing beside a list of versions: a line for each branch, as git's clients draw them. Rows are newest first."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from prompts.models import MAIN, PromptVersion

WIDTH = 14  # of a lane, in pixels
MOST = 8  # lanes side by side; further branches share the last


@dataclass(frozen=True)
class Line:
    """A stroke through one row's cell, whose height is 100; `lane` gives its colour."""

    path: str
    lane: int


@dataclass
class Row:
    """What one row shows: its dot's lane, and the strokes through it."""

    lane: int
    lines: list[Line] = field(default_factory=list)
    width: int = WIDTH

    @property
    def dot(self) -> float:
        return _x(self.lane)


def drawn(versions: Sequence[PromptVersion]) -> list[Row]:
    """One row per version. A line follows a version's first parent in its own lane and bends at the parent; the second parent of a merge
    bends at the merge. What lies beyond the page runs out of its end."""
    lanes = {MAIN: 0}
    for version in reversed(versions):
        lanes.setdefault(version.branch, min(len(lanes), MOST - 1))
    places = {version.pk: place for place, version in enumerate(versions)}
    rows = [Row(lanes[version.branch]) for version in versions]
    for place, version in enumerate(versions):
        own = lanes[version.branch]
        if version.parent_id is not None:
            end = places.get(version.parent_id)
            _draw(rows, place, end, own, rows[end].lane if end is not None else own, own)
        if version.merged_id is not None:
            end = places.get(version.merged_id)
            other = rows[end].lane if end is not None else min(own + 1, MOST - 1)
            rows[place].lines.append(Line(_curve(own, 50, other, 100), other))
            _draw(rows, place + 1, end, other, other, other, whole=True)
    width = WIDTH * (1 + max((row.lane for row in rows), default=0))
    for row in rows:
        row.width = max(width, WIDTH * (1 + max((line.lane for line in row.lines), default=0)))
    return rows


def _draw(
    rows: list[Row], start: int, end: int | None, lane: int, to: int, colour: int, *, whole: bool = False
) -> None:
    """A line down from the row `start` (from its dot, or `whole` from its top) in a lane to the dot of the row `end`."""
    last = len(rows) if end is None else end
    for place in range(start, last):
        top = 50 if place == start and not whole else 0
        rows[place].lines.append(Line(_curve(lane, top, lane, 100), colour))
    if end is not None and start <= end:
        rows[end].lines.append(Line(_curve(lane, 0, to, 50), colour))


def _curve(x1: int, y1: int, x2: int, y2: int) -> str:
    a, b = _x(x1), _x(x2)
    if x1 == x2:
        return f"M{a} {y1}V{y2}"
    middle = (y1 + y2) / 2
    return f"M{a} {y1}C{a} {middle} {b} {middle} {b} {y2}"


def _x(lane: int) -> float:
    return WIDTH * (lane + 0.5)
