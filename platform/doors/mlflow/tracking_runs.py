"""MLflow's runs: their making and end, and what they report."""

import json
from collections.abc import Callable
from typing import Any

from accounts.numbers import whole
from accounts.rest import keyset_page
from doors.mlflow import tracking_shapes as shapes
from doors.mlflow.base import Answer, Call, View, absent, invalid, missing
from doors.mlflow.tracking_base import run_of, team_of, tracked
from tracking import actions, reads, search
from tracking.actions.reports import MAX_METRICS
from tracking.actions.runs import moment
from tracking.models import Experiment, Run

_HISTORY = "mlflow.log-model.history"
_MOST_PAIRS = 1_000


@tracked("POST")
def create(call: Call) -> Answer:
    experiment = reads.experiment_of(team_of(call), call.text("experiment_id") or "0")
    run = actions.start_run(team=call.team, experiment=experiment, by=call.by, **asked_run(call))
    return {"run": shapes.fresh_run(run)}


def asked_run(call: Call) -> dict[str, Any]:
    """What start_run is told."""
    started = call.whole("start_time", 0)
    return {
        "name": call.text("run_name"),
        "started_at": moment(started) if started else None,
        "tags": call.pairs("tags"),
        "user_name": call.text("user_id"),
    }


@tracked("GET")
def get(call: Call) -> Answer:
    uuid = call.text("run_id") or call.text("run_uuid")
    if not uuid:
        raise absent("run_id")
    found = reads.with_reports(Run.objects.filter(team=team_of(call), uuid=uuid[:40])).first()
    if found is None:
        raise missing(f"Run with id={uuid[:40]} not found")
    return {"run": shapes.run(found)}


@tracked("POST")
def update(call: Call) -> Answer:
    ended = call.whole("end_time", 0)
    run = actions.follow_run(
        run=run_of(call),
        state=shapes.state_of(call.text("status")) if call.has("status") else None,
        ended_at=moment(ended) if ended else None,
        name=call.text("run_name"),
        by=call.by,
    )
    return {"run_info": shapes.run_info(run)}


@tracked("POST")
def delete(call: Call) -> Answer:
    run = run_of(call)
    if run.deleted_at is None:
        actions.delete_run(run=run, by=call.by)
    return {}


@tracked("POST")
def restore(call: Call) -> Answer:
    run = run_of(call)
    if run.deleted_at is not None:
        actions.restore_run(run=run, by=call.by)
    return {}


def metric_of(call: Call) -> dict[str, Any]:
    """What log_batch is told."""
    return {"metrics": [shapes.point(call.values)]}


def parameter_of(call: Call) -> dict[str, Any]:
    return {"parameters": {call.text("key", required=True): call.text("value")}}


def tag_of(call: Call) -> dict[str, Any]:
    return {"tags": {call.text("key", required=True): call.text("value")}}


def batch_of(call: Call) -> dict[str, Any]:
    metrics = [shapes.point(given, f"metrics[{place}].") for place, given in enumerate(call.objects("metrics"))]
    if len(metrics) > MAX_METRICS or max(len(call.objects("params")), len(call.objects("tags"))) > _MOST_PAIRS:
        raise invalid(
            f"A batch logging request can contain at most {MAX_METRICS} metrics and {_MOST_PAIRS} params or tags."
        )
    params = call.pairs("params")
    for given in call.objects("params"):
        if params[given["key"]] != str(given.get("value") or ""):
            raise invalid(f"Duplicate parameter keys have been submitted: '{given['key'][:80]}'.")
    return {"metrics": metrics, "parameters": params, "tags": call.pairs("tags")}


def _logs(read: Callable[[Call], dict[str, Any]]) -> View:
    def log(call: Call) -> Answer:
        actions.log_batch(**read(call), run=run_of(call), by=call.by)
        return {}

    return tracked("POST")(log)


log_metric, log_parameter, set_tag, log_batch = map(_logs, (metric_of, parameter_of, tag_of, batch_of))


@tracked("POST")
def delete_tag(call: Call) -> Answer:
    actions.delete_run_tag(run=run_of(call), key=call.text("key", required=True), by=call.by)
    return {}


