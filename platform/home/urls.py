"""Home and search. Requests have their own list in home.requests."""

from django.urls import path

from home import views
from home.comparison import urls as comparison
from home.composition.views import composition_page
from home.foreign import from_mlflow
from home.lineage.views import lineage_page

urlpatterns = [
    path("", views.home, name="home"),
    *[
        path(f"{kind}s/<str:team>/<str:name>/lineage", lineage_page, {"kind": kind}, name=f"{kind}-lineage")
        for kind in ("model", "dataset")
    ],
    path("prompts/<str:team>/<prompt_name:name>/graph", composition_page, name="prompt-graph"),
    path("from-mlflow", from_mlflow, name="from-mlflow"),
    path("search", views.search_everything, name="search"),
    *comparison.urlpatterns,
]
