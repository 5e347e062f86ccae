"""REST of requests, included by home.api_urls."""

from django.urls import path

from home.requests import api, delegations_api

urlpatterns = [
    path("requests", api.RequestListView.as_view(), name="api-request-list"),
    path("requests/counts", api.CountsView.as_view(), name="api-request-counts"),
    path("requests/removals", api.RemovalView.as_view(), name="api-request-removal"),
    path("requests/roles", api.RoleRequestView.as_view(), name="api-request-role"),
    path("requests/deployments", api.DeploymentRequestView.as_view(), name="api-request-deployment"),
    path("requests/break-glass", api.BreakGlassView.as_view(), name="api-request-break-glass"),
    path("requests/<int:request_id>", api.RequestView.as_view(), name="api-request"),
    path("requests/<int:request_id>/reviews", api.ReviewListView.as_view(), name="api-review-list"),
    path("requests/<int:request_id>/withdraw", api.WithdrawView.as_view(), name="api-request-withdraw"),
    path("requests/<int:request_id>/answer", api.AnswerView.as_view(), name="api-request-answer"),
    path("requests/<int:request_id>/renewal", api.RenewView.as_view(), name="api-request-renewal"),
    path("requests/<int:request_id>/glass", api.GlassReviewView.as_view(), name="api-request-glass"),
    path("delegations", delegations_api.DelegationListView.as_view(), name="api-delegation-list"),
    path("delegations/<int:delegation_id>/end", delegations_api.DelegationEndView.as_view(), name="api-delegation-end"),
]
