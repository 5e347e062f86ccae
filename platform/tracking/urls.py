"""Pages."""

from django.urls import URLPattern, path

from tracking import views

urlpatterns: list[URLPattern] = [
    path("runs/", views.run_list, name="run-list"),
    path("runs/<int:run_id>", views.run_detail, name="run-detail"),
    path("runs/<int:run_id>/live", views.run_live, name="run-live"),
    path("runs/<int:run_id>/cancel", views.run_cancel, name="run-cancel"),
]
