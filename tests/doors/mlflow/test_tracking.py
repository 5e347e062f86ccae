"""Experiments, runs, logged models and artifacts at MLflow's addresses, as the wire has them."""

import io
import json
from typing import Any

import pytest

from accounts.access import Actor
from accounts.actions import create_team, grant_role
from accounts.errors import Invalid
from accounts.roles import Role
from governance.ledger.models import AuditEvent
from registry import storage
from registry.models import Artifact, Blob, Version
from tracking import actions
from tracking.models import Experiment, LatestMetric, Metric, Run

pytestmark = pytest.mark.django_db
API = "/api/2.0/mlflow/"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


def caller(client):
    def call(method: str, path: str, **fields: Any) -> tuple[int, Any]:
        answer = (
            client.get(API + path, fields) if method == "GET" else getattr(client, method.lower())(API + path, fields)
        )
        return answer.status_code, json.loads(answer.content)

    call.client = client
    return call


@pytest.fixture
def ml(api, cast):
    """ml('POST', 'runs/create', …) -> (status, body), as Alice with a key of her team."""
    return caller(api(cast.alice, team=cast.team))


@pytest.fixture
def lab(ml):
    return ml("POST", "experiments/create", name="lab", tags=[{"key": "a", "value": "b"}])[1]["experiment_id"]


@pytest.fixture
def run(ml, lab):
    return ml("POST", "runs/create", experiment_id=lab, start_time=1_795_228_704_616, user_id="ada")[1]["run"]["info"]


def new_run(ml, lab, **metrics: float) -> str:
    uuid = ml("POST", "runs/create", experiment_id=lab)[1]["run"]["info"]["run_id"]
    for key, value in metrics.items():
        ml("POST", "runs/log-metric", run_id=uuid, key=key, value=value, timestamp=1)
    return uuid


def test_every_team_has_the_default_experiment_under_the_number_0(ml, cast):
    status, body = ml("GET", "experiments/get", experiment_id="0")
    assert (status, body["experiment"]["name"]) == (200, "Default")
    assert body["experiment"]["artifact_location"] == "mlflow-artifacts:/0"
    status, body = ml("POST", "runs/create")
    assert body["run"]["info"]["experiment_id"] == "0"
    assert ml("POST", "experiments/delete", experiment_id="0")[1]["error_code"] == "INVALID_PARAMETER_VALUE"
    assert ml("POST", "experiments/update", experiment_id="0", new_name="x")[0] == 400
    assert Run.objects.get().experiment.team == cast.team


