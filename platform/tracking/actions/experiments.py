"""Changes to experiments."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Conflict, Invalid
from accounts.models import Team
from accounts.roles import Permission
from governance.ledger.actions import Action, record
from tracking.actions.common import (
    MAX_EXPERIMENT_TAG,
    check_key,
    check_pairs,
    check_text,
    experiment_target,
    is_storable,
    lock_experiment,
    person,
)
from tracking.models import Experiment, LoggedModel, Run


@transaction.atomic
def create_experiment(*, team: Team, name: str, tags: Mapping[str, str] | None = None, by: Actor) -> Experiment:
    """A new folder for runs. Its name is the team's only one, deleted experiments included."""
    require(by, Permission.RUN_CREATE, team)
    name = _checked_name(name)
    check_pairs("tags", tags or {}, MAX_EXPERIMENT_TAG)
    try:
        with transaction.atomic():
            experiment = Experiment.objects.create(team=team, name=name, tags=dict(tags or {}), created_by=person(by))
    except IntegrityError:
        raise _taken(name) from None
    record(
        Action.EXPERIMENT_CREATED,
        by=by,
        team=team.name,
        target=experiment_target(experiment),
        after={"name": name, "tags": experiment.tags},
    )
    return experiment


@transaction.atomic
def rename_experiment(*, experiment: Experiment, name: str, by: Actor) -> Experiment:
    require(by, Permission.RUN_CREATE, experiment.team)
    name = _checked_name(name)
    experiment = lock_experiment(experiment)
    _require_alive(experiment)
    if experiment.is_default:
        raise Conflict("The team's default experiment keeps its name: clients rely on it.", code="default_experiment")
    before = experiment.name
    if before == name:
        return experiment
    experiment.name = name
    try:
        with transaction.atomic():
            _save(experiment, "name")
    except IntegrityError:
        raise _taken(name) from None
    _tell(Action.EXPERIMENT_CHANGED, experiment, by, {"name": before}, {"name": name})
    return experiment


@transaction.atomic
def set_experiment_tag(*, experiment: Experiment, key: str, value: str, by: Actor) -> Experiment:
    """Write one tag; the one named Experiment.NOTE is the description that pages show."""
    require(by, Permission.RUN_CREATE, experiment.team)
    check_key("key", key)
    check_text("value", value, MAX_EXPERIMENT_TAG)
    experiment = lock_experiment(experiment)
    _require_alive(experiment)
    before = experiment.tags.get(key)
    if before == value:
        return experiment
    experiment.tags = {**experiment.tags, key: value}
    check_pairs("tags", experiment.tags, MAX_EXPERIMENT_TAG)
    _save(experiment, "tags")
    _tell(Action.EXPERIMENT_CHANGED, experiment, by, {"tags": {key: before}} if before else {}, {"tags": {key: value}})
    return experiment


@transaction.atomic
def delete_experiment_tag(*, experiment: Experiment, key: str, by: Actor) -> Experiment:
    """Take one tag away; nothing happens where it is not there."""
    require(by, Permission.RUN_CREATE, experiment.team)
    experiment = lock_experiment(experiment)
    _require_alive(experiment)
    if key not in experiment.tags:
        return experiment
    before = experiment.tags.pop(key)
    _save(experiment, "tags")
    _tell(Action.EXPERIMENT_CHANGED, experiment, by, {"tags": {key: before}}, {"tags": {}})
    return experiment


@transaction.atomic
def delete_experiment(*, experiment: Experiment, by: Actor) -> Experiment:
    """Put it and its runs away; both can be restored until the runs are purged."""
    require(by, Permission.RUN_CREATE, experiment.team)
    experiment = lock_experiment(experiment)
    _require_alive(experiment)
    if experiment.is_default:
        raise Conflict("The team's default experiment stays: clients rely on it.", code="default_experiment")
    now = timezone.now()
    experiment.deleted_at = now
    _save(experiment, "deleted_at")
    runs = Run.objects.filter(experiment=experiment, deleted_at=None).update(deleted_at=now)
    LoggedModel.objects.filter(experiment=experiment, deleted_at=None).update(deleted_at=now)
    _tell(Action.EXPERIMENT_DELETED, experiment, by, None, {"runs": runs})
    return experiment


@transaction.atomic
def restore_experiment(*, experiment: Experiment, by: Actor) -> Experiment:
    """Bring it back, with the runs that were put away with it."""
    require(by, Permission.RUN_CREATE, experiment.team)
    experiment = lock_experiment(experiment)
    if experiment.deleted_at is None:
        raise Conflict(f"Experiment '{experiment}' is not deleted.")
    then: datetime = experiment.deleted_at
    experiment.deleted_at = None
    _save(experiment, "deleted_at")
    runs = Run.objects.filter(experiment=experiment, deleted_at=then).update(deleted_at=None)
    LoggedModel.objects.filter(experiment=experiment, deleted_at=then).update(deleted_at=None)
    _tell(Action.EXPERIMENT_RESTORED, experiment, by, None, {"runs": runs})
    return experiment


def _save(experiment: Experiment, field: str) -> None:
    experiment.updated_at = timezone.now()
    experiment.save(update_fields=[field, "updated_at"])


def _tell(
    action: Action, experiment: Experiment, by: Actor, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> None:
    record(
        action, by=by, team=experiment.team.name, target=experiment_target(experiment), before=before, after=after
    )  # fmt: skip


def _require_alive(experiment: Experiment) -> None:
    if experiment.deleted_at is not None:
        raise Conflict(f"Experiment '{experiment}' is deleted. Restore it first.", code="experiment_is_deleted")


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 500 or not is_storable(name):
        raise Invalid("name", "Name the experiment in 1 to 500 characters.")
    return name


def _taken(name: str) -> Conflict:
    return Conflict(
        f"The team has an experiment '{name}' already, perhaps a deleted one. Use another name, or restore it.",
        code="name_taken",
    )
