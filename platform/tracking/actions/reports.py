"""What a run reports in passing: metrics, parameters, tags, what it read and made. Measured, not governed: no event for each."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Invalid, NotFound
from accounts.roles import Permission
from governance.ledger.actions import Action, record
from tracking.actions.common import (
    MAX_KEYS,
    MAX_PARAMETER,
    MAX_TAG,
    check_key,
    check_pairs,
    check_step,
    check_text,
    is_int64,
    lock_run,
    require_alive,
    run_target,
)
from tracking.actions.runs import NAME_TAG, require_open
from tracking.models import LoggedModel, ModelMetric, Run, RunInput, RunOutput

MAX_METRICS = 5_000
MAX_INPUTS = 1_000
SIGN_OF_LIFE = timedelta(seconds=10)

# History and latest values in one statement: a round trip is most of what a small report costs. A point that was kept
# before is kept once; the latest is the one of the highest step, then the newest, then the greatest. `run`: the CTE of its id.
KEEP = """points AS (
    SELECT run.run_id, point.* FROM run, unnest(%(keys)s::text[], %(steps)s::bigint[], %(times)s::bigint[], %(values)s::float8[])
    AS point(key, step, timestamp, value)
), kept AS (
    INSERT INTO tracking_metric (run_id, key, step, timestamp, value)
    SELECT run_id, key, step, timestamp, value FROM points ON CONFLICT DO NOTHING
), latest AS (
    INSERT INTO tracking_latestmetric AS latest (run_id, key, step, timestamp, value)
    SELECT DISTINCT ON (key) run_id, key, step, timestamp, value FROM points
    ORDER BY key, step DESC, timestamp DESC, value DESC
    ON CONFLICT (run_id, key) DO UPDATE
    SET step = EXCLUDED.step, timestamp = EXCLUDED.timestamp, value = EXCLUDED.value
    WHERE (EXCLUDED.step, EXCLUDED.timestamp, EXCLUDED.value) > (latest.step, latest.timestamp, latest.value)
)"""
_WRITE_PAIRS = """
UPDATE "tracking_run" SET "parameters" = %(parameters)s::jsonb || parameters, "tags" = tags || %(tags)s::jsonb,
    "heartbeat_at" = statement_timestamp()
