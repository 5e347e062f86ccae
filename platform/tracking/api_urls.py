"""REST."""

from django.urls import URLPattern, path

from tracking import api

urlpatterns: list[URLPattern] = [
    path("experiments", api.Experiments.as_view(), name="api-experiments"),
    path("experiments/<int:experiment_id>", api.ExperimentView.as_view(), name="api-experiment"),
    path("experiments/<int:experiment_id>/restore", api.ExperimentRestore.as_view(), name="api-experiment-restore"),
    path("runs", api.Runs.as_view(), name="api-runs"),
    path("runs/<int:run_id>", api.RunView.as_view(), name="api-run"),
    path("runs/<int:run_id>/restore", api.RunRestore.as_view(), name="api-run-restore"),
    path("runs/<int:run_id>/metrics", api.RunMetrics.as_view(), name="api-run-metrics"),
    path("runs/<int:run_id>/artifacts", api.RunArtifacts.as_view(), name="api-run-artifacts"),
    path("runs/<int:run_id>/artifacts/<path:path>", api.RunArtifact.as_view(), name="api-run-artifact"),
]
