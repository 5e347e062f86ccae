"""Pages."""

from django.urls import URLPattern, path

from tracking.views import experiments, logged_models, runs

urlpatterns: list[URLPattern] = [
    path("experiments/", experiments.experiment_list, name="experiment-list"),
    path("experiments/new", experiments.experiment_new, name="experiment-new"),
    path("experiments/<int:experiment_id>", experiments.experiment_detail, name="experiment-detail"),
    path("experiments/<int:experiment_id>/delete", experiments.experiment_delete, name="experiment-delete"),
    path("experiments/<int:experiment_id>/restore", experiments.experiment_restore, name="experiment-restore"),
    path("logged-models/<str:model_id>", logged_models.logged_model_detail, name="logged-model"),
    path("runs/", runs.run_list, name="run-list"),
    path("runs/compare", runs.run_compare, name="run-compare"),
    path("runs/<int:run_id>", runs.run_detail, name="run-detail"),
    path("runs/<int:run_id>/live", runs.run_live, name="run-live"),
    path("runs/<int:run_id>/metric", runs.run_metric, name="run-metric"),
    path("runs/<int:run_id>/files", runs.run_files, name="run-files"),
    path("runs/<int:run_id>/cancel", runs.run_cancel, name="run-cancel"),
    path("runs/<int:run_id>/delete", runs.run_delete, name="run-delete"),
    path("runs/<int:run_id>/restore", runs.run_restore, name="run-restore"),
]
