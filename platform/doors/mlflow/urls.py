"""The addresses of the MLflow door. What a client asks for and is not here is answered in MLflow's own shape."""

from django.urls import path

from doors.mlflow import base, registry_urls, tracking_urls, workspaces

urlpatterns = [
    path("version", base.version, name="mlflow-version"),
    path("api/3.0/mlflow/server-info", base.server_info, name="mlflow-server-info"),
    path("api/3.0/mlflow/workspaces", workspaces.listing, name="mlflow-workspaces"),
    path("api/3.0/mlflow/workspaces/<str:team>", workspaces.get, name="mlflow-workspace"),
    *registry_urls.urlpatterns,
    *tracking_urls.urlpatterns,
    path("api/2.0/<path:rest>", base.unknown, name="mlflow-unknown"),
    path("api/3.0/<path:rest>", base.unknown, name="mlflow-unknown-3"),
]
