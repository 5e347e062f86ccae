"""MLflow's experiments."""

from django.db.models import F

from doors.mlflow import tracking_shapes as shapes
from doors.mlflow.base import Answer, Call, absent, invalid, missing
from doors.mlflow.tracking_base import experiment_of, team_of, tracked
from tracking import actions, grammar, search
from tracking.models import Experiment


@tracked("POST")
def create(call: Call) -> Answer:
    if call.text("artifact_location"):
        _refuse_location(call.text("artifact_location"))
    made = actions.create_experiment(
        team=team_of(call), name=call.text("name", required=True), tags=call.pairs("tags"), by=call.by
    )
    return {"experiment_id": str(made.pk)}


@tracked("GET")
def get(call: Call) -> Answer:
    return {"experiment": shapes.experiment(experiment_of(call))}


@tracked("GET")
def get_by_name(call: Call) -> Answer:
    name = call.text("experiment_name", required=True)
    found = Experiment.objects.filter(team=team_of(call), name=name[:501]).first()
    if found is None:
        raise missing(f"Could not find experiment with name '{name[:200]}'")
    return {"experiment": shapes.experiment(found)}


@tracked("POST")
def update(call: Call) -> Answer:
    experiment = experiment_of(call)
    actions.rename_experiment(experiment=experiment, name=call.text("new_name", required=True), by=call.by)
    return {}


@tracked("POST")
def delete(call: Call) -> Answer:
    actions.delete_experiment(experiment=experiment_of(call, deleted=False), by=call.by)
    return {}


@tracked("POST")
def restore(call: Call) -> Answer:
    actions.restore_experiment(experiment=experiment_of(call, deleted=True), by=call.by)
    return {}


@tracked("POST")
def set_tag(call: Call) -> Answer:
    key = call.text("key", required=True)
    if not call.has("value"):
        raise absent("value")
    actions.set_experiment_tag(experiment=experiment_of(call), key=key, value=call.text("value"), by=call.by)
    return {}


@tracked("POST", "DELETE")
def delete_tag(call: Call) -> Answer:
    experiment, key = experiment_of(call), call.text("key", required=True)
    if key not in experiment.tags:
        raise missing(f"No tag with key '{key[:80]}' in experiment {call.text('experiment_id')}.")
    actions.delete_experiment_tag(experiment=experiment, key=key, by=call.by)
    return {}


@tracked("GET", "POST")
def search_experiments(call: Call) -> Answer:
    deleted = shapes.view_type(call, "view_type")
    rows = Experiment.objects.filter(team=team_of(call))
    if deleted is not None:
        rows = rows.filter(deleted_at__isnull=not deleted)
    orders = [grammar.read_order(one) for one in call.texts("order_by")]
    columns = search.columns_of(orders, search.EXPERIMENTS)
    if not columns:
        columns = [search.Column(F("created_at"), True, "time", nullable=False)]
    found, token = search.page(
        search.narrow(rows, call.text("filter"), search.EXPERIMENTS),
        [*columns, *search.EXPERIMENT_END],
        token=call.text("page_token"),
        limit=shapes.results(call, 50_000, 1_000),
    )
    answer: dict[str, object] = {"experiments": [shapes.experiment(one) for one in found]} if found else {}
    return {**answer, "next_page_token": token} if token else answer


def _refuse_location(location: str) -> None:
    """Files of runs lie here: a store of their own would be a way around who may see them."""
    if not location.startswith("mlflow-artifacts:"):
        raise invalid("Leave artifact_location out: this server keeps the files of runs itself.")
