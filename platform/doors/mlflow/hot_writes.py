"""The quick door for what is written most: versions whose bytes lie elsewhere, tags, aliases, runs and their reports, each by one SQL
statement ahead of every other layer.

As for the quick reads, it answers only when everything is in order; errors are worded by the ordinary views.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException

from accounts import quick
from accounts.access import Actor
from accounts.errors import Problem
from accounts.numbers import whole
from accounts.quick import Caller
from doors.mlflow import tracking_runs, tracking_shapes
from doors.mlflow.base import Call, MlflowError, check_texts, send
from doors.mlflow.entities import version_json
from doors.mlflow.registry_models import refuse_prompts, tag_of
from doors.mlflow.registry_versions import alias_name
from doors.mlflow.sources import NAMED, refuse_climbing
from registry import actions
from tracking.actions import quickly

API = "/api/2.0/mlflow/"
_OURS = {"", "file", "models", "runs", "mlflow-artifacts"}
_TEXTS = {"name", "source", "description", *NAMED}
_MOST_BYTES = 1_000_000
ODD = (MlflowError, Problem, ValueError, KeyError, TypeError, RecursionError, RawPostDataException)
Answer = dict[str, Any] | None


def answer(request: HttpRequest) -> HttpResponse | None:
    """What was made; None where another view has to look."""
    write = _WRITES.get(request.path_info)
    if write is None or request.method != "POST" or "HTTP_X_MLFLOW_WORKSPACE" in request.META:
        return None
    caller = quick.caller_of(request)
    if caller is None:
        return None
    try:
        values = small_json(request)
        body = None if values is None else write(Call(request, Actor(None), values), caller)
    except ODD:
        return None
    return None if body is None else send(body)


def small_json(request: HttpRequest) -> dict[str, Any] | None:
    """The fields of a small body; None, or one of ODD, for what the ordinary views have to read."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > _MOST_BYTES:
        return None
    values: Any = json.loads(request.body)
    if not isinstance(values, dict):
        return None
    check_texts(values)
    return values


def _create_version(call: Call, caller: Caller) -> Answer:
    values = call.values
    if not all(isinstance(values.get(one, ""), str) for one in _TEXTS):
        return None
    source, description = values.get("source", ""), values.get("description", "")
    scheme = urlsplit(source).scheme.lower()
    if scheme in _OURS or len(scheme) == 1 or not values.get("name"):
        return None
    refuse_climbing(source)
    tags = {}
    for item in values.get("tags") or []:
        if not isinstance(item["key"], str) or not item["key"] or not isinstance(item["value"], str):
            return None
        tags[item["key"]] = item["value"]
    refuse_prompts(tags)
    told = {one: values[one] for one in NAMED if values.get(one)}
    version = actions.register_elsewhere_by_key(
        caller=caller, name=values["name"], source=source, description=description, tags=tags,
        facts={"mlflow": told} if told else {},
    )  # fmt: skip
    if version is None:
        return None
    made = round(version.created_at.timestamp() * 1000)
    pairs = json.dumps(sorted(tags.items())) if tags else None
    row = (
        values["name"], version.number, made, made, version.description, "", version.state, source, json.dumps(told), False,
        pairs, None, None,
    )  # fmt: skip
    return {"model_version": version_json(row, "")}


def _tag_model(call: Call, caller: Caller) -> Answer:
    key, value = tag_of(call)
    refuse_prompts({key: value})
    done = actions.set_tag_by_key(caller=caller, name=call.text("name", required=True), key=key, value=value)
    return {} if done else None


def _tag_version(call: Call, caller: Caller) -> Answer:
    key, value = tag_of(call)
    refuse_prompts({key: value})
    name, number = call.text("name", required=True), _number(call)
    done = actions.set_tag_by_key(caller=caller, name=name, number=number, key=key, value=value)
    return {} if done else None


def _set_alias(call: Call, caller: Caller) -> Answer:
    alias, name = alias_name(call.text("alias", required=True)), call.text("name", required=True)
    return {} if actions.move_alias_by_key(caller=caller, name=name, number=_number(call), alias=alias) else None


def _number(call: Call) -> int:
    number = whole(call.text("version", required=True), below=2**31)
    if number is None:
        raise ValueError
    return number


def _start_run(call: Call, caller: Caller) -> Answer:
    text = call.text("experiment_id") or "0"
    number = whole(text)
    if number is None or (number == 0 and text != "0"):
        return None
    run = quickly.start_run(caller, experiment=number, **tracking_runs.asked_run(call))
    return None if run is None else {"run": tracking_shapes.fresh_run(run)}


def _logs(read: Callable[[Call], dict[str, Any]]) -> Callable[[Call, Caller], Answer]:
    def log(call: Call, caller: Caller) -> Answer:
        told = {"parameters": {}, "tags": {}, **read(call)}
        uuid = call.text("run_id") or call.text("run_uuid")
        return {} if quickly.log_batch(caller, uuid=uuid, **told) else None

    return log


_WRITES: dict[str, Callable[[Call, Caller], Answer]] = {
    f"{API}model-versions/create": _create_version,
    f"{API}model-versions/set-tag": _tag_version,
    f"{API}registered-models/set-tag": _tag_model,
    f"{API}registered-models/alias": _set_alias,
    f"{API}runs/create": _start_run,
    f"{API}runs/log-metric": _logs(tracking_runs.metric_of),
    f"{API}runs/log-parameter": _logs(tracking_runs.parameter_of),
    f"{API}runs/set-tag": _logs(tracking_runs.tag_of),
    f"{API}runs/log-batch": _logs(tracking_runs.batch_of),
}
