"""What MLflow's documentation shows for tracking, by its unmodified client against the live site."""

import pytest

from governance.ledger.models import AuditEvent
from registry.models import Artifact, File, Version
from tracking.models import LoggedModel, Run

pytestmark = pytest.mark.django_db(transaction=True)
INVALID, MISSING = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"


def test_everything_that_a_script_logs_comes_back(mlflow, cast):
    found = mlflow("track_everything")
    assert found["experiment"] == ["lab/Überblick", "active"]
    assert found["params"] == {"lr": "0.1", "depth": "3", "long": "x" * 5_000}
    assert (found["again"], found["changed"]) == ("0.1", INVALID)
    assert found["metrics"] == {"loss": repr(1 / 21), "acc": "0.8", "odd": "nan", "huge": "inf"}
    assert found["history"] == [[0, 0.9], [1, 0.5], *([step, 1 / step] for step in range(2, 22))]
    own = {"who": "ada", "stage": "try", "mlflow.runName": "parent", "mlflow.note.content": "First go"}
    assert own.items() <= found["tags"].items() and "gone" not in found["tags"]
    name, status, address, in_order = found["info"]
    assert (name, status, in_order) == ("parent", "FINISHED", True) and found["run"] in address
    assert found["child_of"] == found["run"]
    assert set(found["files"]) == {
        "one.txt", "all/one.txt", "all/deep/er/two words.txt", "all/deep/naïve.bin", "notes/hello.txt", "config.json",
        "table.json",
    }  # fmt: skip
    assert (found["files"]["notes/hello.txt"], found["two"], found["text"]) == (6, "22", "héllo")
    assert (found["dict"], found["table"]) == ({"a": [1, 2]}, {"q": ["x", "y"], "n": [1, 2]})
    assert found["missing"] == MISSING
    assert found["data"] == ["flowers", "http", {"mlflow.data.context": "training"}]
    run = Run.objects.get(uuid=found["run"])
    assert (run.created_by, run.state) == (cast.alice, "succeeded")
    events = AuditEvent.objects.filter(target_kind="run", target_id=str(run.pk)).order_by("id")
    assert [event.action for event in events] == ["run.created", "run.finished"]


def test_a_script_that_raises_leaves_a_failed_run_in_the_default_experiment(mlflow):
    assert mlflow("track_failure") == ["FAILED", "0"]
    assert Run.objects.get().experiment.is_default


def test_search_of_runs_and_experiments(mlflow):
    found = mlflow("track_search")
    assert (found["names"], found["acc"], found["lr"]) == (["r5", "r3"], [5 / 7, 3 / 7], ["0.5", "0.3"])
    assert found["kind"].startswith("datetime64")
    assert found["pages"] == [["r0", "r1", "r2"], ["r3", "r4", "r5"], ["r6"]]
    assert (found["by_name"], found["none"], found["everywhere"]) == (7, 0, 7)
    assert (found["experiments"], found["bad"]) == (["search"], INVALID)


def test_deleted_runs_and_experiments_come_back(mlflow):
    found = mlflow("track_bin")
    assert (found["run"], found["write"], found["run_back"]) == (["deleted", 0], INVALID, ["active", 1])
    assert (found["experiment"], found["set"]) == (["deleted", INVALID], INVALID)
    assert found["experiment_back"] == ["active", {"a": "b"}, 1]


def test_a_model_logged_and_registered_at_once_predicts_the_same_by_every_address(mlflow, cast):
    found = mlflow("track_sklearn")
    assert found["same"] == [True] * 4
    assert (found["pyfunc"], found["copy"], found["again"]) == (True, True, True)
    assert found["version"] == ["flowers", "1", True, "READY", True]
    assert found["copied"] == ["flowers-prod", "1", "models:/flowers/1"]
    assert (found["inputs"], found["outputs"]) == (["a", "b", "c"], 1)
    assert {"MLmodel", "model.pkl", "input_example.json"} <= set(found["files"])
    model = LoggedModel.objects.get(model_id=found["model_id"])
    rows = Artifact.objects.filter(owner_kind="logged_model", owner_id=model.pk)
    logged = set(rows.values_list("path", "blob_id"))
    for version in Version.objects.all():  # the three of them hold the logged model's bytes, none of their own
        held = set(File.objects.filter(version=version).values_list("path", "blob_id"))
        assert {row for row in held if row[0] != "registered_model_meta"} == logged, version
    assert AuditEvent.objects.filter(action="version.registered", actor_id=cast.alice.pk).count() == 3


@pytest.mark.slow
def test_autolog_of_scikit_learn(mlflow):
    found = mlflow("track_autolog")
    assert found["params"] == {"C": "0.25", "max_iter": "50"}
    assert {"training_accuracy_score", "training_f1_score", "training_log_loss"} <= set(found["metrics"])
    assert {"estimator.html", "training_confusion_matrix.png"} <= set(found["files"])
    assert (found["status"], found["datasets"], found["version"], found["shape"]) == ("FINISHED", 1, "1", [60])


def test_a_function_of_ones_own_with_its_files(mlflow):
    assert mlflow("track_pyfunc") == [7, 13]


def test_logged_models(mlflow):
    found = mlflow("track_logged_models")
    assert found["external"] == ["outside", "agent", {"k": "v"}, "1", "READY"]
    assert found["before"] == ["PENDING", {"depth": "3", "extra": "1"}, "1", False]
    assert (found["metric"], found["after"]) == ([["acc", 0.9, "held-out"]], "READY")
    assert (found["search"], found["table"]) == (["slow"], ["outside", "slow"])
    assert (found["left"], found["gone"]) == (["slow"], MISSING)
