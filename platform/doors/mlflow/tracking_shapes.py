"""Experiments, runs and logged models as MLflow's clients read them, and back. Unset fields and empty lists are left out."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from doors.mlflow.base import Call, absent, invalid, wrong
from tracking.actions.reports import Point
from tracking.actions.runs import NAME_TAG
from tracking.models import Experiment, LoggedModel, Run
from tracking.reads import wire_id
from tracking.search import STATUS

STATES = {theirs: ours for ours, theirs in STATUS.items()}
MODEL_STATUS = {
    "pending": "LOGGED_MODEL_PENDING",
    "ready": "LOGGED_MODEL_READY",
    "failed": "LOGGED_MODEL_UPLOAD_FAILED",
}
DATASET = ("name", "digest", "source_type", "source", "schema", "profile")
_VIEWS = ("ACTIVE_ONLY", "DELETED_ONLY", "ALL")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(moment: datetime) -> int:
    return ((moment - _EPOCH) // timedelta(microseconds=1) + 500) // 1000


def experiment(row: Experiment) -> dict[str, Any]:
    number = wire_id(row)
    shown: dict[str, Any] = {
        "experiment_id": number,
        "name": row.name,
        "artifact_location": f"mlflow-artifacts:/{number}",
        "lifecycle_stage": _stage(row),
        "last_update_time": milliseconds(row.updated_at),
        "creation_time": milliseconds(row.created_at),
    }
    return _with(shown, tags=_pairs(row.tags))


def run_root(row: Run) -> str:
    return f"mlflow-artifacts:/{wire_id(row.experiment)}/{row.uuid}/artifacts"


def model_root(row: LoggedModel) -> str:
    return f"mlflow-artifacts:/{wire_id(row.experiment)}/models/{row.model_id}/artifacts"


def run_info(row: Run) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "run_uuid": row.uuid,
        "experiment_id": wire_id(row.experiment),
        "run_name": row.name,
        "user_id": row.user_name or "unknown",
        "status": STATUS[row.state],
        "start_time": milliseconds(row.began_at),
        "artifact_uri": run_root(row),
        "lifecycle_stage": _stage(row),
        "run_id": row.uuid,
    }
    return _with(shown, end_time=milliseconds(row.finished_at) if row.finished_at else None)


@dataclass(frozen=True)
class Told:
    """What a run reported: metrics as (key, value, timestamp, step), datasets as their facts and tags, ids of logged models (and, of
    those that it made, steps)."""

    parameters: Mapping[str, Any]
    tags: Mapping[str, Any]
    metrics: Sequence[tuple[str, Any, int, int]] = ()
    datasets: Sequence[tuple[Mapping[str, Any], Mapping[str, str]]] = ()
    read: Sequence[str] = ()
    made: Sequence[tuple[str, int]] = ()


def run(row: Run) -> dict[str, Any]:
    """The whole run; `row` comes with its reports (tracking.reads.with_reports)."""
    noted = list(row.outputs.all())
    told = Told(
        row.parameters,
        row.tags,
        [(one.key, one.value, one.timestamp, one.step) for one in row.latest_metrics.all()],
        [({name: getattr(one, name) for name in DATASET}, one.tags) for one in row.inputs.all()],
        [one.model.model_id for one in noted if one.is_input],
        [(one.model.model_id, one.step) for one in noted if not one.is_input],
    )
    return whole_run(run_info(row), told)


def whole_run(info: dict[str, Any], told: Told) -> dict[str, Any]:
    metrics = [number(*one) for one in told.metrics]
    tags = _pairs({NAME_TAG: info["run_name"], **told.tags})
    datasets = [_with({"dataset": _with({}, **facts)}, tags=_pairs(tags)) for facts, tags in told.datasets]
    return {
        "info": info,
        "data": _with({}, metrics=metrics, params=_pairs(told.parameters), tags=tags),
        "inputs": _with({}, dataset_inputs=datasets, model_inputs=[{"model_id": one} for one in told.read]),
        "outputs": _with({}, model_outputs=[{"model_id": one, "step": step} for one, step in told.made]),
    }


def fresh_run(row: Run) -> dict[str, Any]:
    """A run that was made just now, which reported nothing but its tags."""
    return {"info": run_info(row), "data": _with({}, tags=_pairs(row.tags)), "inputs": {}}


def logged_model(row: LoggedModel) -> dict[str, Any]:
    """`row` comes with its metrics (tracking.reads.models_with_reports)."""
    info: dict[str, Any] = {
        "model_id": row.model_id,
        "experiment_id": wire_id(row.experiment),
        "name": row.name,
        "creation_timestamp_ms": milliseconds(row.created_at),
        "last_updated_timestamp_ms": milliseconds(row.updated_at),
        "artifact_uri": model_root(row),
        "status": MODEL_STATUS[row.status],
        "model_type": row.model_type,
        "source_run_id": row.source_run.uuid if row.source_run else "",
    }
    latest: dict[tuple[str, str, str, int], Any] = {}
    for one in row.metrics.all():
        latest[one.key, one.dataset_name, one.dataset_digest, one.run_id] = one
    metrics = [
        {
            **number(one.key, one.value, one.timestamp, one.step), "model_id": row.model_id, "run_id": one.run.uuid,
            **({"dataset_name": one.dataset_name} if one.dataset_name else {}),
            **({"dataset_digest": one.dataset_digest} if one.dataset_digest else {}),
        }
        for one in latest.values()
    ]  # fmt: skip
    return {
        "info": _with(info, tags=_pairs(row.tags), status_message=row.status_message),
        "data": _with({}, params=_pairs(row.params), metrics=metrics),
    }


def number(key: str, value: float | str, timestamp: int, step: int) -> dict[str, Any]:
    """A metric. What is no number stands as a word: protobuf's JSON has no other way."""
    return {"key": key, "value": _word(value), "timestamp": timestamp, "step": step}


