"""What the actions share: locks, checks of what clients send, and targets of events."""

import json
import math
from collections.abc import Mapping
from typing import Any

from accounts.access import Actor
from accounts.errors import Conflict, Forbidden, Invalid, NotFound
from accounts.models import User
from governance.ledger.actions import Target
from tracking.models import Experiment, LoggedModel, Run

MAX_NUMBER = 2**53  # what JSON numbers hold exactly
MAX_KEY = 250
MAX_PARAMETER = 6_000
MAX_TAG = 8_000
MAX_EXPERIMENT_TAG = 20_000
MAX_KEYS = 5_000


def person(by: Actor) -> User:
    if by.user is None:
        raise Forbidden("Sign in to do this.")
    return by.user


def lock_run(run: Run) -> Run:
    found = Run.objects.select_for_update(of=("self",)).select_related("team", "experiment").filter(pk=run.pk).first()
    if found is None:
        raise NotFound("There is no such run.")
    return found


def require_alive(run: Run) -> None:
    """A deleted run takes nothing until it is restored."""
    if run.deleted_at is not None:
        raise Conflict(f"Run {run.uuid} is deleted. Restore it first.", code="run_is_deleted")


def lock_experiment(experiment: Experiment) -> Experiment:
    found = Experiment.objects.select_for_update(of=("self",)).select_related("team").filter(pk=experiment.pk).first()
    if found is None:
        raise NotFound("There is no such experiment.")
    return found


def lock_model(model: LoggedModel) -> LoggedModel:
    rows = LoggedModel.objects.select_for_update(of=("self",)).select_related("team", "experiment", "source_run")
    found = rows.filter(pk=model.pk, deleted_at=None).first()
    if found is None:
        raise NotFound(f"There is no logged model {model.model_id}.")
    return found


def is_storable(text: str) -> bool:
    """PostgreSQL holds no NUL, and UTF-8 no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def check_key(field: str, key: str) -> None:
    if not key or len(key) > MAX_KEY or not is_storable(key):
        raise Invalid(field, f"Use a name of 1 to {MAX_KEY} characters.")


def check_text(field: str, text: str, longest: int) -> None:
    if len(text) > longest or not is_storable(text):
        raise Invalid(field, f"Use at most {longest} characters of text.")


def check_pairs(field: str, pairs: Mapping[str, str], longest: int) -> None:
    """Keys and values of tags or parameters."""
    if len(pairs) > MAX_KEYS:
        raise Invalid(field, f"Use at most {MAX_KEYS}.")
    for key, value in pairs.items():
        check_key(f"{field}[{key[:80]}]", key)
        check_text(f"{field}[{key[:80]}]", value, longest)


def check_step(field: str, step: int) -> None:
    if not 0 <= step <= MAX_NUMBER:
        raise Invalid(field, "Use a whole number from 0.")


def is_int64(number: float) -> bool:
    return math.isfinite(number) and -(2**63) <= number < 2**63


def checked_parameters(parameters: Mapping[str, Any], limit: int = 64 * 1024) -> dict[str, Any]:
    """Any JSON object of at most 64 KiB."""
    try:
        text = json.dumps(parameters, allow_nan=False)
    except ValueError:
        raise Invalid("parameters", "Use finite numbers: NaN and Infinity are no JSON.") from None
    if len(text) > limit or "\\u0000" in text:
        raise Invalid("parameters", "Use at most 64 KiB of JSON, without NUL characters.")
    return dict(parameters)


def run_target(run: Run) -> Target:
    return Target("run", run.pk, run.name)


def experiment_target(experiment: Experiment) -> Target:
    return Target("experiment", experiment.pk, experiment.name)


def model_target(model: LoggedModel) -> Target:
    return Target("logged_model", model.pk, model.name)
