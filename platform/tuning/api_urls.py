"""REST."""

from django.urls import URLPattern, path

from tuning.api import RunMetrics, Runs, RunView

urlpatterns: list[URLPattern] = [
    path("runs", Runs.as_view(), name="api-runs"),
    path("runs/<int:run_id>", RunView.as_view(), name="api-run"),
    path("runs/<int:run_id>/metrics", RunMetrics.as_view(), name="api-run-metrics"),
]
