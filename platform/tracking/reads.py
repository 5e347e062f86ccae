"""Finding experiments, runs, logged models and their files as an actor sees them."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Prefetch, Q, QuerySet

from accounts.access import Actor
from accounts.errors import NotFound
from accounts.models import Team
from accounts.numbers import whole
from registry import gates
from registry.models import Artifact, Version
from tracking.actions.artifacts import Owner, kind_of
from tracking.models import Experiment, LatestMetric, LoggedModel, Metric, Run
from tracking.models.experiments import ExperimentQuerySet
from tracking.models.logged_models import LoggedModelQuerySet
from tracking.models.runs import RunQuerySet

# A chart has no more pixels to show.
CHART_POINTS = 400
_MOST = 1_000
_TOO_BIG = 2**63


def list_experiments(by: Actor, *, team: str = "", search: str = "", deleted: bool = False) -> ExperimentQuerySet:
    rows = Experiment.objects.visible_to(by).filter(deleted_at__isnull=not deleted).select_related("team")
    if team:
        rows = rows.filter(team__name=team)
    for word in search.split()[:5]:
        rows = rows.filter(name__icontains=word)
    return rows


def get_experiment(by: Actor, experiment_id: int) -> Experiment:
    rows = Experiment.objects.visible_to(by).select_related("team", "created_by")
    found = rows.filter(pk=experiment_id).first() if experiment_id < _TOO_BIG else None
    if found is None:
        raise NotFound(f"There is no experiment {experiment_id} that you can see.")
    return found


def experiment_of(team: Team, wire_id: str) -> Experiment:
    """A team's experiment by the number that clients know it by: 0 is its default one."""
    rows = Experiment.objects.select_related("team").filter(team=team)
    found = None
    if wire_id == "0":
        found = rows.filter(is_default=True).first()
    elif (number := whole(wire_id, below=_TOO_BIG)) is not None:
        found = rows.filter(pk=number).first()
    if found is None:
        raise NotFound(f"No Experiment with id={wire_id[:40]} exists")
    return found


def wire_id(experiment: Experiment) -> str:
    return "0" if experiment.is_default else str(experiment.pk)


def list_runs(
    by: Actor, *, team: str = "", state: str = "", search: str = "", experiment: int | None = None
) -> RunQuerySet:
    """The runs that the actor sees, newest first."""
    rows = Run.objects.visible_to(by).alive().select_related("team", "created_by", "experiment")
    if team:
        rows = rows.filter(team__name=team)
    if state:
        rows = rows.filter(state=state)
    if experiment is not None:
        rows = rows.filter(experiment_id=experiment if experiment < _TOO_BIG else -1)
    for word in search.split()[:5]:
        rows = rows.filter(name__icontains=word)
    return rows


def get_run(by: Actor, run_id: int) -> Run:
    """A run that the actor sees, a deleted one too: its page says so."""
    rows = Run.objects.visible_to(by).select_related("team", "created_by", "experiment")
    run = rows.filter(pk=run_id).first() if run_id < _TOO_BIG else None
    if run is None:
        raise NotFound(f"There is no run {run_id} that you can see.")
    return run


def run_of(team: Team, uuid: str) -> Run:
    """A team's run by the 32 digits that clients know it by, deleted or not."""
    rows = Run.objects.select_related("team", "experiment").filter(team=team, uuid=uuid[:40])
    run = rows.first()
    if run is None:
        raise NotFound(f"Run with id={uuid[:40]} not found")
    return run


def with_reports(rows: RunQuerySet) -> RunQuerySet:
    """With what clients are told of each run: latest metrics, inputs, outputs. Three queries, whatever their number."""
    return rows.select_related("experiment").prefetch_related(
        Prefetch("latest_metrics", queryset=LatestMetric.objects.order_by("key")), "inputs", "outputs__model"
    )


def logged_model_of(team: Team, model_id: str) -> LoggedModel:
    """A team's logged model by the id that clients know it by ('m-…')."""
    rows = LoggedModel.objects.alive().select_related("team", "experiment", "source_run")
    model = rows.filter(team=team, model_id=model_id[:40]).first()
    if model is None:
        raise NotFound(f"Logged model with ID '{model_id[:40]}' not found.")
    return model


def get_logged_model(by: Actor, model_id: str) -> LoggedModel:
    rows = LoggedModel.objects.visible_to(by).alive().select_related("team", "experiment", "source_run", "created_by")
    model = rows.filter(model_id=model_id[:40]).first()
    if model is None:
        raise NotFound(f"There is no logged model '{model_id[:40]}' that you can see.")
    return model


def versions_of_model(by: Actor, model: LoggedModel) -> QuerySet[Version]:
    """The versions that were registered from a logged model, newest first: as clients name it, or from its own address."""
    named = Q(facts__mlflow__model_id=model.model_id)
    rows = Version.objects.visible_to(by).filter(named, asset__team=model.team_id)
    return rows.select_related("asset__team").order_by("-pk")


def models_with_reports(rows: LoggedModelQuerySet) -> LoggedModelQuerySet:
    return rows.select_related("experiment", "source_run").prefetch_related("metrics__run")


def artifact_rows(owner_kind: str, owner_id: int, under: str = "") -> QuerySet[Artifact]:
    """The files of a run ('run') or logged model ('logged_model'), with their bytes' rows; `under`: below this folder."""
    rows = Artifact.objects.filter(owner_kind=owner_kind, owner_id=owner_id).select_related("blob")
    return rows.filter(Q(path=under) | Q(path__startswith=f"{under}/")) if under else rows


