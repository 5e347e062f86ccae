"""Pages, and the replicas' door."""

from django.urls import URLPattern, path

from registry import internal

urlpatterns: list[URLPattern] = [
    path("internal/files/<str:sha256>", internal.serve_blob, name="internal-file"),
]
