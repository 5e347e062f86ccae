"""Pages."""

from django.urls import URLPattern, path

from serving.views import create, detail, lists, tries

DEPLOYMENT = "deployments/<str:team>/<str:name>"

urlpatterns: list[URLPattern] = [
    path("deployments/", lists.deployment_list, name="deployment-list"),
    path("deployments/new", create.deployment_create, name="deployment-create"),
    path(DEPLOYMENT, detail.deployment_detail, name="deployment-detail"),
    path(f"{DEPLOYMENT}/live", detail.deployment_live, name="deployment-live"),
    path(f"{DEPLOYMENT}/logs", detail.deployment_logs, name="deployment-logs"),
    path(f"{DEPLOYMENT}/revisions", detail.deployment_revisions, name="deployment-revisions"),
    path(f"{DEPLOYMENT}/history", detail.deployment_history, name="deployment-history"),
    path(f"{DEPLOYMENT}/scale", detail.deployment_scale, name="deployment-scale"),
    path(f"{DEPLOYMENT}/prices", detail.deployment_prices, name="deployment-prices"),
    path(f"{DEPLOYMENT}/stop", detail.deployment_stop, name="deployment-stop"),
    path(f"{DEPLOYMENT}/start", detail.deployment_start, name="deployment-start"),
    path(f"{DEPLOYMENT}/delete", detail.deployment_delete, name="deployment-delete"),
    path(f"{DEPLOYMENT}/try", tries.deployment_try, name="deployment-try"),
    path(f"{DEPLOYMENT}/compare", tries.deployment_compare, name="deployment-compare"),
    path("models/<str:team>/<str:name>/deployments", lists.model_deployments, name="model-deployments"),
]
