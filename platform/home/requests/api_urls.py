"""REST of requests, included by home.api_urls."""

from django.urls import path

from home.requests import api

urlpatterns = [
    path("requests", api.RequestListView.as_view(), name="api-request-list"),
    path("requests/<int:request_id>", api.RequestView.as_view(), name="api-request"),
    path("requests/<int:request_id>/reviews", api.ReviewListView.as_view(), name="api-review-list"),
    path("requests/<int:request_id>/withdraw", api.WithdrawView.as_view(), name="api-request-withdraw"),
]
