"""What the endpoints of tracking share: the team whose runs these are, and MLflow's words for what can't be done now."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from accounts.access import can
from accounts.errors import Conflict
from accounts.models import Team
from accounts.roles import Permission
from doors.mlflow.base import Answer, Call, Handler, View, absent, endpoint, invalid, missing
from tracking import reads
from tracking.models import Experiment, LoggedModel, Run


def tracked(*methods: str, raw: bool = False) -> Callable[[Handler], View]:
    """`endpoint` for tracking: what clashes with the state of a thing is a wrong parameter to MLflow."""

    def decorate(handler: Handler) -> View:
        @wraps(handler)
        def inner(call: Call, **parts: Any) -> Answer:
            try:
                return handler(call, **parts)
            except Conflict as error:
                if error.code == "name_taken":
                    raise
                raise invalid(error.detail) from None

        return endpoint(*methods, raw=raw)(inner)

    return decorate


def team_of(call: Call) -> Team:
    """The key's team, if the caller sees what it logs."""
    if not can(call.by, Permission.ASSET_VIEW, call.team):
        raise missing(f"There is nothing in team '{call.team.name}' that you can see.")
    return call.team


def run_of(call: Call) -> Run:
    """The run that `run_id` or, of older clients, `run_uuid` names."""
    uuid = call.text("run_id") or call.text("run_uuid")
    if not uuid:
        raise absent("run_id")
    return reads.run_of(team_of(call), uuid)


def experiment_of(call: Call, *, deleted: bool | None = None) -> Experiment:
    """The experiment of `experiment_id`; `deleted`: only if it is, or is not."""
    number = call.text("experiment_id", required=True)
    found = reads.experiment_of(team_of(call), number)
    if deleted is not None and (found.deleted_at is not None) != deleted:
        raise missing(f"No {'deleted' if deleted else 'active'} Experiment with id={number[:40]} exists")
    return found


def model_of(call: Call, model_id: str) -> LoggedModel:
    return reads.logged_model_of(team_of(call), model_id)
