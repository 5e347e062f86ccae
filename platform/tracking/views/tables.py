"""The table of runs: its columns, its order and what stands in each cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from tracking.grammar import quoted
from tracking.models import Run

MOST_COLUMNS = 12


@dataclass(frozen=True)
class Heading:
    """A column that can be sorted: the address that sorts by it, and which way it is sorted now ('', 'asc', 'desc')."""

    title: str
    address: str
    sorted: str
    numeric: bool = False

    @property
    def aria(self) -> str:
        return {"asc": "ascending", "desc": "descending"}.get(self.sorted, "none")


@dataclass(frozen=True)
class Row:
    run: Run
    cells: Sequence[tuple[str, bool]]  # text, and whether it is a number
    child: bool


def chosen(query: QueryDict, metrics: Sequence[str], params: Sequence[str]) -> list[str]:
    """The columns asked for ('metrics.acc'); without any, the first few that there are."""
    asked = [one for one in query.getlist("col") if one.partition(".")[0] in ("metrics", "params", "tags")]
    if asked or "col" in query:
        return list(dict.fromkeys(asked))[:MOST_COLUMNS]
    return [*(f"metrics.{key}" for key in metrics[:4]), *(f"params.{key}" for key in params[:3])]


def headings(query: QueryDict, columns: Sequence[str], order: str) -> list[Heading]:
    """The fixed ones, then the chosen ones."""
    fixed = [
        ("Run", "attributes.run_name", False),
        ("Status", "attributes.status", False),
        ("Began", "attributes.start_time", False),
    ]
    name, _, way = order.rpartition(" ")
    found = []
    for title, key, numeric in [
        *fixed,
        *((column.partition(".")[2], _named(column), column.startswith("metrics.")) for column in columns),
    ]:
        now = way.lower() if key == name else ""
        parameters = query.copy()
        parameters.pop("cursor", None)
        parameters["order"] = f"{key} {'ASC' if now == 'desc' else 'DESC'}"
        found.append(Heading(title, f"?{parameters.urlencode()}", now, numeric))
    return found


def rows(runs: Sequence[Run], columns: Sequence[str]) -> list[Row]:
    """Runs that come with their latest metrics."""
    found = []
    for run in runs:
        metrics = {one.key: one.value for one in run.latest_metrics.all()}
        cells = [_cell(run, metrics, *column.split(".", 1)) for column in columns]
        found.append(Row(run, cells, "mlflow.parentRunId" in run.tags))
    return found


def _cell(run: Run, metrics: Mapping[str, float], kind: str, key: str) -> tuple[str, bool]:
    if kind == "metrics":
        return (figure(metrics[key]) if key in metrics else "–", True)
    value: Any = (run.parameters if kind == "params" else run.tags).get(key)
    return ("–" if value is None else str(value), False)


def figure(value: float) -> str:
    """A measured number in few digits: 0.9731, 1.2e-05, NaN."""
    text = f"{value:.5g}"
    return {"nan": "NaN", "inf": "∞", "-inf": "-∞"}.get(text, text)


def _named(column: str) -> str:
    kind, _, key = column.partition(".")
    return f"{kind}.{quoted(key)}"
