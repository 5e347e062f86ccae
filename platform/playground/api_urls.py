"""REST."""

from django.urls import URLPattern, path

from playground import api

urlpatterns: list[URLPattern] = [
    path("playground/runs", api.Runs.as_view(), name="api-playground-runs"),
    path("playground/runs/<int:play>", api.RunView.as_view(), name="api-playground-run"),
    path("playground/runs/<int:play>/cells", api.Cells.as_view(), name="api-playground-cells"),
    path("playground/runs/<int:play>/cancel", api.Cancel.as_view(), name="api-playground-cancel"),
]
