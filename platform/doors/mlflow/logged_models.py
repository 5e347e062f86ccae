"""MLflow's logged models: what log_model makes of a model before it is registered."""

from typing import Any

from accounts.numbers import whole
from doors.mlflow import tracking_shapes as shapes
from doors.mlflow.base import Answer, Call, absent, by_method, invalid, missing
from doors.mlflow.tracking_base import model_of, team_of, tracked
from tracking import actions, reads, search
from tracking.grammar import Order
from tracking.models import LoggedModel, ModelMetric

_STATUS = {theirs: ours for ours, theirs in shapes.MODEL_STATUS.items()}


@tracked("POST")
def create(call: Call) -> Answer:
    team = team_of(call)
    source = call.text("source_run_id")
    made = actions.create_logged_model(
        team=team,
        experiment=reads.experiment_of(team, call.text("experiment_id") or "0"),
        name=call.text("name"),
        model_type=call.text("model_type"),
        source_run=reads.run_of(team, source) if source else None,
        params=call.pairs("params"),
        tags=call.pairs("tags"),
        by=call.by,
    )
    return {"model": shapes.logged_model(made)}


@tracked("GET")
def get(call: Call, model_id: str) -> Answer:
    rows = LoggedModel.objects.filter(team=team_of(call), model_id=model_id[:40])
    if not call.flag("allow_deleted"):
        rows = rows.filter(deleted_at=None)
    found = reads.models_with_reports(rows).first()
    if found is None:
        raise missing(f"Logged model with ID '{model_id[:40]}' not found.")
    return {"model": shapes.logged_model(found)}


@tracked("PATCH")
def finish(call: Call, model_id: str) -> Answer:
    status = call.text("status", required=True)
    status = list(shapes.MODEL_STATUS.values())[int(status) - 1] if status in ("1", "2", "3") else status
    if status not in _STATUS:
        raise invalid(f"Invalid model status '{status[:60]}': use one of {', '.join(_STATUS)}.")
    model = actions.finish_logged_model(
        model=model_of(call, model_id), status=_STATUS[status], message=call.text("status_message"), by=call.by
    )
    return {"model": shapes.logged_model(model)}


@tracked("DELETE")
def delete(call: Call, model_id: str) -> Answer:
    actions.delete_logged_model(model=model_of(call, model_id), by=call.by)
    return {}


@tracked("PATCH")
def set_tags(call: Call, model_id: str) -> Answer:
    actions.set_logged_model_tags(model=model_of(call, model_id), tags=call.pairs("tags"), by=call.by)
    return {}


@tracked("DELETE")
def delete_tag(call: Call, model_id: str, key: str) -> Answer:
    model = model_of(call, model_id)
    if key not in model.tags:
        raise missing(f"No tag with key '{key[:80]}' found for model with ID '{model_id[:40]}'.")
    actions.delete_logged_model_tag(model=model, key=key, by=call.by)
    return {}


@tracked("POST")
def log_params(call: Call, model_id: str) -> Answer:
    actions.log_model_params(model=model_of(call, model_id), params=call.pairs("params"), by=call.by)
    return {}


@tracked("POST")
def search_models(call: Call) -> Answer:
    team = team_of(call)
    if not call.has("experiment_ids"):
        raise absent("experiment_ids")
    asked = call.texts("experiment_ids")
    numbers = [number for one in asked if (number := whole(one))]
    rows = LoggedModel.objects.alive().filter(team=team, experiment__deleted_at=None)
    inside = rows.filter(experiment__in=numbers)
    if "0" in asked:
        inside = inside | rows.filter(experiment__is_default=True)
    datasets = call.objects("datasets")
    if datasets:
        inside = inside.filter(pk__in=_measured_on(datasets))
    found, token = search.search_models(
        reads.models_with_reports(inside),
        text=call.text("filter"),
        order=[_order(given) for given in call.objects("order_by")],
        token=call.text("page_token"),
        limit=shapes.results(call, 1_000, 100),
    )
    answer: dict[str, object] = {"models": [shapes.logged_model(one) for one in found]} if found else {}
    return {**answer, "next_page_token": token} if token else answer


def _measured_on(datasets: list[dict[str, Any]]) -> Any:
    """The models that have a metric on one of these datasets."""
    found = ModelMetric.objects.none()
    for given in datasets:
        name, digest = shapes.text(given, "dataset_name"), shapes.text(given, "dataset_digest")
        if not name:
            raise invalid("`dataset_name` in the `datasets` clause must be specified.")
        rows = ModelMetric.objects.filter(dataset_name=name)
        found = found | (rows.filter(dataset_digest=digest) if digest else rows)
    return found.values("model")


def _order(given: dict[str, Any]) -> Order:
    name = shapes.text(given, "field_name")
    if not name:
        raise invalid("`field_name` in the `order_by` clause must be specified.")
    ascending = given.get("ascending", True)
    if not isinstance(ascending, bool):
        raise invalid("Value of `ascending` in the `order_by` clause must be a boolean.")
    entity, _, key = name.partition(".")
    if key and entity != "metrics":
        raise invalid(f"Invalid order by field name: {entity[:60]}, only `metrics.<name>` is allowed.")
    key = key.strip("`") if key else name.strip()
    return Order("metric" if entity == "metrics" and "." in name else "attribute", key, not ascending)


one = by_method(GET=get, PATCH=finish, DELETE=delete)
