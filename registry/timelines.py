"""Where aliases pointed over time, as bars of a page."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from registry.models import AliasMove

MOST = 500  # moves that are drawn; the newest


@dataclass(frozen=True)
class Bar:
    """One version's time in the alias; `left` and `width` in percent of the whole line. `end` None: it is there now."""

    version: int
    start: datetime
    end: datetime | None
    left: float
    width: float

    @property
    def shade(self) -> int:
        """Neighbours differ in colour; the same version always has the same."""
        return self.version % 5 + 1


@dataclass
class Line:
    name: str
    bars: list[Bar] = field(default_factory=list)


def lines(moves: Sequence[AliasMove], now: datetime) -> list[Line]:
    """A line for each alias, in order of names, from `moves` newest first. All share one scale, from the first move to now."""
    ordered = sorted(moves, key=lambda move: (move.moved_at, move.pk))
    if not ordered:
        return []
    begin = ordered[0].moved_at
    whole = max((now - begin).total_seconds(), 1.0)
    found: dict[str, Line] = {}
    for index, move in enumerate(ordered):
        line = found.setdefault(move.name, Line(move.name))
        if move.after is None:
            continue
        end = next((later.moved_at for later in ordered[index + 1 :] if later.name == move.name), None)
        left = 100 * (move.moved_at - begin).total_seconds() / whole
        width = 100 * ((end or now) - move.moved_at).total_seconds() / whole
        line.bars.append(Bar(move.after.number, move.moved_at, end, round(left, 3), round(max(width, 0.4), 3)))
    return [found[name] for name in sorted(found)]
