"""Finding runs as an actor sees them."""

from collections.abc import Mapping
from typing import Any

from django.db import connection

from accounts.access import Actor
from accounts.errors import NotFound
from registry.models import Version
from tuning.models import RunMetric, TrainingRun

# A chart has no more pixels to show.
CHART_POINTS = 400


def list_runs(by: Actor, *, team: str = "", state: str = "", search: str = "") -> Any:
    """The runs that the actor sees, newest first."""
    rows = TrainingRun.objects.visible_to(by).select_related("team", "created_by")
    if team:
        rows = rows.filter(team__name=team)
    if state:
        rows = rows.filter(state=state)
    for word in search.split()[:5]:
        rows = rows.filter(name__icontains=word)
    return rows


def get_run(by: Actor, run_id: int) -> TrainingRun:
    run = list_runs(by).filter(pk=run_id).first() if run_id <= 2**63 - 1 else None
    if not isinstance(run, TrainingRun):
        raise NotFound(f"There is no run {run_id} that you can see.")
    return run


def versions_made(by: Actor, run: TrainingRun) -> list[Version]:
    """The versions that name this run as their source, of its own team."""
    rows = Version.objects.visible_to(by).filter(source_run_id=run.pk, asset__team_id=run.team_id)
    return list(rows.select_related("asset__team").order_by("asset_id", "number")[:100])


def curves(run: TrainingRun) -> Mapping[str, list[tuple[int, float]]]:
    """The points of each metric by step, thinned out evenly to what a chart can show; the last point always stays."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT key, step, value FROM (
                SELECT key, step, value,
                       row_number() OVER (PARTITION BY key ORDER BY step DESC) - 1 AS place,
                       count(*) OVER (PARTITION BY key) AS points
                FROM tuning_runmetric WHERE run_id = %s
            ) AS numbered
            WHERE place %% GREATEST(1, (points + %s - 1) / %s) = 0
            ORDER BY key, step
            """,
            [run.pk, CHART_POINTS, CHART_POINTS],
        )
        found: dict[str, list[tuple[int, float]]] = {}
        for key, step, value in cursor.fetchall():
            found.setdefault(key, []).append((step, value))
    return found


def last_values(run: TrainingRun) -> list[RunMetric]:
    """The newest point of each metric."""
    return list(RunMetric.objects.filter(run=run).order_by("key", "-step").distinct("key"))
