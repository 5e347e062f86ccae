"""Pages."""

from django.urls import URLPattern, path

from evaluation import views

urlpatterns: list[URLPattern] = [
    path("evaluations/", views.evaluation_list, name="evaluation-list"),
    path("evaluations/new", views.evaluation_create, name="evaluation-create"),
    path("evaluations/new/choices", views.evaluation_choices, name="evaluation-choices"),
    path("evaluations/<int:evaluation_id>", views.evaluation_detail, name="evaluation-detail"),
    path("evaluations/<int:evaluation_id>/live", views.evaluation_live, name="evaluation-live"),
    path("evaluations/<int:evaluation_id>/cancel", views.evaluation_cancel, name="evaluation-cancel"),
    path("models/<str:team>/<str:name>/evaluations", views.model_evaluations, name="model-evaluations"),
]