def test_an_experiment_from_its_making_to_its_return(ml, lab):
    shown = ml("GET", "experiments/get", experiment_id=lab)[1]["experiment"]
    assert shown["artifact_location"] == f"mlflow-artifacts:/{lab}"
    assert shown["tags"] == [{"key": "a", "value": "b"}]
    assert ml("POST", "experiments/create", name="lab")[1]["error_code"] == "RESOURCE_ALREADY_EXISTS"
    assert ml("GET", "experiments/get-by-name", experiment_name="none")[1]["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert ml("POST", "experiments/update", experiment_id=lab, new_name="lab 2") == (200, {})
    assert ml("POST", "experiments/set-experiment-tag", experiment_id=lab, key="x", value="y") == (200, {})
    assert ml("DELETE", "experiments/delete-experiment-tag", experiment_id=lab, key="a") == (200, {})
    found = ml("POST", "experiments/search", max_results=10, filter="name LIKE 'lab%' AND tags.x = 'y'")[1]
    assert [one["name"] for one in found["experiments"]] == ["lab 2"]
    uuid = new_run(ml, lab)
    assert ml("POST", "experiments/delete", experiment_id=lab) == (200, {})
    assert ml("GET", "experiments/get", experiment_id=lab)[1]["experiment"]["lifecycle_stage"] == "deleted"
    assert ml("GET", "runs/get", run_id=uuid)[1]["run"]["info"]["lifecycle_stage"] == "deleted"
    assert ml("POST", "runs/create", experiment_id=lab)[0] == 400
    assert ml("POST", "experiments/restore", experiment_id=lab) == (200, {})
    assert ml("GET", "runs/get", run_id=uuid)[1]["run"]["info"]["lifecycle_stage"] == "active"
    told = list(AuditEvent.objects.filter(target_kind="experiment").order_by("id").values_list("action", flat=True))
    assert told == [
        f"experiment.{verb}" for verb in ("created", "changed", "changed", "changed", "deleted", "restored")
    ]


def test_a_run_says_what_it_did(ml, lab, run):
    uuid = run["run_id"]
    assert run["artifact_uri"] == f"mlflow-artifacts:/{lab}/{uuid}/artifacts"
    assert (run["status"], run["start_time"], run["user_id"]) == ("RUNNING", 1_795_228_704_616, "ada")
    for step, value in ((0, 1.5), (1, 0.5)):
        fields = {"key": "loss", "value": value, "timestamp": 1000 + step, "step": step}
        assert ml("POST", "runs/log-metric", run_uuid=uuid, **fields) == (200, {})
    ml("POST", "runs/log-metric", run_id=uuid, key="odd", value="NaN", timestamp="5")
    ml("POST", "runs/log-metric", run_id=uuid, key="huge", value="-Infinity", timestamp=5)
    ml("POST", "runs/log-parameter", run_id=uuid, key="lr", value="0.1")
    ml("POST", "runs/set-tag", run_id=uuid, key="phase", value="x")
    dataset = {"name": "mine", "digest": "3008", "source_type": "code", "source": "{}"}
    ml("POST", "runs/log-inputs", run_id=uuid, datasets=[{"tags": [{"key": "mlflow.data.context", "value": "training"}], "dataset": dataset}])  # fmt: skip
    ended = ml("POST", "runs/update", run_id=uuid, status="FINISHED", end_time=1_795_228_708_197)[1]["run_info"]
    assert (ended["status"], ended["end_time"]) == ("FINISHED", 1_795_228_708_197)
    shown = ml("GET", "runs/get", run_id=uuid)[1]["run"]
    values = {one["key"]: one["value"] for one in shown["data"]["metrics"]}
    assert values == {"loss": 0.5, "odd": "NaN", "huge": "-Infinity"}
    assert shown["data"]["params"] == [{"key": "lr", "value": "0.1"}]
    assert shown["inputs"]["dataset_inputs"][0]["dataset"] == dataset
    history = ml("GET", "metrics/get-history", run_id=uuid, metric_key="loss")[1]["metrics"]
    assert [(one["step"], one["value"]) for one in history] == [(0, 1.5), (1, 0.5)]
    assert ml("POST", "runs/delete-tag", run_id=uuid, key="phase") == (200, {})
    assert ml("POST", "runs/delete-tag", run_id=uuid, key="phase")[0] == 404


def test_the_history_of_a_metric_is_in_the_order_of_its_times_page_by_page(ml, run):
    uuid = run["run_id"]
    for step in (3, 1, 4, 0, 2):  # a client that logs in the background sends out of order; two share a millisecond
        ml("POST", "runs/log-metric", run_id=uuid, key="loss", value=step, step=step, timestamp=1_000 + step // 2)
    ml("POST", "runs/log-metric", run_id=uuid, key="other", value=9, step=9, timestamp=1_001)
    steps, token = [], {}
    while True:
        body = ml("GET", "metrics/get-history", run_id=uuid, metric_key="loss", max_results=2, **token)[1]
        steps.append([one["step"] for one in body["metrics"]])
        if "next_page_token" not in body:
            break
        token = {"page_token": body["next_page_token"]}
    assert steps == [[0, 1], [2, 3], [4]]
    status, body = ml("GET", "metrics/get-history", run_id=uuid, metric_key="loss", page_token="7")
    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_parameter_is_written_once(ml, run):
    uuid = run["run_id"]
    assert ml("POST", "runs/log-parameter", run_id=uuid, key="a", value="1") == (200, {})
    assert ml("POST", "runs/log-parameter", run_id=uuid, key="a", value="1") == (200, {})
    status, body = ml("POST", "runs/log-parameter", run_id=uuid, key="a", value="2")
    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "already logged with value='1'" in body["message"]
    batch = {"params": [{"key": "a", "value": "3"}], "metrics": [{"key": "m", "value": 1, "timestamp": 1}]}
    assert ml("POST", "runs/log-batch", run_id=uuid, **batch)[0] == 400
    assert not Metric.objects.exists(), "nothing of a refused batch stays"


def test_a_batch_costs_the_same_whatever_is_in_it(ml, run, django_assert_max_num_queries):
    def batch(size):
        return {
            "metrics": [{"key": f"m{n}", "value": n, "timestamp": 1, "step": n} for n in range(size)],
            "params": [{"key": f"p{n}", "value": str(n)} for n in range(size // 10)],
            "tags": [{"key": f"t{n}", "value": "v"} for n in range(size // 10)],
        }

    ml("POST", "runs/log-batch", run_id=run["run_id"], **batch(10))
    with django_assert_max_num_queries(9):
        assert ml("POST", "runs/log-batch", run_id=run["run_id"], **batch(1_000)) == (200, {})
    assert LatestMetric.objects.count() == 1_000
    assert ml("POST", "runs/log-batch", run_id=run["run_id"], **batch(1_000)) == (200, {})
    assert Metric.objects.count() == 1_000, "what is sent again counts once"


def test_the_latest_value_is_that_of_the_highest_step(ml, run):
    for step, value in ((5, 0.5), (2, 0.2), (5, 0.7)):
        ml("POST", "runs/log-metric", run_id=run["run_id"], key="m", value=value, timestamp=10, step=step)
    assert LatestMetric.objects.get().value == 0.7


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("metrics.acc > 0.5", {"good"}),
        ("metrics.acc != 0.9", {"bad"}),
        ("params.`learning rate` = '0.1'", {"good"}),
        ("params.model LIKE 'b%'", {"bad"}),
        ("params.model ILIKE 'B%'", {"bad"}),
        ("tags.team = 'x' AND attributes.status = 'FINISHED'", {"good"}),
        ("tags.\"team\" != 'x'", {"bad"}),
        ("tags.nothing IS NULL and metrics.acc IS NOT NULL", {"good", "bad"}),
        ("run_name IN ('good', 'other')", {"good"}),
        ("attributes.run_name NOT IN ('good')", {"bad"}),
        ("start_time >= 2000", {"bad"}),
        ("datasets.name = 'mine'", {"good"}),
        ("dataset.context LIKE 'train%'", {"good"}),
        ("params.`it's` = 'it''s'", {"bad"}),
        ("metrics.nan > 0", set()),
        ("", {"good", "bad"}),
    ],
)
def test_runs_are_found_in_mlflows_words(ml, lab, text, found):
    good = ml("POST", "runs/create", experiment_id=lab, run_name="good", start_time=1000)[1]["run"]["info"]["run_id"]
    bad = ml("POST", "runs/create", experiment_id=lab, run_name="bad", start_time=2000)[1]["run"]["info"]["run_id"]
    metric = {"key": "acc", "timestamp": 1}
    params = [{"key": "learning rate", "value": "0.1"}, {"key": "model", "value": "a"}]
    ml("POST", "runs/log-batch", run_id=good, metrics=[{**metric, "value": 0.9}], params=params, tags=[{"key": "team", "value": "x"}])  # fmt: skip
    params = [{"key": "it's", "value": "it's"}, {"key": "model", "value": "b"}]
    nan = {"key": "nan", "timestamp": 1, "value": "NaN"}
    ml("POST", "runs/log-batch", run_id=bad, metrics=[{**metric, "value": 0.1}, nan], params=params, tags=[{"key": "team", "value": "y"}])  # fmt: skip
    ml("POST", "runs/update", run_id=good, status="FINISHED")
    dataset = {
        "tags": [{"key": "mlflow.data.context", "value": "training"}],
        "dataset": {"name": "mine", "digest": "d"},
    }
    ml("POST", "runs/log-inputs", run_id=good, datasets=[dataset])
    status, body = ml("POST", "runs/search", experiment_ids=[lab], filter=text)
    assert status == 200, body
    assert {one["info"]["run_name"] for one in body.get("runs", [])} == found


@pytest.mark.parametrize(
    "text",
    ["nonsense", "nonsense.x = 1", "metrics.a > 'x'", "params.a > '1'", "metrics.a = 1 OR metrics.b = 2", "metrics.a =",
     "tags.a = b", "attributes.nothing = 'x'", "run_id IN ()", "metrics.a ~ 1", "params.a = 1", "x" * 20_000,
     "params.a = 'unclosed"],
)  # fmt: skip
def test_a_wrong_filter_is_told(ml, lab, text):
    status, body = ml("POST", "runs/search", experiment_ids=[lab], filter=text)
    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize(
    "order", ["metrics.acc ASC", "metrics.acc DESC", "params.n desc", "attributes.start_time ASC", "tags.none"]
)
def test_every_order_has_its_pages(ml, lab, order):
    for number in range(7):
        uuid = new_run(ml, lab, **({"acc": float(number % 3)} if number < 5 else {}))
        ml("POST", "runs/log-parameter", run_id=uuid, key="n", value=str(number % 2))
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        body = ml("POST", "runs/search", experiment_ids=[lab], order_by=[order], max_results=2, **token)[1]
        seen += [one["info"]["run_id"] for one in body["runs"]]
        if "next_page_token" not in body:
            break
        token = {"page_token": body["next_page_token"]}
    whole = ml("POST", "runs/search", experiment_ids=[lab], order_by=[order])[1]["runs"]
    assert seen == [one["info"]["run_id"] for one in whole]
    assert len(set(seen)) == 7
    if "acc" in order:
        values = [one["data"]["metrics"][0]["value"] if one["data"].get("metrics") else None for one in whole]
        assert values[5:] == [None, None], "runs without it come last"
        assert values[:5] == sorted(values[:5], reverse="DESC" in order)


@pytest.mark.parametrize("token", ["zz", "W10", "WzFd", "bnVsbA", "WyJ4IiwgMV0"])
def test_a_wrong_token_is_told(ml, lab, token):
    status, body = ml("POST", "runs/search", experiment_ids=[lab], page_token=token)
    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_search_costs_the_same_for_one_run_and_many(ml, lab, django_assert_max_num_queries):
    for number in range(12):
        new_run(ml, lab, acc=number / 10)
    with django_assert_max_num_queries(10):
        found = ml("POST", "runs/search", experiment_ids=[lab], order_by=["metrics.acc DESC"])[1]["runs"]
    assert len(found) == 12


def test_deleted_runs_are_kept_apart_and_take_nothing(ml, lab):
    uuid = new_run(ml, lab)
    assert ml("POST", "runs/delete", run_id=uuid) == (200, {})
    assert ml("POST", "runs/delete", run_id=uuid) == (200, {})
    assert "runs" not in ml("POST", "runs/search", experiment_ids=[lab])[1]
    assert len(ml("POST", "runs/search", experiment_ids=[lab], run_view_type="DELETED_ONLY")[1]["runs"]) == 1
    status, body = ml("POST", "runs/set-tag", run_id=uuid, key="a", value="b")
    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert ml("POST", "runs/restore", run_id=uuid) == (200, {})
    assert ml("POST", "runs/set-tag", run_id=uuid, key="a", value="b") == (200, {})


def test_what_a_logged_model_is(ml, lab, run):
    status, body = ml("POST", "logged-models", experiment_id=lab, name="model", source_run_id=run["run_id"], params=[{"key": "p", "value": "1"}])  # fmt: skip
    info = body["model"]["info"]
    model = info["model_id"]
    assert (status, info["status"], info["source_run_id"]) == (200, "LOGGED_MODEL_PENDING", run["run_id"])
    assert info["artifact_uri"] == f"mlflow-artifacts:/{lab}/models/{model}/artifacts"
    assert ml("POST", "runs/outputs", run_id=run["run_id"], models=[{"model_id": model, "step": 0}]) == (200, {})
    assert ml("PATCH", f"logged-models/{model}", status="LOGGED_MODEL_READY")[1]["model"]["info"]["status"] == "LOGGED_MODEL_READY"  # fmt: skip
    assert ml("PATCH", f"logged-models/{model}/tags", tags=[{"key": "c", "value": "d"}]) == (200, {})
    assert ml("POST", f"logged-models/{model}/params", params=[{"key": "p", "value": "2"}])[0] == 400
    metric = {
        "key": "q",
        "value": 0.7,
        "timestamp": 1,
        "model_id": model,
        "dataset_name": "mine",
        "dataset_digest": "d",
    }
    assert ml("POST", "runs/log-metric", run_id=run["run_id"], **metric) == (200, {})
    shown = ml("GET", f"logged-models/{model}")[1]["model"]
    assert shown["data"]["metrics"][0]["dataset_name"] == "mine"
    asked = {
        "experiment_ids": [lab],
        "filter": "name = 'model' AND metrics.q > 0.5 AND params.p = '1' AND tags.c = 'd'",
    }
    order = [{"field_name": "metrics.q", "ascending": False}]
    found = ml("POST", "logged-models/search", **asked, order_by=order, datasets=[{"dataset_name": "mine"}])[1][
        "models"
    ]
    assert [one["info"]["model_id"] for one in found] == [model]
    assert ml("POST", "logged-models/search", experiment_ids=[lab], datasets=[{"dataset_name": "else"}])[1] == {}
    assert ml("GET", "runs/get", run_id=run["run_id"])[1]["run"]["outputs"] == {"model_outputs": [{"model_id": model, "step": 0}]}  # fmt: skip
    assert ml("DELETE", f"logged-models/{model}/tags/c") == (200, {})
    assert ml("DELETE", f"logged-models/{model}") == (200, {})
    assert ml("GET", f"logged-models/{model}")[0] == 404
    assert ml("GET", f"logged-models/{model}", allow_deleted="true")[0] == 200


def put(ml, lab, owner, path, content=b"hello", kind=""):
    return ml.client.put(f"{FILES}/{lab}/{kind}{owner}/artifacts/{path}", content).status_code


def test_files_go_in_and_come_out_and_are_stored_once(ml, lab, run):
    uuid = run["run_id"]
    assert put(ml, lab, uuid, "notes/a.txt") == 200
    assert put(ml, lab, uuid, "notes/ü ñ.txt") == 200
    assert put(ml, lab, uuid, "x.bin", b"\0" * 100) == 200
    assert Blob.objects.count() == 2
    root = f"{lab}/{uuid}/artifacts"
    listed = json.loads(ml.client.get(FILES, {"path": root}).content)["files"]
    assert listed == [{"path": "notes", "is_dir": True}, {"path": "x.bin", "is_dir": False, "file_size": 100}]
    inside = json.loads(ml.client.get(FILES, {"path": f"{root}/notes"}).content)["files"]
    assert [one["path"] for one in inside] == ["a.txt", "ü ñ.txt"]
    assert json.loads(ml.client.get(FILES, {"path": f"{root}/none"}).content) == {}
    assert b"".join(ml.client.get(f"{FILES}/{root}/notes/a.txt")) == b"hello"
    part = ml.client.get(f"{FILES}/{root}/x.bin", headers={"range": "bytes=10-19"})
    assert (part.status_code, len(b"".join(part))) == (206, 10)
    missing = ml.client.get(f"{FILES}/{root}/none.txt")
    assert (missing.status_code, json.loads(missing.content)["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert put(ml, lab, uuid, "notes/a.txt", b"other") == 200
    assert b"".join(ml.client.get(f"{FILES}/{root}/notes/a.txt")) == b"other"
    assert put(ml, lab, uuid, "notes", b"a folder is no file") == 400
    legacy = json.loads(ml.client.get(f"{API}artifacts/list", {"run_id": uuid, "path": "notes"}).content)
    assert (legacy["root_uri"], legacy["files"][0]["path"]) == (f"mlflow-artifacts:/{root}", "notes/a.txt")
    assert ml.client.delete(f"{FILES}/{root}/notes").status_code == 200
    assert list(Artifact.objects.values_list("path", flat=True)) == ["x.bin"]


@pytest.mark.parametrize("path", ["../x", "a/../../x", "a//b", "./x", "a\\..\\x", "x" * 501])
def test_no_path_climbs_out(ml, lab, run, path):
    assert put(ml, lab, run["run_id"], path) == 400
    assert not Artifact.objects.exists()


def test_a_file_that_stops_early_leaves_nothing(cast, run):
    with pytest.raises(Invalid):
        actions.put_artifact(
            owner=Run.objects.get(), path="x.bin", stream=io.BytesIO(b"short"), size=9, by=Actor(cast.alice)
        )
    assert not Artifact.objects.exists()
    assert not list((storage.root() / "tmp").glob("*"))


def test_files_of_another_experiment_are_not_this_ones(ml, lab, run):
    other = ml("POST", "experiments/create", name="other")[1]["experiment_id"]
    assert put(ml, other, run["run_id"], "x.bin") == 404


def test_a_version_of_a_logged_model_holds_its_bytes(ml, lab, run):
    model = ml("POST", "logged-models", experiment_id=lab, name="model", source_run_id=run["run_id"])[1]["model"]["info"]["model_id"]  # fmt: skip
    for path, content in (("MLmodel", b"flavors: {}\n"), ("data/weights.txt", b"1 2 3")):
        assert put(ml, lab, model, path, content, "models/") == 200
    ml("POST", "registered-models/create", name="made")
    for source in (
        f"models:/{model}",
        f"mlflow-artifacts:/{lab}/models/{model}/artifacts",
        f"runs:/{run['run_id']}/model",
    ):
        status, body = ml("POST", "model-versions/create", name="made", source=source)
        assert status == 200, body
        assert body["model_version"]["run_id"] == run["run_id"]
    version = Version.objects.filter(asset__name="made").first()
    assert sorted(version.files.values_list("path", flat=True)) == ["MLmodel", "data/weights.txt"]
    assert version.source_run_id == Run.objects.get(uuid=run["run_id"]).pk
    assert Blob.objects.filter(files__version=version, artifacts__isnull=False).distinct().count() == 2
    assert ml("POST", "model-versions/create", name="made", source=f"models:/m-{'0' * 32}")[0] == 400


def test_another_team_sees_nothing_of_it(api, cast, ml, lab, run):
    team = create_team(name="rival", title="Rival", by=Actor(cast.admin))
    grant_role(user=cast.mallory, role=Role.CONTRIBUTOR, on=team, by=Actor(cast.admin))
    put(ml, lab, run["run_id"], "x.bin")
    rival = caller(api(cast.mallory, team=team))
    assert rival("GET", "runs/get", run_id=run["run_id"])[0] == 404
    assert rival("POST", "runs/set-tag", run_id=run["run_id"], key="a", value="b")[0] == 404
    assert rival("GET", "experiments/get", experiment_id=lab)[0] == 404
    assert rival("POST", "runs/search", experiment_ids=[lab])[1] == {}
    assert rival.client.get(f"{FILES}/{lab}/{run['run_id']}/artifacts/x.bin").status_code == 404
    assert put(rival, lab, run["run_id"], "y.bin") == 404
    assert Experiment.objects.filter(name="Default").count() == 2


def test_who_only_looks_logs_nothing(api, cast, ml, run):
    viewer = caller(api(cast.victor, team=cast.team))
    assert viewer("GET", "runs/get", run_id=run["run_id"])[0] == 200
    status, body = viewer("POST", "runs/log-metric", run_id=run["run_id"], key="a", value=1, timestamp=1)
    assert (status, body["error_code"]) == (403, "PERMISSION_DENIED")
    assert "run.create" in body["message"]


def test_a_purge_takes_rows_and_bytes_and_nothing_that_a_version_holds(
    ml, lab, cast, django_capture_on_commit_callbacks
):
    from datetime import timedelta

    from django.utils import timezone

    uuid = new_run(ml, lab, acc=1)
    put(ml, lab, uuid, "alone.bin", b"alone")
    put(ml, lab, uuid, "model/kept.txt", b"kept")
    ml("POST", "registered-models/create", name="made")
    assert ml("POST", "model-versions/create", name="made", source=f"runs:/{uuid}/model")[0] == 200
    actions.delete_run(run=Run.objects.get(uuid=uuid), by=Actor(cast.alice))
    assert actions.purge_deleted() == 0
    Run.objects.filter(uuid=uuid).update(deleted_at=timezone.now() - timedelta(days=31))
    with django_capture_on_commit_callbacks(execute=True):
        assert actions.purge_deleted() == 1
    assert not Run.objects.filter(uuid=uuid).exists()
    assert not Artifact.objects.exists()
    assert list(Blob.objects.values_list("size", flat=True)) == [4]
    assert AuditEvent.objects.filter(action="run.purged").count() == 1


def test_the_quick_door_says_of_runs_what_the_ordinary_one_says(api, cast, ml, lab, django_assert_num_queries):
    """In the same words, by one statement: whatever was reported, in every order, page by page."""
    uuids = [new_run(ml, lab, loss=number, acc=0.5) for number in range(3)]
    ml("POST", "runs/log-metric", run_id=uuids[0], key="nan", value="NaN", timestamp=1)
    ml(
        "POST",
        "runs/log-batch",
        run_id=uuids[1],
        params=[{"key": "lr", "value": "1e-05"}, {"key": "B", "value": ""}],
        tags=[{"key": "é", "value": '"'}],
    )
    ml("POST", "runs/log-inputs", run_id=uuids[1], datasets=[
        {"dataset": {"name": "d", "digest": "1", "source_type": "s", "source": "x"}, "tags": [{"key": "k", "value": "v"}]},
    ])  # fmt: skip
    model = ml("POST", "logged-models", experiment_id=lab, name="m", source_run_id=uuids[1])[1]["model"]["info"][
        "model_id"
    ]
    ml("POST", "runs/outputs", run_id=uuids[1], models=[{"model_id": model, "step": 3}])
    ml("POST", "runs/update", run_id=uuids[2], status="FINISHED", end_time=1_795_228_704_999)
    ml("POST", "runs/delete", run_id=uuids[0])
    native = Run.objects.get(uuid=uuids[2])
    native.parameters = {"lr": 1e-05, "deep": {"a": [1, None]}}
    native.save(update_fields=["parameters"])
    quick = api(cast.alice, team=cast.team)
    quick.get(f"{API}experiments/search")  # its last use is written
    slow = api(cast.alice)
    asked: list[tuple[str, dict[str, Any]]] = [("GET", {"run_id": uuid}) for uuid in uuids]
    asked += [
        ("POST", {"experiment_ids": [lab, "0", "99999999"], **more})
        for more in (
            {}, {"run_view_type": "ALL", "max_results": 2}, {"filter": "metrics.loss > 0.5 AND tags.`é` = '\"'"},
            {"order_by": ["metrics.loss ASC", "params.lr DESC"], "run_view_type": "ALL", "max_results": 1},
            {"filter": "params.lr LIKE '1%'"}, {"filter": "attributes.status = 'FINISHED'"},
        )
    ]  # fmt: skip
    for method, fields in asked:
        path, as_json = (f"{API}runs/get", {}) if method == "GET" else (f"{API}runs/search", {"format": "json"})
        while True:
            with django_assert_num_queries(0):  # the statement goes past Django
                answer = getattr(quick, method.lower())(path, fields, **as_json)
            ordinary = getattr(slow, method.lower())(path, fields, headers={"x-mlflow-workspace": "acme"}, **as_json)
            assert answer.status_code == ordinary.status_code == 200
            assert answer.json() == ordinary.json(), fields
            if not (token := answer.json().get("next_page_token")):
                break
            fields = {**fields, "page_token": token}


def test_the_quick_door_says_of_experiments_and_metrics_what_the_ordinary_one_says(
    api, cast, ml, lab, run, django_assert_num_queries
):
    uuid = run["run_id"]
    ml("POST", "experiments/set-experiment-tag", experiment_id=lab, key="é", value='"')
    gone = ml("POST", "experiments/create", name="gone")[1]["experiment_id"]
    ml("POST", "experiments/delete", experiment_id=gone)
    ml("POST", "runs/create", experiment_id="0")  # with which the default one comes to be
    for step, value in enumerate([0.5, "NaN", "-Infinity", 1e300]):
        ml("POST", "runs/log-metric", run_id=uuid, key="loss", value=value, timestamp=10 - step, step=step)
    quick, slow = api(cast.alice, team=cast.team), api(cast.alice)
    quick.get(f"{API}experiments/search")  # its last use is written
    name = ml("GET", "experiments/get", experiment_id=lab)[1]["experiment"]["name"]
    for path, fields, one in (
        *(("experiments/get", {"experiment_id": number}, True) for number in (lab, gone, "0")),
        *(("experiments/get-by-name", {"experiment_name": one}, True) for one in (name, "gone", "Default")),
        ("metrics/get-history", {"run_id": uuid, "metric_key": "loss"}, True),
        ("metrics/get-history", {"run_uuid": uuid, "metric_key": "loss", "max_results": "4"}, True),
        ("metrics/get-history", {"run_id": uuid, "metric_key": "none"}, True),
        (
            "metrics/get-history",
            {"run_id": uuid, "metric_key": "loss", "max_results": "3"},
            False,
        ),  # there is a next page
        ("metrics/get-history", {"run_id": uuid}, False),
        ("metrics/get-history", {"run_id": "none", "metric_key": "loss"}, False),
        ("experiments/get", {"experiment_id": "9" * 30}, False),
        ("experiments/get", {"experiment_id": "99999999"}, False),
        ("experiments/get-by-name", {"experiment_name": "none"}, False),
    ):
        if one:
            with django_assert_num_queries(0):
                answer = quick.get(f"{API}{path}", fields)
        else:
            answer = quick.get(f"{API}{path}", fields)
        ordinary = slow.get(f"{API}{path}", fields, headers={"x-mlflow-workspace": "acme"})
        assert (answer.status_code, answer.json()) == (ordinary.status_code, ordinary.json()), (path, fields)


def test_the_quick_door_shows_no_run_of_others(api, cast, ml, lab, run, actor):
    other = create_team(name="other", title="Other", by=actor(cast.admin))
    grant_role(user=cast.mallory, role=Role.CONTRIBUTOR, on=other, by=Actor(cast.admin))
    mallory = api(cast.mallory, team=other)
    for _ in range(2):  # the second time the key is no news
        assert mallory.get(f"{API}runs/get", {"run_id": run["run_id"]}).status_code == 404
        history = {"run_id": run["run_id"], "metric_key": "loss"}
        assert mallory.get(f"{API}metrics/get-history", history).status_code == 404
        assert mallory.get(f"{API}experiments/get", {"experiment_id": lab}).status_code == 404
        found = mallory.post(f"{API}runs/search", {"experiment_ids": [lab, "0"]}, format="json")
        assert (found.status_code, found.json()) == (200, {})