def get_artifact(owner: Owner, path: str) -> Artifact:
    rows = Artifact.objects.filter(owner_kind=kind_of(owner), owner_id=owner.pk, path=path[:501]).select_related("blob")
    found = rows.first()
    if found is None:
        raise NotFound(f"No such artifact: '{path[:500]}'")
    return found


def check_left(by: Actor, owner: Owner, blobs: Collection[str]) -> None:
    """Raise Forbidden (code 'gated') where a gated version was made of these files of a run or logged model, and its files are not
    this actor's to have."""
    if isinstance(owner, Run):
        gates.check_left(by, run_id=owner.pk, blobs=blobs)
    else:
        gates.check_left(by, run_id=owner.source_run_id, model_id=owner.model_id, blobs=blobs)


@dataclass(frozen=True)
class Entry:
    """A file or folder, by its name in the folder listed. size: bytes; None for folders."""

    name: str
    is_folder: bool
    size: int | None


def list_folder(owner: Owner, folder: str = "") -> list[Entry]:
    """What lies in one folder: its files and folders by name, none where there is no such folder."""
    prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT split_part(substr(path, length(%(prefix)s) + 1), '/', 1) AS name,
                   bool_or(strpos(substr(path, length(%(prefix)s) + 1), '/') > 0) AS is_folder, max(blob.size)
            FROM registry_artifact JOIN registry_blob blob ON blob.sha256 = blob_id
            WHERE owner_kind = %(kind)s AND owner_id = %(owner)s AND starts_with(path, %(prefix)s)
            GROUP BY 1 ORDER BY 1
            """,
            {"prefix": prefix, "kind": kind_of(owner), "owner": owner.pk},
        )
        return [Entry(name, folder, None if folder else size) for name, folder, size in cursor.fetchall()]


def versions_made(by: Actor, run: Run) -> list[Version]:
    """The versions that name this run as their source, of its own team."""
    rows = Version.objects.visible_to(by).filter(source_run_id=run.pk, asset__team_id=run.team_id)
    return list(rows.select_related("asset__team").order_by("asset_id", "number")[:100])


Point = tuple[int, int, float | None]


def curves(runs: Sequence[Run], keys: Iterable[str] = ()) -> Mapping[tuple[int, str], list[Point]]:
    """By run and key the points (step, milliseconds since 1970, value; None for NaN and infinity), thinned out evenly to
    what a chart can show; the last point always stays. Without keys: every metric."""
    wanted = list(keys)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT run_id, key, step, timestamp, value FROM (
                SELECT run_id, key, step, timestamp, value, id,
                       row_number() OVER (PARTITION BY run_id, key ORDER BY step DESC, timestamp DESC, id DESC) - 1 AS place,
                       count(*) OVER (PARTITION BY run_id, key) AS points
                FROM tracking_metric WHERE run_id = ANY(%(runs)s) AND (%(all)s OR key = ANY(%(keys)s))
            ) AS numbered
            WHERE place %% GREATEST(1, (points + %(most)s - 1) / %(most)s) = 0
            ORDER BY run_id, key, step, timestamp, id
            """,
            {"runs": [run.pk for run in runs], "keys": wanted, "all": not wanted, "most": CHART_POINTS},
        )
        found: dict[tuple[int, str], list[Point]] = {}
        for run_id, key, step, timestamp, value in cursor.fetchall():
            found.setdefault((run_id, key), []).append((step, timestamp, value if math.isfinite(value) else None))
    return found


def last_values(run: Run) -> list[LatestMetric]:
    """The newest point of each metric."""
    return list(LatestMetric.objects.filter(run=run).order_by("key")[:_MOST])


def metric_rows(run: Run, key: str = "") -> QuerySet[Metric]:
    rows = Metric.objects.filter(run=run)
    return rows.filter(key=key) if key else rows


@dataclass(frozen=True)
class Activity:
    """runs: how many, counted up to 1,001."""

    runs: int
    running: int
    last: object


def activity(experiments: Sequence[Experiment]) -> Mapping[int, Activity]:
    """How much there is in each experiment, and when a run last began: one query."""
    if not experiments:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT e.id,
                (SELECT count(*) FROM (SELECT 1 FROM tracking_run r WHERE r.experiment_id = e.id AND r.deleted_at IS NULL
                                       LIMIT 1001) AS counted),
                (SELECT count(*) FROM (SELECT 1 FROM tracking_run r WHERE r.experiment_id = e.id AND r.deleted_at IS NULL
                                       AND r.state = 'running' LIMIT 1001) AS counted),
                (SELECT r.began_at FROM tracking_run r WHERE r.experiment_id = e.id AND r.deleted_at IS NULL
                 ORDER BY r.experiment_id, r.began_at DESC LIMIT 1)
            FROM unnest(%s::bigint[]) AS e(id)
            """,
            [[experiment.pk for experiment in experiments]],
        )
        return {pk: Activity(runs, running, last) for pk, runs, running, last in cursor.fetchall()}


def known_names(experiment: Experiment) -> tuple[list[str], list[str]]:
    """The names of metrics and parameters that the newest runs of an experiment have: what its table can show."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH newest AS MATERIALIZED (
                SELECT id, parameters FROM tracking_run WHERE experiment_id = %s AND deleted_at IS NULL
                ORDER BY began_at DESC, id DESC LIMIT 50
            )
            SELECT 'metric', key FROM tracking_latestmetric WHERE run_id IN (SELECT id FROM newest)
            UNION SELECT 'param', jsonb_object_keys(parameters) FROM newest ORDER BY 1, 2 LIMIT 400
            """,
            [experiment.pk],
        )
        rows = cursor.fetchall()
    return [key for kind, key in rows if kind == "metric"], [key for kind, key in rows if kind == "param"]
