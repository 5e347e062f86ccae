"""The figures of what is asked for beside those of what is there now: said in words, and drawn as two whiskers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.metrics import METRICS
from governance.models import Evidence

ORDER = {name: place for place, name in enumerate(METRICS)}
# The drawing, in its own units: two lines, room for the ends.
WIDTH, HEIGHT, MARGIN = 200, 36, 8
# So many statements about one digest are looked at, newest first.
_MOST_EVIDENCE = 50


@dataclass(frozen=True)
class Whisker:
    """One interval as drawn: where its ends and its value stand."""

    left: float
    middle: float
    right: float


@dataclass(frozen=True)
class Drawing:
    """Both intervals and the policy's limits on one scale; `before` None when there is nothing to compare with."""

    after: Whisker
    before: Whisker | None
    limits: Sequence[float]
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True)
class MetricRow:
    """A metric of the candidate beside that of what is there now, on the same dataset.

    `after` and `before` hold value, lower and upper (of the 95 % interval) and n; `limits` are the policy's.
    """

    name: str
    dataset: str
    after: dict[str, Any]
    before: dict[str, Any] | None
    link: str
    before_link: str = ""
    dataset_version: int | None = None
    before_dataset_version: int | None = None
    limits: Sequence[float] = ()

    @property
    def title(self) -> str:
        return METRICS[self.name].title if self.name in METRICS else self.name.replace("_", " ").capitalize()

    @property
    def percent(self) -> bool:
        return self.name in METRICS and METRICS[self.name].is_share

    @property
    def unit(self) -> str:
        return METRICS[self.name].unit if self.name in METRICS and not self.percent else ""

    @property
    def apart(self) -> bool:
        """Whether the intervals do not touch. Without intervals nothing can be said."""
        if self.before is None or any(_ends(side) is None for side in (self.after, self.before)):
            return False
        return bool(self.after["lower"] > self.before["upper"] or self.after["upper"] < self.before["lower"])

    @property
    def verdict(self) -> str:
        """new, better, worse, differs (nobody said which way is better) or unclear."""
        if self.before is None:
            return "new"
        if not self.apart:
            return "unclear"
        if self.name not in METRICS:
            return "differs"
        rises = self.after["value"] > self.before["value"]
        return "better" if rises == (METRICS[self.name].better == "higher") else "worse"

    @property
    def words(self) -> str:
        """The comparison as a person would say it."""
        if self.before is None:
            return "Nothing to compare with on this dataset."
        change = self.after["value"] - self.before["value"]
        size = f"{abs(change) * 100:.1f} points" if self.percent else f"{abs(change):.3g} {self.unit}".strip()
        moved = f"{size} {'higher' if change > 0 else 'lower'}" if change else "The same value"
        if not self.apart:
            return f"{moved}; the intervals overlap, so it may be chance."
        tail = {"better": "Better", "worse": "Worse"}.get(self.verdict, "Different")
        return f"{tail}: {moved}, and the intervals do not touch."

    @property
    def other_rows(self) -> str:
        """A warning when the two were not measured on the same version of the dataset."""
        mine, theirs = self.dataset_version, self.before_dataset_version
        if self.before is None or mine is None or theirs is None or mine == theirs:
            return ""
        return f"Measured on version {mine} of the dataset; what is there now on version {theirs}."

    @property
    def drawing(self) -> Drawing:
        return _draw(self.after, self.before, self.limits)


def _ends(figures: dict[str, Any]) -> tuple[float, float] | None:
    lower, upper = figures.get("lower"), figures.get("upper")
    return (float(lower), float(upper)) if lower is not None and upper is not None else None


def _draw(after: dict[str, Any], before: dict[str, Any] | None, limits: Sequence[float]) -> Drawing:
    sides = [side for side in (after, before) if side is not None]
    numbers = (
        [float(side["value"]) for side in sides] + [end for side in sides for end in _ends(side) or ()] + [*limits]
    )
    low, high = min(numbers), max(numbers)
    span = (high - low) or 1.0

    def at(number: float) -> float:
        return round(MARGIN + (number - low) / span * (WIDTH - 2 * MARGIN), 1)

    def whisker(figures: dict[str, Any]) -> Whisker:
        value = float(figures["value"])
        left, right = _ends(figures) or (value, value)
        return Whisker(at(left), at(value), at(right))

    return Drawing(whisker(after), whisker(before) if before else None, [at(limit) for limit in limits])


Figures = tuple[dict[str, Any], str, int | None]  # the numbers, where they are looked at, the dataset's version
Found = dict[tuple[str, str], Figures]  # by dataset and metric


def compare_metrics(after: Found, before: Found, limits: Iterable[tuple[str, str, float]] = ()) -> list[MetricRow]:
    """The candidate's figures beside those of what is there. limits: the policy's, as (metric, dataset or '', number)."""
    wanted = list(limits)
    rows = []
    for (dataset, metric), (figures, link, version) in after.items():
        there = before.get((dataset, metric))
        rows.append(
            MetricRow(
                metric, dataset, figures, there[0] if there else None, link,
                before_link=there[1] if there else "", dataset_version=version,
                before_dataset_version=there[2] if there else None,
                limits=sorted({number for name, on, number in wanted if name == metric and on in ("", dataset)}),
            )
        )  # fmt: skip
    return sorted(rows, key=lambda row: (row.dataset, ORDER.get(row.name, 99), row.name))


def latest_figures(team_id: int, *digests: str) -> list[Found]:
    """For each digest ('' has none) the newest figures, in one query."""
    wanted = [digest for digest in digests if digest]
    rows = Evidence.objects.filter(team_id=team_id, subject_digest__in=wanted, kind=Evidence.Kind.EVALUATION)
    found = list(rows.order_by("-id")[: _MOST_EVIDENCE * len(wanted)])
    return [figures_of(row for row in found if row.subject_digest == digest) for digest in digests]


def figures_of(rows: Iterable[Evidence]) -> Found:
    """The figures of evaluations, newest first: what came first stands."""
    found: Found = {}
    for evidence in rows:
        dataset = evidence.payload.get("dataset", {})
        for metric, figures in evidence.payload.get("metrics", {}).items():
            if isinstance(figures.get("value"), int | float):
                found.setdefault((dataset.get("label", ""), metric), (figures, evidence.link, dataset.get("version")))
    return found
