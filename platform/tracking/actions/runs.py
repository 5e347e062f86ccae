"""Changes to runs: their beginning, their states and their end."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.access import SYSTEM, Actor, require
from accounts.errors import Conflict, Invalid
from accounts.models import Team
from accounts.roles import Permission
from governance.ledger.actions import Action, record
from tracking.actions.common import (
    MAX_TAG,
    check_pairs,
    check_step,
    check_text,
    checked_parameters,
    is_storable,
    lock_run,
    person,
    require_alive,
    run_target,
)
from tracking.models import Experiment, Run
from tracking.models.runs import LOST_AFTER

State = Run.State
# From a state to those that may follow; what has ended stays so, but for open-ended runs, which may go on.
TRANSITIONS: dict[str, frozenset[str]] = {
    State.QUEUED: frozenset({State.RUNNING, State.SUCCEEDED, State.FAILED, State.CANCELLED}),
    State.RUNNING: frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}
LOST = "Lost: nothing was heard of it for 10 minutes."
NAME_TAG = "mlflow.runName"  # by this tag clients name a run, too
_FIRST = "amber brisk calm clear copper eager early fleet gentle keen lucid mellow nimble quiet rapid silver steady vivid warm wise"
_SECOND = "badger crane finch fox hare heron jay kite lark lynx marten otter owl raven robin seal stoat swift tern wren"
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@transaction.atomic
def create_run(
    *, team: Team, name: str, kind: str = "training", total_steps: int = 0,
    parameters: Mapping[str, Any] | None = None, experiment: Experiment | None = None, by: Actor,
) -> Run:  # fmt: skip
    """A new run, queued until its first report of another state. `total_steps` 0: not known beforehand; without an
    experiment it lies in the team's default one."""
    require(by, Permission.RUN_CREATE, team)
    user = person(by)
    name = name.strip()
    if not name or len(name) > 120 or not is_storable(name):
        raise Invalid("name", "Say in 1 to 120 characters what the run does.")
    if kind not in set(Run.Kind):
        raise Invalid("kind", f"Use one of {', '.join(Run.Kind)}.")
    check_step("total_steps", total_steps)
    checked = checked_parameters(parameters or {})
    run = Run.objects.create(
        team=team,
        experiment=_experiment(team, experiment),
        kind=kind,
        name=name,
        total_steps=total_steps,
        parameters=checked,
        created_by=user,
    )
    after = {"kind": kind, "total_steps": total_steps, "parameters": run.parameters}
    record(Action.RUN_CREATED, by=by, team=team.name, target=run_target(run), after=after)
    return run


@transaction.atomic
def start_run(
    *, team: Team, experiment: Experiment, name: str = "", started_at: datetime | None = None,
    tags: Mapping[str, str] | None = None, user_name: str = "", by: Actor,
) -> Run:  # fmt: skip
    """A run of a client that works already: open-ended, running from `started_at` (now). Without a name it gets one."""
    require(by, Permission.RUN_CREATE, team)
    user = person(by)
    experiment = _experiment(team, experiment)
    if experiment.deleted_at is not None:
        raise Conflict(f"Experiment '{experiment}' is deleted. Restore it first.", code="experiment_is_deleted")
    run = new_run(name=name, started_at=started_at, tags=tags or {}, user_name=user_name)
    run.team, run.experiment, run.created_by = team, experiment, user
    run.save(force_insert=True)
    record(
        Action.RUN_CREATED,
        by=by,
        team=team.name,
        target=run_target(run),
        after={"kind": run.kind, "state": run.state, "experiment": experiment.name, "run_id": run.uuid},
    )
    return run


def new_run(*, name: str, started_at: datetime | None, tags: Mapping[str, str], user_name: str) -> Run:
    """What `start_run` saves, checked, but for whose it is."""
    name = name.strip() or tags.get(NAME_TAG, "").strip() or _some_name()
    tags = {**tags, NAME_TAG: name}
    check_text("run_name", name, 250)
    check_text("user_id", user_name, 255)
    check_pairs("tags", tags, MAX_TAG)
    began = started_at or timezone.now()
    return Run(
        name=name, state=State.RUNNING, open_ended=True, tags=tags, user_name=user_name, started_at=began, began_at=began
    )  # fmt: skip


@transaction.atomic
def update_run(
    *, run: Run, state: str | None = None, step: int | None = None, message: str | None = None, by: Actor
) -> Run:
    """A report of whoever runs it. What is left out stays; every report counts as a sign of life."""
    require(by, Permission.RUN_CREATE, run.team)
    run = lock_run(run)
    require_open(run)
    if state is not None and state != run.state and state not in TRANSITIONS[run.state]:
        raise Invalid("state", f"A run that is {run.state} can become {', '.join(sorted(TRANSITIONS[run.state]))}.")
    if step is not None:
        check_step("step", step)
        if run.total_steps and step > run.total_steps:
            raise Invalid("step", f"The run was announced with {run.total_steps} steps.")
        run.step = step
    if message is not None:
        check_text("message", message, 2_000)
        run.message = message.strip()
    now = timezone.now()
    run.heartbeat_at = now
    if state == State.RUNNING and run.started_at is None:
        run.started_at = run.began_at = now
    run.save(update_fields=["step", "message", "heartbeat_at", "started_at", "began_at"])
    if state is not None and state in Run.ENDED:
        _end(run, state, by)
    elif state is not None and state != run.state:
        _start(run, state, by)
    return run


