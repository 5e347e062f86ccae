"""Changes to training runs."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.access import SYSTEM, Actor, require
from accounts.errors import Conflict, Forbidden, Invalid, NotFound
from accounts.models import Team
from accounts.roles import Permission
from governance.ledger.actions import Action, Target, record
from tuning.models import LOST_AFTER, RunMetric, TrainingRun

State = TrainingRun.State
# From a state to those that may follow; what has ended stays so.
TRANSITIONS: dict[str, frozenset[str]] = {
    State.QUEUED: frozenset({State.RUNNING, State.SUCCEEDED, State.FAILED, State.CANCELLED}),
    State.RUNNING: frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}
MAX_STEP = 2**53  # what JSON numbers hold exactly
MAX_PARAMETERS = 64 * 1024
MAX_METRICS = 5_000
LOST = "Lost: nothing was heard of it for 10 minutes."


@transaction.atomic
def create_run(
    *, team: Team, name: str, kind: str = "training", total_steps: int = 0,
    parameters: Mapping[str, Any] | None = None, by: Actor,
) -> TrainingRun:  # fmt: skip
    """A new run, queued until its first report of another state. `total_steps` 0: not known beforehand."""
    require(by, Permission.RUN_CREATE, team)
    if by.user is None:
        raise Forbidden("Sign in to start a run.")
    name = name.strip()
    if not name or len(name) > 120 or "\0" in name:
        raise Invalid("name", "Say in 1 to 120 characters what the run does.")
    if kind not in set(TrainingRun.Kind):
        raise Invalid("kind", f"Use one of {', '.join(TrainingRun.Kind)}.")
    _check_step("total_steps", total_steps)
    run = TrainingRun.objects.create(
        team=team,
        kind=kind,
        name=name,
        total_steps=total_steps,
        parameters=_checked_parameters(parameters or {}),
        created_by=by.user,
    )
    record(
        Action.RUN_CREATED,
        by=by,
        team=team.name,
        target=_target(run),
        after={"kind": kind, "total_steps": total_steps, "parameters": run.parameters},
    )
    return run


@transaction.atomic
def update_run(
    *, run: TrainingRun, state: str | None = None, step: int | None = None, message: str | None = None, by: Actor
) -> TrainingRun:
    """A report of whoever runs it. What is left out stays; every report counts as a sign of life."""
    require(by, Permission.RUN_CREATE, run.team)
    run = _lock(run)
    _require_open(run)
    if state is not None and state != run.state and state not in TRANSITIONS[run.state]:
        raise Invalid("state", f"A run that is {run.state} can become {', '.join(sorted(TRANSITIONS[run.state]))}.")
    if step is not None:
        _check_step("step", step)
        if run.total_steps and step > run.total_steps:
            raise Invalid("step", f"The run was announced with {run.total_steps} steps.")
        run.step = step
    if message is not None:
        if len(message) > 2_000 or "\0" in message:
            raise Invalid("message", "Use at most 2000 characters of text.")
        run.message = message.strip()
    now = timezone.now()
    run.heartbeat_at = now
    if state == State.RUNNING and run.started_at is None:
        run.started_at = now
    fields = ["step", "message", "heartbeat_at", "started_at"]
    if state is not None and state in TrainingRun.ENDED:
        run.save(update_fields=fields)
        _end(run, state, by)
    else:
        run.save(update_fields=fields)
        if state is not None and state != run.state:
            _start(run, state, by)
    return run


@transaction.atomic
def log_metrics(*, run: TrainingRun, metrics: Sequence[Mapping[str, Any]], by: Actor) -> int:
    """Keep reported numbers ({key, step, value} each) in one statement; one that is reported again is replaced. Returns how many."""
    require(by, Permission.RUN_CREATE, run.team)
    if len(metrics) > MAX_METRICS:
        raise Invalid("metrics", f"Send at most {MAX_METRICS} in one request.")
    rows: dict[tuple[str, int], RunMetric] = {}
    for index, metric in enumerate(metrics):
        key, step, value = str(metric["key"]), int(metric["step"]), float(metric["value"])
        if not key or len(key) > 80 or "\0" in key:
            raise Invalid(f"metrics[{index}].key", "Name the metric in 1 to 80 characters.")
        _check_step(f"metrics[{index}].step", step)
        if not math.isfinite(value):
            raise Invalid(f"metrics[{index}].value", "Use a finite number; leave out what could not be measured.")
        rows[key, step] = RunMetric(run=run, key=key, step=step, value=value)
    run = _lock(run)
    _require_open(run)
    RunMetric.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["run", "key", "step"],
        update_fields=["value", "reported_at"],
    )
    run.heartbeat_at = timezone.now()
    run.save(update_fields=["heartbeat_at"])
    return len(rows)


@transaction.atomic
def cancel_run(*, run: TrainingRun, by: Actor) -> TrainingRun:
    """End it here; whoever runs it learns so from the answer (409) to its next report."""
    require(by, Permission.RUN_CREATE, run.team)
    run = _lock(run)
    _require_open(run)
    _end(run, State.CANCELLED, by)
    return run


def close_lost() -> int:
    """Runs of which nothing was heard for ten minutes have failed. Returns how many; any number may call it at once."""
    lost = TrainingRun.objects.filter(state=State.RUNNING, heartbeat_at__lt=timezone.now() - LOST_AFTER)
    closed = 0
    for pk in list(lost.values_list("pk", flat=True)[:500]):
        with transaction.atomic():
            run = lost.select_for_update(skip_locked=True, of=("self",)).select_related("team").filter(pk=pk).first()
            if run:
                run.message = LOST
                run.save(update_fields=["message"])
                _end(run, State.FAILED, SYSTEM)
                closed += 1
    return closed


def _start(run: TrainingRun, state: str, by: Actor) -> None:
    before = run.state
    run.state = state
    run.save(update_fields=["state"])
    record(
        Action.RUN_STARTED,
        by=by,
        team=run.team.name,
        target=_target(run),
        before={"state": before},
        after={"state": state},
    )


def _end(run: TrainingRun, state: str, by: Actor) -> None:
    before = run.state
    run.state = state
    run.finished_at = timezone.now()
    run.save(update_fields=["state", "finished_at"])
    record(
        Action.RUN_FINISHED,
        by=by,
        team=run.team.name,
        target=_target(run),
        before={"state": before},
        after={"state": state, "step": run.step, "message": run.message},
    )


def _lock(run: TrainingRun) -> TrainingRun:
    found = TrainingRun.objects.select_for_update(of=("self",)).select_related("team").filter(pk=run.pk).first()
    if found is None:
        raise NotFound("There is no such run.")
    return found


def _require_open(run: TrainingRun) -> None:
    if run.has_ended:
        raise Conflict(
            f"Run {run.pk} is {run.state} since {run.finished_at:%Y-%m-%d %H:%M:%S} UTC; nothing more is kept of it."
        )


def _check_step(field: str, step: int) -> None:
    if not 0 <= step <= MAX_STEP:
        raise Invalid(field, "Use a whole number from 0.")


def _checked_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(parameters, allow_nan=False)
    except ValueError:
        raise Invalid("parameters", "Use finite numbers: NaN and Infinity are no JSON.") from None
    if len(text) > MAX_PARAMETERS or "\\u0000" in text:
        raise Invalid("parameters", "Use at most 64 KiB of JSON, without NUL characters.")
    return dict(parameters)


def _target(run: TrainingRun) -> Target:
    return Target("run", run.pk, run.name)