def as_text(value: Any) -> str:
    """A parameter of the native door may be any JSON; MLflow's are text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def point(given: Mapping[str, Any], where: str = "") -> Point:
    """A metric that a client sends."""
    key = given.get("key")
    if not isinstance(key, str) or not key:
        raise absent(f"{where}key")
    return Point(
        key,
        _float(given.get("value"), f"{where}value", key),
        whole(given.get("step", 0), f"{where}step"),
        whole(given.get("timestamp"), f"{where}timestamp"),
        model_id=text(given, "model_id"),
        dataset_name=text(given, "dataset_name"),
        dataset_digest=text(given, "dataset_digest"),
    )


def text(given: Mapping[str, Any], name: str, default: str = "") -> str:
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise wrong(name, value, "a text")
    return value


def whole(value: Any, name: str) -> int:
    if value is None:
        raise absent(name)
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            raise wrong(name, value, "a whole number") from None
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise wrong(name, value, "a whole number")
    return value


def view_type(call: Call, name: str) -> bool | None:
    """Whether to look among the deleted: False, True, or None for both."""
    asked = call.text(name, "ACTIVE_ONLY") or "ACTIVE_ONLY"
    asked = _VIEWS[int(asked) - 1] if asked in ("1", "2", "3") else asked
    if asked not in _VIEWS:
        raise invalid(f"Invalid {name} '{asked[:40]}': use one of {', '.join(_VIEWS)}.")
    return {"ACTIVE_ONLY": False, "DELETED_ONLY": True, "ALL": None}[asked]


def results(call: Call, most: int, usual: int) -> int:
    asked = call.whole("max_results", usual)
    if not 1 <= asked <= most:
        raise invalid(f"Invalid value {asked} for parameter 'max_results' supplied: use 1 to {most}.")
    return asked


def state_of(status: str) -> str:
    status = list(STATES)[int(status) - 1] if status in ("1", "2", "3", "4", "5") else status
    if status not in STATES:
        raise invalid(f"Invalid run status '{status[:40]}': use one of {', '.join(STATES)}.")
    return STATES[status]


def _float(value: Any, name: str, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        if value is None:
            raise absent(name)
        raise wrong(name, value, f"a number for metric '{key}'")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise wrong(name, value, f"a number for metric '{key}'") from None


def _word(value: float | str) -> float | str:
    if isinstance(value, str):
        return value  # PostgreSQL's JSON has the same words
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _stage(row: Experiment | Run) -> str:
    return "deleted" if row.deleted_at is not None else "active"


def _pairs(values: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"key": key, "value": as_text(value)} for key, value in sorted(values.items())]


def _with(shown: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**shown, **{name: value for name, value in more.items() if value not in (None, [], "")}}