@tracked("POST")
def log_model(call: Call) -> Answer:
    """How clients before logged models noted a model: in a tag of the run, as a list."""
    run = run_of(call)
    try:
        told = json.loads(call.text("model_json", required=True))
        known = json.loads(run.tags.get(_HISTORY, "[]"))
    except (ValueError, RecursionError):
        raise invalid("Malformed model info: model_json has to be JSON.") from None
    if not isinstance(told, dict) or not isinstance(known, list):
        raise invalid("Malformed model info: model_json has to be a JSON object.")
    actions.log_batch(run=run, tags={_HISTORY: json.dumps([*known, told])}, by=call.by)
    return {}


@tracked("POST")
def log_inputs(call: Call) -> Answer:
    datasets = []
    for given in call.objects("datasets"):
        dataset = given.get("dataset")
        if not isinstance(dataset, dict):
            raise absent("datasets.dataset")
        datasets.append(
            {**dataset, "tags": {shapes.text(t, "key"): shapes.text(t, "value") for t in _objects(given, "tags")}}
        )
    models = [shapes.text(given, "model_id") for given in call.objects("models")]
    actions.log_inputs(run=run_of(call), datasets=datasets, models=models, by=call.by)
    return {}


@tracked("POST")
def log_outputs(call: Call) -> Answer:
    models = [
        (shapes.text(given, "model_id"), shapes.whole(given.get("step", 0), "models.step"))
        for given in call.objects("models")
    ]
    actions.log_outputs(run=run_of(call), models=models, by=call.by)
    return {}


@tracked("GET", "POST")
def search_runs(call: Call) -> Answer:
    deleted = shapes.view_type(call, "run_view_type")
    rows = reads.with_reports(Run.objects.filter(team=team_of(call), experiment__in=_experiments(call)))
    if deleted is not None:
        rows = rows.filter(deleted_at__isnull=not deleted)
    found, token = search.search_runs(
        rows,
        text=call.text("filter"),
        order=call.texts("order_by"),
        token=call.text("page_token"),
        limit=shapes.results(call, 50_000, 1_000),
    )
    answer: dict[str, object] = {"runs": [shapes.run(one) for one in found]} if found else {}
    return {**answer, "next_page_token": token} if token else answer


@tracked("GET")
def metric_history(call: Call) -> Answer:
    key = call.text("metric_key", required=True)
    rows = reads.metric_rows(run_of(call), key[:251])
    # By the time that each point names, not by arrival: clients that log in the background send out of order.
    found, following = keyset_page(
        rows,
        order=["timestamp", "step", "id"],
        cursor=call.text("page_token"),
        limit=shapes.results(call, 100_000, 25_000),
    )
    if not found:
        return {}
    points = [shapes.number(one.key, one.value, one.timestamp, one.step) for one in found]
    return {"metrics": points, "next_page_token": following} if following else {"metrics": points}


@tracked("GET")
def metric_history_of_many(call: Call) -> Answer:
    """`get-history-bulk` and `get-history-bulk-interval`: one metric of up to a hundred runs, thinned out for a chart."""
    uuids = call.texts("run_ids") or call.texts("run_id")
    key = call.text("metric_key", required=True)
    if not uuids or len(uuids) > 100:
        raise invalid("GetMetricHistoryBulkInterval request must specify 1 to 100 run_ids.")
    runs = list(Run.objects.filter(team=team_of(call), uuid__in=uuids))
    names = {run.pk: run.uuid for run in runs}
    found = [
        {**shapes.number(name, float("nan") if value is None else value, timestamp, step), "run_id": names[pk]}
        for (pk, name), line in reads.curves(runs, [key[:251]]).items()
        for step, timestamp, value in line
    ]
    return {"metrics": found} if found else {}


def _experiments(call: Call) -> list[int]:
    """Their numbers; those that the team has not are no mistake, there are just no runs in them."""
    asked = call.texts("experiment_ids")
    if not asked:
        return []
    found = [number for one in asked if (number := whole(one))]
    if "0" in asked:
        found += Experiment.objects.filter(team=call.team, is_default=True).values_list("pk", flat=True)
    return found


def _objects(given: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = given.get(name) or []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise invalid(f"Invalid value for parameter '{name}' supplied: use a list of objects.")
    return value
