"""REST."""

from django.urls import URLPattern, path

from home.comparison.urls import api_urlpatterns
from home.lineage.api import Lineage

urlpatterns: list[URLPattern] = [
    *api_urlpatterns,
    *(
        path(
            f"{kind}s/<str:team>/<str:name>/versions/<int:number>/lineage",
            Lineage.as_view(),
            {"kind": kind},
            name=f"api-{kind}-version-lineage",
        )
        for kind in ("model", "dataset")
    ),
]
