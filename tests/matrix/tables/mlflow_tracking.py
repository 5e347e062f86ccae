"""Experiments, runs, logged models and artifacts at MLflow's addresses. The team is named as the workspace."""

from typing import Any

from accounts.roles import Permission as P
from tests.matrix.rules import ASSET, Rule, Table, may, sees

_SPACE = {"x-mlflow-workspace": "{team}"}
_REPORT = "what a run reports in passing; its start and end are events"
_E: dict[str, Any] = {"experiment_id": "{experiment_id}"}
_R: dict[str, Any] = {"run_id": "{run_uuid}"}
_FILE = {"address": "{experiment_id}/{lab_run}/artifacts/README.md"}


def _log(body: Any, **more: Any) -> Rule:
    return may(P.RUN_CREATE, body, headers=_SPACE, ok=(200,), **more)


def _read(**more: Any) -> Rule:
    return sees(ASSET, headers=_SPACE, **more)


_SEARCH = _read(body={"experiment_ids": ["{experiment_id}"], "max_results": 10}, quiet="it searches")
# Files lie in a folder here, where MLflow's client is told to send and fetch them whole.
_FOLDER = {"address": "{experiment_id}/{lab_run}/artifacts"}
_WHOLE = {"ok": (501,), "quiet": "files go whole to and from a folder"}
_PARTS = {"POST": _read(body={"path": "a.bin", "upload_id": "x"}, values=_FOLDER, **_WHOLE)}
_CHART = {"GET": _read(query="run_ids={run_uuid}&metric_key=loss")}
MLFLOW_TRACKING: Table = {
    "mlflow-experiments-create": {"POST": _log({"name": "fresh"})},
    "mlflow-experiments-get": {"GET": _read(query="experiment_id={experiment_id}")},
    "mlflow-experiments-get-by-name": {"GET": _read(query="experiment_name=Default")},
    "mlflow-experiments-update": {"POST": _log({**_E, "new_name": "other"})},
    "mlflow-experiments-delete": {"POST": _log(_E)},
    "mlflow-experiments-restore": {"POST": _log({"experiment_id": "{gone_experiment}"})},
    "mlflow-experiments-search": {"GET": _read(query="max_results=5"), "POST": _SEARCH},
    "mlflow-experiments-set-tag": {"POST": _log({**_E, "key": "k", "value": "v"})},
    "mlflow-experiments-delete-tag": dict.fromkeys(("POST", "DELETE"), _log({**_E, "key": "said"})),
    "mlflow-runs-create": {"POST": _log({**_E, "start_time": 1})},
    "mlflow-runs-get": {"GET": _read(query="run_id={run_uuid}")},
    "mlflow-runs-update": {"POST": _log({**_R, "status": "FINISHED"})},
    "mlflow-runs-delete": {"POST": _log(_R)},
    "mlflow-runs-restore": {"POST": _log({"run_id": "{gone_uuid}"})},
    "mlflow-runs-log-metric": {"POST": _log({**_R, "key": "k", "value": 1.5, "timestamp": 1}, quiet=_REPORT)},
    "mlflow-runs-log-parameter": {"POST": _log({**_R, "key": "k", "value": "v"}, quiet=_REPORT)},
    "mlflow-runs-set-tag": {"POST": _log({**_R, "key": "k", "value": "v"}, quiet=_REPORT)},
    "mlflow-runs-delete-tag": {"POST": _log({"run_id": "{lab_run}", "key": "said"}, quiet=_REPORT)},
    "mlflow-runs-log-batch": {"POST": _log({**_R, "tags": [{"key": "k", "value": "v"}]}, quiet=_REPORT)},
    "mlflow-runs-log-model": {"POST": _log({**_R, "model_json": "{}"}, quiet=_REPORT)},
    "mlflow-runs-log-inputs": {
        "POST": _log({**_R, "datasets": [{"dataset": {"name": "n", "digest": "d"}}]}, quiet=_REPORT)
    },
    "mlflow-runs-outputs": {"POST": _log({**_R, "models": [{"model_id": "{model_id}", "step": 0}]}, quiet=_REPORT)},
    "mlflow-runs-search": {"GET": _read(query="experiment_ids={experiment_id}"), "POST": _SEARCH},
    "mlflow-metrics-history": {"GET": _read(query="run_id={run_uuid}&metric_key=loss")},
    **dict.fromkeys(("mlflow-metrics-history-bulk", "mlflow-metrics-history-interval"), _CHART),
    "mlflow-logged-models": {"POST": _log({**_E, "name": "fresh"})},
    "mlflow-logged-models-search": {"POST": _SEARCH},
    "mlflow-logged-model": {
        "GET": _read(),
        "PATCH": _log({"status": "LOGGED_MODEL_READY"}),
        "DELETE": _log({}),
    },
    "mlflow-logged-model-tags": {"PATCH": _log({"tags": [{"key": "k", "value": "v"}]}, quiet=_REPORT)},
    "mlflow-logged-model-tag": {"DELETE": _log({}, values={"key": "said"}, quiet=_REPORT)},
    "mlflow-logged-model-params": {"POST": _log({"params": [{"key": "k", "value": "v"}]}, quiet=_REPORT)},
    "mlflow-run-artifacts": {"GET": _read(query="run_id={lab_run}")},
    "mlflow-artifact": {
        "GET": _read(values=_FILE),
        "HEAD": _read(values=_FILE),
        "PUT": _log(b"x", values=_FILE, quiet="files of runs are governed from when a version is registered of them"),
        "DELETE": _log({}, values=_FILE, quiet="files of runs are governed from when a version is registered of them"),
    },
    "mlflow-artifact-parts": _PARTS,
    "mlflow-artifact-parts-complete": _PARTS,
    "mlflow-artifact-parts-abort": _PARTS,
    "mlflow-artifact-presigned": {"GET": _read(values=_FILE, **_WHOLE)},
}
