"""The model registry's addresses."""

from django.urls import path

from doors.mlflow import registry_files as files
from doors.mlflow import registry_models as models
from doors.mlflow import registry_versions as versions
from doors.mlflow import webhooks
from doors.mlflow.base import by_method

_MODELS = "api/2.0/mlflow/registered-models/"
_VERSIONS = "api/2.0/mlflow/model-versions/"
_ARTIFACTS = "api/2.0/mlflow-artifacts/artifacts"

urlpatterns = [
    path(f"{_MODELS}create", models.create, name="mlflow-model-create"),
    path(f"{_MODELS}get", models.get, name="mlflow-model-get"),
    path(f"{_MODELS}update", models.update, name="mlflow-model-update"),
    path(f"{_MODELS}rename", models.rename, name="mlflow-model-rename"),
    path(f"{_MODELS}delete", models.delete, name="mlflow-model-delete"),
    path(f"{_MODELS}search", models.search_models, name="mlflow-model-search"),
    path(f"{_MODELS}get-latest-versions", models.get_latest_versions, name="mlflow-model-latest"),
    path(f"{_MODELS}set-tag", models.set_tag, name="mlflow-model-tag"),
    path(f"{_MODELS}delete-tag", models.delete_tag, name="mlflow-model-untag"),
    path(
        f"{_MODELS}alias",
        by_method(GET=versions.get_by_alias, POST=versions.set_alias, DELETE=versions.delete_alias),
        name="mlflow-alias",
    ),
    path(f"{_VERSIONS}create", versions.create, name="mlflow-version-create"),
    path(f"{_VERSIONS}get", versions.get, name="mlflow-version-get"),
    path(f"{_VERSIONS}update", versions.update, name="mlflow-version-update"),
    path(f"{_VERSIONS}delete", versions.delete, name="mlflow-version-delete"),
    path(f"{_VERSIONS}search", versions.search_versions, name="mlflow-version-search"),
    path(f"{_VERSIONS}set-tag", versions.set_tag, name="mlflow-version-tag"),
    path(f"{_VERSIONS}delete-tag", versions.delete_tag, name="mlflow-version-untag"),
    path(f"{_VERSIONS}transition-stage", versions.transition_stage, name="mlflow-version-stage"),
    path(f"{_VERSIONS}get-download-uri", versions.get_download_uri, name="mlflow-version-uri"),
    path(
        f"{_ARTIFACTS}/models/<str:team>/<str:name>/<int:number>/<path:path>",
        files.download,
        name="mlflow-version-file",
    ),
    path("api/2.0/mlflow/webhooks", by_method(GET=webhooks.listing, POST=webhooks.create), name="mlflow-webhooks"),
    path(
        "api/2.0/mlflow/webhooks/<str:webhook_id>",
        by_method(GET=webhooks.get, PATCH=webhooks.update, DELETE=webhooks.delete),
        name="mlflow-webhook",
    ),
    path("api/2.0/mlflow/webhooks/<str:webhook_id>/test", webhooks.test, name="mlflow-webhook-test"),
]
