"""REST."""

from django.urls import URLPattern, path

from evaluation.api import Cancel, Evaluations, EvaluationView, Examples

urlpatterns: list[URLPattern] = [
    path("evaluations", Evaluations.as_view(), name="api-evaluations"),
    path("evaluations/<int:evaluation_id>", EvaluationView.as_view(), name="api-evaluation"),
    path("evaluations/<int:evaluation_id>/examples", Examples.as_view(), name="api-evaluation-examples"),
    path("evaluations/<int:evaluation_id>/cancel", Cancel.as_view(), name="api-evaluation-cancel"),
]
