"""Changes to logged models."""

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Invalid
from accounts.models import Team
from accounts.roles import Permission
from governance.ledger.actions import Action, record
from tracking.actions.common import (
    MAX_PARAMETER,
    MAX_TAG,
    check_pairs,
    check_text,
    is_storable,
    lock_model,
    model_target,
    person,
    run_target,
)
from tracking.models import Experiment, LoggedModel, Run


@transaction.atomic
def create_logged_model(
    *, team: Team, experiment: Experiment, name: str = "", model_type: str = "", source_run: Run | None = None,
    params: Mapping[str, str] | None = None, tags: Mapping[str, str] | None = None, by: Actor,
) -> LoggedModel:  # fmt: skip
    """A model that is about to be logged: pending until it is said to be ready."""
    require(by, Permission.RUN_CREATE, team)
    user = person(by)
    if experiment.team_id != team.pk or experiment.deleted_at is not None:
        raise Invalid("experiment_id", f"Team {team} has no such experiment, or it is deleted.")
    name = name.strip() or "model"
    if len(name) > 500 or not is_storable(name) or any(sign in name for sign in "/:.%\"'"):
        raise Invalid("name", "Name the model in 1 to 500 characters, none of them / : . % \" '.")
    check_text("model_type", model_type, 500)
    check_pairs("params", params or {}, MAX_PARAMETER)
    check_pairs("tags", tags or {}, MAX_TAG)
    model = LoggedModel.objects.create(
        team=team,
        experiment=experiment,
        name=name,
        model_type=model_type,
        source_run=source_run,
        params=dict(params or {}),
        tags=dict(tags or {}),
        created_by=user,
    )
    record(
        Action.LOGGED_MODEL_CREATED,
        by=by,
        team=team.name,
        target=model_target(model),
        also=[run_target(source_run)] if source_run else [],
        after={"model_id": model.model_id, "experiment": experiment.name},
    )
    return model


@transaction.atomic
def finish_logged_model(*, model: LoggedModel, status: str, message: str = "", by: Actor) -> LoggedModel:
    """Ready or failed, as its client says; it may say so again."""
    require(by, Permission.RUN_CREATE, model.team)
    if status not in (LoggedModel.Status.READY, LoggedModel.Status.FAILED):
        raise Invalid("status", "Use LOGGED_MODEL_READY or LOGGED_MODEL_UPLOAD_FAILED.")
    check_text("status_message", message, 2_000)
    model = lock_model(model)
    before = model.status
    if before == status:
        return model
    model.status, model.status_message, model.updated_at = status, message, timezone.now()
    model.save(update_fields=["status", "status_message", "updated_at"])
    record(
        Action.LOGGED_MODEL_FINISHED,
        by=by,
        team=model.team.name,
        target=model_target(model),
        before={"status": before},
        after={"status": status},
    )
    return model


@transaction.atomic
def set_logged_model_tags(*, model: LoggedModel, tags: Mapping[str, str], by: Actor) -> LoggedModel:
    require(by, Permission.RUN_CREATE, model.team)
    model = lock_model(model)
    model.tags = {**model.tags, **tags}
    check_pairs("tags", model.tags, MAX_TAG)
    model.updated_at = timezone.now()
    model.save(update_fields=["tags", "updated_at"])
    return model


@transaction.atomic
def delete_logged_model_tag(*, model: LoggedModel, key: str, by: Actor) -> LoggedModel:
    """Take one tag away; nothing happens where it is not there."""
    require(by, Permission.RUN_CREATE, model.team)
    model = lock_model(model)
    if model.tags.pop(key, None) is not None:
        model.updated_at = timezone.now()
        model.save(update_fields=["tags", "updated_at"])
    return model


@transaction.atomic
def log_model_params(*, model: LoggedModel, params: Mapping[str, str], by: Actor) -> LoggedModel:
    """Parameters are written once: one with another value already is refused."""
    require(by, Permission.RUN_CREATE, model.team)
    check_pairs("params", params, MAX_PARAMETER)
    model = lock_model(model)
    for key, value in params.items():
        if model.params.get(key, value) != value:
            raise Invalid(
                "params",
                f"Changing param values is not allowed: '{key}' is '{model.params[key]}' already.",
                code="parameter_is_written_once",
            )
    model.params = {**model.params, **params}
    check_pairs("params", model.params, MAX_PARAMETER)
    model.updated_at = timezone.now()
    model.save(update_fields=["params", "updated_at"])
    return model


@transaction.atomic
def delete_logged_model(*, model: LoggedModel, by: Actor) -> None:
    """Put it away; its files go after thirty days. Versions registered from it keep theirs."""
    require(by, Permission.RUN_CREATE, model.team)
    model = lock_model(model)
    model.deleted_at = timezone.now()
    model.save(update_fields=["deleted_at"])
    record(Action.LOGGED_MODEL_DELETED, by=by, team=model.team.name, target=model_target(model))
