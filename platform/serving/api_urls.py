"""REST."""

from django.urls import URLPattern, path

from serving import api, tokenizing_api

DEPLOYMENT = "deployments/<str:team>/<str:name>"

urlpatterns: list[URLPattern] = [
    path("deployments", api.DeploymentListView.as_view(), name="api-deployment-list"),
    path(DEPLOYMENT, api.DeploymentDetailView.as_view(), name="api-deployment-detail"),
    path(f"{DEPLOYMENT}/prices", api.DeploymentPricesView.as_view(), name="api-deployment-prices"),
    path(f"{DEPLOYMENT}/stop", api.DeploymentStopView.as_view(), name="api-deployment-stop"),
    path(f"{DEPLOYMENT}/start", api.DeploymentStartView.as_view(), name="api-deployment-start"),
    path(f"{DEPLOYMENT}/logs", api.DeploymentLogsView.as_view(), name="api-deployment-logs"),
    path(f"{DEPLOYMENT}/revisions", api.RevisionListView.as_view(), name="api-deployment-revisions"),
    path("tokenize", tokenizing_api.Tokenize.as_view(), name="api-tokenize"),
    path("cluster", api.ClusterView.as_view(), name="api-cluster"),
]