@transaction.atomic
def follow_run(
    *, run: Run, state: str | None = None, ended_at: datetime | None = None, name: str | None = None, by: Actor
) -> Run:
    """What a client says of its run: a state, an end, another name. An open-ended run that has ended may go on."""
    require(by, Permission.RUN_CREATE, run.team)
    run = lock_run(run)
    require_alive(run)
    if name and name.strip() != run.name:
        _rename(run, name.strip(), by)
    if state is None or (state == run.state and ended_at is None):
        return run
    if not run.open_ended and state != run.state and state not in TRANSITIONS[run.state]:
        require_open(run)
        raise Invalid("status", f"A run that is {run.state} can become {', '.join(sorted(TRANSITIONS[run.state]))}.")
    run.heartbeat_at = timezone.now()
    if state in Run.ENDED:
        run.save(update_fields=["heartbeat_at"])
        _end(run, state, by, ended_at)
        return run
    run.finished_at = None
    if run.started_at is None and state == State.RUNNING:
        run.started_at = run.began_at = run.heartbeat_at
    run.save(update_fields=["heartbeat_at", "started_at", "began_at"])
    _start(run, state, by)
    return run


@transaction.atomic
def cancel_run(*, run: Run, by: Actor) -> Run:
    """End it here; whoever runs it learns so from the answer (409) to its next report. An open-ended one is only told off."""
    require(by, Permission.RUN_CREATE, run.team)
    run = lock_run(run)
    require_open(run)
    _end(run, State.CANCELLED, by)
    return run


@transaction.atomic
def delete_run(*, run: Run, by: Actor) -> Run:
    """Put it away. It can be restored until it is purged, with its files, after thirty days."""
    require(by, Permission.RUN_CREATE, run.team)
    run = lock_run(run)
    require_alive(run)
    run.deleted_at = timezone.now()
    run.save(update_fields=["deleted_at"])
    record(Action.RUN_DELETED, by=by, team=run.team.name, target=run_target(run))
    return run


@transaction.atomic
def restore_run(*, run: Run, by: Actor) -> Run:
    require(by, Permission.RUN_CREATE, run.team)
    run = lock_run(run)
    if run.deleted_at is None:
        raise Conflict(f"Run {run.uuid} is not deleted.")
    if run.experiment.deleted_at is not None:
        raise Conflict(f"Experiment '{run.experiment}' is deleted. Restore it first.", code="experiment_is_deleted")
    run.deleted_at = None
    run.save(update_fields=["deleted_at"])
    record(Action.RUN_RESTORED, by=by, team=run.team.name, target=run_target(run))
    return run


def close_lost() -> int:
    """Runs of which nothing was heard for ten minutes have failed. Returns how many; any number may call it at once."""
    lost = Run.objects.filter(state=State.RUNNING, open_ended=False, heartbeat_at__lt=timezone.now() - LOST_AFTER)
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


def require_open(run: Run) -> None:
    """Raise Conflict for a run that takes no more reports."""
    require_alive(run)
    if run.has_ended:
        raise Conflict(
            f"Run {run.pk} is {run.state} since {run.finished_at:%Y-%m-%d %H:%M:%S} UTC; nothing more is kept of it."
        )


def _start(run: Run, state: str, by: Actor) -> None:
    before = run.state
    run.state = state
    run.save(update_fields=["state", "finished_at"])
    record(
        Action.RUN_STARTED,
        by=by,
        team=run.team.name,
        target=run_target(run),
        before={"state": before},
        after={"state": state},
    )


def _end(run: Run, state: str, by: Actor, at: datetime | None = None) -> None:
    before = run.state
    run.state = state
    run.finished_at = at or timezone.now()
    run.save(update_fields=["state", "finished_at"])
    record(
        Action.RUN_FINISHED,
        by=by,
        team=run.team.name,
        target=run_target(run),
        before={"state": before},
        after={"state": state, "step": run.step, "message": run.message},
    )


def _rename(run: Run, name: str, by: Actor) -> None:
    check_text("run_name", name, 250)
    before, run.name = run.name, name
    run.tags = {**run.tags, NAME_TAG: name}
    run.save(update_fields=["name", "tags"])
    record(
        Action.RUN_RENAMED,
        by=by,
        team=run.team.name,
        target=run_target(run),
        before={"name": before},
        after={"name": name},
    )


def _experiment(team: Team, experiment: Experiment | None) -> Experiment:
    if experiment is None:
        return Experiment.objects.get(team=team, is_default=True)
    if experiment.team_id != team.pk:
        raise Invalid("experiment", f"Team {team} has no such experiment.")
    return experiment


def _some_name() -> str:
    return f"{secrets.choice(_FIRST.split())}-{secrets.choice(_SECOND.split())}-{secrets.randbelow(1000)}"


def moment(milliseconds: int) -> datetime:
    """A client's time, in milliseconds since 1970."""
    if not 0 <= milliseconds < 253_402_300_800_000:
        raise Invalid("timestamp", "Use milliseconds since 1970.")
    return _EARLIEST + timedelta(milliseconds=milliseconds)
