"""Comparing two versions: pages, and REST."""

from django.urls import URLPattern, path

from home.comparison import api, views


def _pages(kind: str) -> list[URLPattern]:
    address, given = f"{kind}s/<str:team>/<str:name>/compare", {"kind": kind}
    found = [path(address, views.version_compare, given, name=f"{kind}-version-compare")]
    if kind == "model":
        found += [
            path(f"{address}/weights", views.weights_state, given, name="model-compare-weights"),
            path(f"{address}/measure", views.weights_measure, given, name="model-compare-measure"),
        ]
    return found


def _resources(kind: str) -> list[URLPattern]:
    address, given = f"{kind}s/<str:team>/<str:name>/compare", {"kind": kind}
    found = [path(address, api.Compare.as_view(), given, name=f"api-{kind}-compare")]
    if kind == "model":
        found.append(path(f"{address}/weights", api.CompareWeights.as_view(), given, name="api-model-compare-weights"))
    return found


urlpatterns: list[URLPattern] = [*_pages("model"), *_pages("dataset")]
api_urlpatterns: list[URLPattern] = [*_resources("model"), *_resources("dataset")]
