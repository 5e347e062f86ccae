"""Metrics as the chart component takes them (docs/design.md)."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from tracking import reads
from tracking.models import Run
from tracking.reads import Point

# Metrics that lie between 0 and 1 share a chart in percent; each other one has its own axis.
_SHARES = ("accuracy", "exact_match", "precision", "recall", "f1")
MOST = 24


def moment(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp / 1000, UTC)


def of_run(run: Run, *, by_time: bool, log: bool, keys: Sequence[str] = ()) -> tuple[list[dict[str, Any]], int]:
    """The charts of one run, and how many metrics have none since there are too many."""
    # A single number is in the table; there is no line to draw.
    lines = {key: line for (_, key), line in reads.curves([run], keys).items() if len(line) > 1}
    shares = {key: line for key, line in lines.items() if not log and _is_share(key, line)}
    found = [_chart(key, [(key, line)], [key], by_time, log) for key, line in lines.items() if key not in shares]
    if shares:
        title = "Shares" if len(shares) > 1 else _title(next(iter(shares)))
        found.append(_chart(title, list(shares.items()), list(shares), by_time, log, percent=True))
    return found[:MOST], max(0, len(found) - MOST)


def of_many(runs: Sequence[Run], *, by_time: bool, log: bool) -> list[dict[str, Any]]:
    """A chart for each metric, a line for each run that has more than one point of it."""
    names = {run.pk: run.name for run in runs}
    if len(set(names.values())) < len(names):
        names = {run.pk: f"{run.name} ({run.uuid[:6]})" for run in runs}
    by_key: dict[str, list[tuple[str, list[Point]]]] = {}
    for (pk, key), line in reads.curves(runs).items():
        by_key.setdefault(key, []).append((names[pk], line))
    long = {key: lines for key, lines in by_key.items() if any(len(line) > 1 for _, line in lines)}
    return [_chart(key, lines, [key], by_time, log) for key, lines in sorted(long.items())[:MOST]]


def _chart(
    title: str, lines: list[tuple[str, list[Point]]], keys: list[str], by_time: bool, log: bool, percent: bool = False
) -> dict[str, Any]:
    # All at one step (a script that gave none): only time tells its points apart.
    timed = by_time or all(len(line) > 1 and line[0][0] == line[-1][0] for _, line in lines)
    return {
        "title": title if percent and title == "Shares" else _title(title),
        "keys": keys,
        "percent": percent,
        "log": log,
        "x": "seconds since its first point" if timed else "step",
        "series": [{"name": name.replace("_", " "), "points": _points(line, timed)} for name, line in lines],
    }


def _points(line: list[Point], timed: bool) -> list[list[float | None]]:
    if not timed:
        return [[step, value] for step, _, value in line]
    start = min(timestamp for _, timestamp, _ in line)
    return [[(timestamp - start) / 1000, value] for _, timestamp, value in sorted(line, key=lambda point: point[1])]


def _is_share(key: str, line: list[Point]) -> bool:
    return are_shares(key, [value for _, _, value in line])


def are_shares(key: str, values: Iterable[float | None]) -> bool:
    """Are these shown in percent, wherever they are shown?"""
    return any(word in key for word in _SHARES) and all(value is None or 0 <= value <= 1 for value in values)


def _title(key: str) -> str:
    text = key.replace("_", " ")
    return text[:1].upper() + text[1:]
