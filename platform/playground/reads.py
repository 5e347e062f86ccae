"""What pages and REST show of sessions and runs, in a constant number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import MD5

from accounts.access import Actor
from accounts.errors import NotFound
from evaluation.differences import Piece, word_pieces
from playground import live
from playground.models import Cell, CellRating, KeptExample, PlaygroundRow, PlaygroundRun, PlaygroundSession
from prompts.reads import withhold
from registry import gates
from serving.models import Deployment
from serving.prices import in_words

_STATS = """
SELECT "column", currency, count(*) FILTER (WHERE state = 'done'), count(*) FILTER (WHERE state = 'failed'),
       avg(latency_ms), percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms), avg(first_token_ms),
       sum(prompt_tokens), sum(completion_tokens), sum(cost), avg(matches::int), avg(fits::int)
FROM playground_cell WHERE run_id = %s AND state IN ('done', 'failed') GROUP BY "column", currency ORDER BY "column", currency
"""


def list_sessions(by: Actor) -> QuerySet[PlaygroundSession]:
    rows: QuerySet[PlaygroundSession] = PlaygroundSession.objects.visible_to(by)
    return rows.filter(deleted_at=None).select_related("team", "created_by")


def get_session(by: Actor, pk: int) -> PlaygroundSession:
    found = list_sessions(by).filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise NotFound("There is no such session that you can see.")
    return found


def list_runs(by: Actor) -> QuerySet[PlaygroundRun]:
    rows: QuerySet[PlaygroundRun] = PlaygroundRun.objects.visible_to(by)
    return rows.select_related("team", "created_by", "session", "dataset_version__asset__team")


def get_run(by: Actor, pk: int) -> PlaygroundRun:
    found = list_runs(by).filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise NotFound("There is no such run that you can see.")
    return found


def get_cell(by: Actor, pk: int) -> Cell:
    """A cell of a run that the actor sees, whose rows they may read."""
    rows = Cell.objects.select_related("asked_by", "run__team", "run__created_by", "run__dataset_version__asset__team")
    found = rows.filter(run__in=PlaygroundRun.objects.visible_to(by), pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise NotFound("There is no such cell that you can see.")
    check_rows(by, found.run)
    withhold(by, [found])
    return found


def check_rows(by: Actor, run: PlaygroundRun) -> None:
    """Cells show rows of the dataset: of a gated one they are for those who may read it."""
    if run.dataset_version is not None:
        gates.check_read(by, run.dataset_version.asset)


def models_for(by: Actor) -> list[Deployment]:
    """What could be chosen as a model: deployments that the actor sees, those that answer first."""
    rows = Deployment.objects.visible_to(by).for_people().select_related("team")
    found = list(rows.order_by("team__name", "name")[:300])
    return sorted(found, key=lambda row: not row.endpoint)


@dataclass
class ColumnStats:
    """`agreement`: the share of repeats that say what most of them say, averaged over the rows; None without repeats."""

    index: int
    label: str
    model: str
    done: int = 0
    failed: int = 0
    latency_ms: float | None = None
    p95_ms: float | None = None
    first_token_ms: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    costs: list[str] = field(default_factory=list)
    matching: float | None = None
    fitting: float | None = None
    agreement: float | None = None
    link: str = ""


def stats_of(run: PlaygroundRun) -> list[ColumnStats]:
    """One for each column. Two statements."""
    found = [ColumnStats(index, column["label"], column["model"]) for index, column in enumerate(run.columns)]
    with connection.cursor() as cursor:
        cursor.execute(_STATS, [run.pk])
        for index, currency, done, failed, latency, p95, first, prompt, completion, cost, matching, fitting in cursor:
            one = found[index]
            one.done, one.failed = one.done + done, one.failed + failed
            one.prompt_tokens += prompt or 0
            one.completion_tokens += completion or 0
            if latency is not None:
                one.latency_ms, one.p95_ms, one.first_token_ms = latency, p95, first
                one.matching = None if matching is None else float(matching)
                one.fitting = None if fitting is None else float(fitting)
            if cost is not None:
                one.costs.append(in_words(cost, currency))
    if run.repeats > 1:
        _agree(run, found)
    return found


def _agree(run: PlaygroundRun, found: Sequence[ColumnStats]) -> None:
    rows = (
        run.cells.filter(state=Cell.State.DONE, turn=0)
        .values_list("column", "row", MD5("output"))
        .annotate(count=Count("pk"))
        .order_by()
    )
    counts: dict[tuple[int, int], list[int]] = {}
    for column, row, _, count in rows:
        counts.setdefault((column, row), []).append(count)
    for one in found:
        shares = [
            max(each) / sum(each) for (column, _), each in counts.items() if column == one.index and sum(each) > 1
        ]
        one.agreement = sum(shares) / len(shares) if shares else None


# Which rows of a run are worth a look, in words.
SHOW = {"wrong": "not as expected", "failed": "no answer", "different": "columns differ"}


def rows_of(run: PlaygroundRun, show: str) -> QuerySet[PlaygroundRow]:
    """The rows of a run: all, or those with a cell that is not as expected, without an answer, or answered differently by columns."""
    rows: QuerySet[PlaygroundRow] = run.inputs.all()
    cells = Cell.objects.filter(run=run, row=OuterRef("index"), turn=0)
    if show == "wrong":
        return rows.filter(Exists(cells.filter(Q(matches=False) | Q(fits=False))))
    if show == "failed":
        return rows.filter(Exists(cells.filter(state__in=[Cell.State.FAILED, Cell.State.CANCELLED])))
    if show == "different":
        answers = cells.filter(state=Cell.State.DONE).order_by().values("row")
        return rows.filter(Exists(answers.annotate(said=Count(MD5("output"), distinct=True)).filter(said__gt=1)))
    return rows


@dataclass
class Shown:
    """A cell as the grid shows it. `text`: the answer, or what there is of it so far."""

    cell: Cell
    text: str
    cost: str
    difference: list[Piece]
    turns: int = 0
    good: int = 0
    bad: int = 0
    mine: bool | None = None


@dataclass
class GridRow:
    """`cells`: for each column the cells of its repeats."""

    row: PlaygroundRow
    cells: list[list[Shown]]


def grid_of(
    run: PlaygroundRun, rows: Sequence[PlaygroundRow], *, by: Actor, against: int | None = None
) -> list[GridRow]:
    """The cells of these rows. `against`: the column that the others are compared with, word by word."""
    places = [row.index for row in rows]
    cells = list(run.cells.filter(row__in=places, turn=0).defer("messages"))
    said = live.seen(cell.pk for cell in cells if cell.state == Cell.State.RUNNING)
    turns = {
        (row, column, repeat): count
        for row, column, repeat, count in run.cells.filter(row__in=places, turn__gt=0)
        .values_list("row", "column", "repeat")
        .annotate(count=Count("pk"))
        .order_by()
    }
    base = {(cell.row, cell.repeat): cell for cell in cells if cell.column == against and cell.state == Cell.State.DONE}
    shown: dict[int, Shown] = {}
    grid = {row.index: GridRow(row, [[] for _ in run.columns]) for row in rows}
    for cell in cells:
        other = base.get((cell.row, cell.repeat))
        compared = other is not None and other.column != cell.column and cell.state == Cell.State.DONE
        one = Shown(
            cell,
            said.get(cell.pk, "") if cell.state == Cell.State.RUNNING else cell.output,
            in_words(cell.cost, cell.currency),
            word_pieces(other.output, cell.output) if compared and other else [],
            turns.get((cell.row, cell.column, cell.repeat), 0),
        )
        shown[cell.pk] = one
        grid[cell.row].cells[cell.column].append(one)
    for cell_id, good, user in CellRating.objects.filter(cell__in=list(shown)).values_list("cell_id", "good", "by_id"):
        one = shown[cell_id]
        one.good, one.bad = one.good + good, one.bad + (not good)
        if user == by.id:
            one.mine = good
    return [grid[row.index] for row in rows]


def conversation_of(by: Actor, cell: Cell) -> list[Cell]:
    """All turns of a cell's conversation, in order."""
    rows = Cell.objects.filter(run_id=cell.run_id, row=cell.row, column=cell.column, repeat=cell.repeat)
    found = list(rows.select_related("asked_by").order_by("turn"))
    withhold(by, found)
    return found


def ratings_of(cell: Cell) -> list[CellRating]:
    return list(cell.ratings.select_related("by"))


def kept_of(cell: Cell) -> list[KeptExample]:
    return list(cell.kept.select_related("version__asset__team", "by"))


def row_of(cell: Cell) -> PlaygroundRow:
    return PlaygroundRow.objects.get(run_id=cell.run_id, index=cell.row)


def example_of(cell: Cell, row: PlaygroundRow) -> dict[str, Any]:
    """What the cell would be as a row of a dataset: its values under the dataset's names, and the answer as what is expected."""
    mapping = cell.run.mapping
    values = {mapping.get(name) or name: value for name, value in row.values.items()}
    if not values:
        said = [message for message in cell.messages if message.get("role") == "user"]
        values = {"input": said[-1]["content"]} if said else {}
    return {**values, cell.run.expected_field or "expected": cell.output}
