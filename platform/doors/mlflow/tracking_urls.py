"""The addresses of tracking: experiments, runs, logged models and artifacts."""

from django.urls import URLPattern, path

from doors.mlflow import artifact_parts, artifacts, logged_models
from doors.mlflow import tracking_experiments as experiments
from doors.mlflow import tracking_runs as runs

_ROOT, _FILES = "api/2.0/mlflow", "api/2.0/mlflow-artifacts"
_MODEL = f"{_ROOT}/logged-models/<str:model_id>"
urlpatterns: list[URLPattern] = [
    path(f"{_ROOT}/experiments/create", experiments.create, name="mlflow-experiments-create"),
    path(f"{_ROOT}/experiments/get", experiments.get, name="mlflow-experiments-get"),
    path(f"{_ROOT}/experiments/get-by-name", experiments.get_by_name, name="mlflow-experiments-get-by-name"),
    path(f"{_ROOT}/experiments/update", experiments.update, name="mlflow-experiments-update"),
    path(f"{_ROOT}/experiments/delete", experiments.delete, name="mlflow-experiments-delete"),
    path(f"{_ROOT}/experiments/restore", experiments.restore, name="mlflow-experiments-restore"),
    path(f"{_ROOT}/experiments/search", experiments.search_experiments, name="mlflow-experiments-search"),
    path(f"{_ROOT}/experiments/set-experiment-tag", experiments.set_tag, name="mlflow-experiments-set-tag"),
    path(f"{_ROOT}/experiments/delete-experiment-tag", experiments.delete_tag, name="mlflow-experiments-delete-tag"),
    path(f"{_ROOT}/runs/create", runs.create, name="mlflow-runs-create"),
    path(f"{_ROOT}/runs/get", runs.get, name="mlflow-runs-get"),
    path(f"{_ROOT}/runs/update", runs.update, name="mlflow-runs-update"),
    path(f"{_ROOT}/runs/delete", runs.delete, name="mlflow-runs-delete"),
    path(f"{_ROOT}/runs/restore", runs.restore, name="mlflow-runs-restore"),
    path(f"{_ROOT}/runs/log-metric", runs.log_metric, name="mlflow-runs-log-metric"),
    path(f"{_ROOT}/runs/log-parameter", runs.log_parameter, name="mlflow-runs-log-parameter"),
    path(f"{_ROOT}/runs/set-tag", runs.set_tag, name="mlflow-runs-set-tag"),
    path(f"{_ROOT}/runs/delete-tag", runs.delete_tag, name="mlflow-runs-delete-tag"),
    path(f"{_ROOT}/runs/log-batch", runs.log_batch, name="mlflow-runs-log-batch"),
    path(f"{_ROOT}/runs/log-model", runs.log_model, name="mlflow-runs-log-model"),
    path(f"{_ROOT}/runs/log-inputs", runs.log_inputs, name="mlflow-runs-log-inputs"),
    path(f"{_ROOT}/runs/outputs", runs.log_outputs, name="mlflow-runs-outputs"),
    path(f"{_ROOT}/runs/search", runs.search_runs, name="mlflow-runs-search"),
    path(f"{_ROOT}/metrics/get-history", runs.metric_history, name="mlflow-metrics-history"),
    path(f"{_ROOT}/metrics/get-history-bulk", runs.metric_history_of_many, name="mlflow-metrics-history-bulk"),
    path(
        f"{_ROOT}/metrics/get-history-bulk-interval",
        runs.metric_history_of_many,
        name="mlflow-metrics-history-interval",
    ),
    path(f"{_ROOT}/logged-models", logged_models.create, name="mlflow-logged-models"),
    path(f"{_ROOT}/logged-models/search", logged_models.search_models, name="mlflow-logged-models-search"),
    path(_MODEL, logged_models.one, name="mlflow-logged-model"),
    path(f"{_MODEL}/tags", logged_models.set_tags, name="mlflow-logged-model-tags"),
    path(f"{_MODEL}/tags/<path:key>", logged_models.delete_tag, name="mlflow-logged-model-tag"),
    path(f"{_MODEL}/params", logged_models.log_params, name="mlflow-logged-model-params"),
    path(f"{_ROOT}/artifacts/list", artifacts.of_run, name="mlflow-run-artifacts"),
    path(f"{_FILES}/artifacts", artifacts.listing, name="mlflow-artifacts"),
    # A version's files (models/<team>/<name>/<number>/…) are the registry's, whose addresses come before these.
    path(f"{_FILES}/artifacts/<path:address>", artifacts.file, name="mlflow-artifact"),
    path(f"{_FILES}/mpu/create/<path:address>", artifact_parts.create, name="mlflow-artifact-parts"),
    path(f"{_FILES}/mpu/complete/<path:address>", artifact_parts.complete, name="mlflow-artifact-parts-complete"),
    path(f"{_FILES}/mpu/abort/<path:address>", artifact_parts.abort, name="mlflow-artifact-parts-abort"),
    path(f"{_FILES}/presigned/<path:address>", artifact_parts.presigned, name="mlflow-artifact-presigned"),
]
