"""REST."""

from django.urls import URLPattern, path

from home.lineage.api import Lineage

urlpatterns: list[URLPattern] = [
    path(
        f"{kind}s/<str:team>/<str:name>/versions/<int:number>/lineage",
        Lineage.as_view(),
        {"kind": kind},
        name=f"api-{kind}-version-lineage",
    )
    for kind in ("model", "dataset")
]