WHERE id = %(run)s RETURNING parameters
"""


@dataclass(frozen=True)
class Point:
    """A measured number; `model` and `dataset` where it says something of a logged model, on a dataset."""

    key: str
    value: float
    step: int
    timestamp: int  # milliseconds since 1970
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


@transaction.atomic
def log_metrics(*, run: Run, metrics: Sequence[Mapping[str, Any]], by: Actor) -> int:
    """Keep reported numbers ({key, step, value} each); one that is reported again for its step is replaced. Returns how many."""
    require(by, Permission.RUN_CREATE, run.team)
    if len(metrics) > MAX_METRICS:
        raise Invalid("metrics", f"Send at most {MAX_METRICS} in one request.")
    now = int(time.time() * 1000)
    points: dict[tuple[str, int], Point] = {}
    for index, metric in enumerate(metrics):
        key, step, value = str(metric["key"]), int(metric["step"]), float(metric["value"])
        check_key(f"metrics[{index}].key", key)
        check_step(f"metrics[{index}].step", step)
        if not math.isfinite(value):
            raise Invalid(f"metrics[{index}].value", "Use a finite number; leave out what could not be measured.")
        points[key, step] = Point(key, value, step, now)
    run = lock_run(run)
    require_open(run)
    if not points:
        return 0
    with connection.cursor() as cursor:
        # Those of the same step go first, so that what is reported now is the latest even if it is smaller.
        arguments: dict[str, Any] = {
            "run": run.pk,
            "keys": [p.key for p in points.values()],
            "steps": [p.step for p in points.values()],
        }
        for table in ("tracking_metric", "tracking_latestmetric"):
            cursor.execute(
                f"DELETE FROM {table} WHERE run_id = %(run)s "  # noqa: S608  one of two names
                "AND (key, step) IN (SELECT * FROM unnest(%(keys)s::text[], %(steps)s::bigint[]))",
                arguments,
            )
    _keep(run, list(points.values()))
    run.heartbeat_at = timezone.now()
    run.save(update_fields=["heartbeat_at"])
    return len(points)


@transaction.atomic
def log_batch(
    *,
    run: Run,
    metrics: Sequence[Point] = (),
    parameters: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    by: Actor,
) -> None:
    """All that a client reports at once, in two statements. A parameter that has another value already is refused, and
    with it everything else; metrics are added to the history."""
    require(by, Permission.RUN_CREATE, run.team)
    parameters, tags = dict(parameters or {}), dict(tags or {})
    check_pairs("params", parameters, MAX_PARAMETER)
    check_pairs("tags", tags, MAX_TAG)
    check_points(metrics)
    require_alive(run)
    if not run.open_ended:
        require_open(run)
    if NAME_TAG in tags and (name := tags[NAME_TAG].strip()) and name != run.name:
        _rename_by_tag(run, name, by)
    if parameters or tags:
        _write_pairs(run, parameters, tags)
    if metrics:
        _keep(run, metrics)
        _keep_of_models(run, metrics)
        if not parameters and not tags:
            now = timezone.now()
            Run.objects.filter(pk=run.pk, heartbeat_at__lt=now - SIGN_OF_LIFE).update(heartbeat_at=now)


@transaction.atomic
def delete_run_tag(*, run: Run, key: str, by: Actor) -> None:
    require(by, Permission.RUN_CREATE, run.team)
    run = lock_run(run)
    require_alive(run)
    if key not in run.tags:
        raise NotFound(f"Run {run.uuid} has no tag '{key[:80]}'.")
    del run.tags[key]
    run.save(update_fields=["tags"])


@transaction.atomic
def log_inputs(*, run: Run, datasets: Sequence[Mapping[str, Any]], models: Sequence[str] = (), by: Actor) -> None:
    """Note the datasets ({name, digest, source_type, source, schema, profile, tags} each) and logged models that a run read."""
    require(by, Permission.RUN_CREATE, run.team)
    require_alive(run)
    if len(datasets) > MAX_INPUTS:
        raise Invalid("datasets", f"Send at most {MAX_INPUTS} in one request.")
    rows = []
    for index, given in enumerate(datasets):
        texts = {
            name: str(given.get(name) or "")
            for name in ("name", "digest", "source_type", "source", "schema", "profile")
        }
        check_key(f"datasets[{index}].name", texts["name"][:250])
        for name, longest in (("name", 500), ("digest", 100), ("source_type", 100)):
            check_text(f"datasets[{index}].{name}", texts[name], longest)
        for name in ("source", "schema", "profile"):
            check_text(f"datasets[{index}].{name}", texts[name], 1_048_576)
        tags = dict(given.get("tags") or {})
        check_pairs(f"datasets[{index}].tags", tags, MAX_TAG)
        rows.append(RunInput(run=run, tags=tags, **texts))
    RunInput.objects.bulk_create(rows, ignore_conflicts=True)
    _note_models(run, [(model, 0) for model in models], is_input=True)


@transaction.atomic
def log_outputs(*, run: Run, models: Sequence[tuple[str, int]], by: Actor) -> None:
    """Note the logged models (model id and step) that a run made."""
    require(by, Permission.RUN_CREATE, run.team)
    require_alive(run)
    _note_models(run, models, is_input=False)


def _note_models(run: Run, models: Sequence[tuple[str, int]], *, is_input: bool) -> None:
    found = {
        row.model_id: row for row in LoggedModel.objects.filter(team=run.team, model_id__in=[m for m, _ in models])
    }
    rows = []
    for model_id, step in models:
        if model_id not in found:
            raise NotFound(f"There is no logged model {model_id[:80]} in team {run.team}.")
        if not is_int64(step):
            raise Invalid("step", "Use a whole number of 64 bits.")
        rows.append(RunOutput(run=run, model=found[model_id], step=step, is_input=is_input))
    RunOutput.objects.bulk_create(rows, ignore_conflicts=True)


def check_points(points: Sequence[Point]) -> None:
    if len(points) > MAX_METRICS:
        raise Invalid("metrics", f"Send at most {MAX_METRICS} in one request.")
    for index, point in enumerate(points):
        check_key(f"metrics[{index}].key", point.key)
        if not is_int64(point.step):
            raise Invalid(f"metrics[{index}].step", "Use a whole number of 64 bits.")
        if not 0 <= point.timestamp < 253_402_300_800_000:
            raise Invalid(f"metrics[{index}].timestamp", "Use milliseconds since 1970.")


def columns_of(points: Sequence[Point]) -> dict[str, list[Any]]:
    """The parameters of KEEP: in one order everywhere, so that two reports of one run never wait for each other in a circle."""
    points = sorted(points, key=lambda point: (point.key, point.step, point.timestamp))
    return {
        "keys": [point.key for point in points],
        "steps": [point.step for point in points],
        "times": [point.timestamp for point in points],
        "values": [float(point.value) for point in points],
    }


def _keep(run: Run, points: Sequence[Point]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH run AS (SELECT %(run)s::bigint AS run_id), {KEEP} SELECT 1",
            {"run": run.pk, **columns_of(points)},
        )


def _keep_of_models(run: Run, points: Sequence[Point]) -> None:
    named = {point.model_id for point in points if point.model_id}
    if not named:
        return
    models = dict(LoggedModel.objects.filter(team=run.team, model_id__in=named).values_list("model_id", "pk"))
    rows = []
    for point in points:
        if not point.model_id:
            continue
        if point.model_id not in models:
            raise NotFound(f"There is no logged model {point.model_id[:80]} in team {run.team}.")
        check_text("dataset_name", point.dataset_name, 500)
        check_text("dataset_digest", point.dataset_digest, 100)
        rows.append(
            ModelMetric(
                model_id=models[point.model_id], run=run, key=point.key, step=point.step, timestamp=point.timestamp,
                value=point.value, dataset_name=point.dataset_name, dataset_digest=point.dataset_digest,
            )
        )  # fmt: skip
    ModelMetric.objects.bulk_create(rows, ignore_conflicts=True)


def _write_pairs(run: Run, parameters: Mapping[str, str], tags: Mapping[str, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE_PAIRS, {"run": run.pk, "parameters": json.dumps(parameters), "tags": json.dumps(tags)}
        )  # fmt: skip
        row = cursor.fetchone()
    if row is None:
        raise NotFound("There is no such run.")
    now: dict[str, Any] = json.loads(row[0]) if isinstance(row[0], str) else row[0]
    for key, value in parameters.items():
        if now[key] != value:
            raise Invalid(
                "params",
                f"Changing param values is not allowed. Param with key='{key}' was already logged with "
                f"value='{now[key]}' for run ID='{run.uuid}'. Attempted logging new value '{value}'.",
                code="parameter_is_written_once",
            )
    if len(now) > MAX_KEYS:
        raise Invalid("params", f"A run has at most {MAX_KEYS} parameters.")


def _rename_by_tag(run: Run, name: str, by: Actor) -> None:
    check_text("tags", name, 250)
    before = run.name
    Run.objects.filter(pk=run.pk).update(name=name)
    run.name = name
    record(
        Action.RUN_RENAMED,
        by=by,
        team=run.team.name,
        target=run_target(run),
        before={"name": before},
        after={"name": name},
    )
