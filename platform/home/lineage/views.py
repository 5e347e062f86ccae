"""Page: the lineage of a model or dataset, of one version at a time."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.authentication import actor_of
from accounts.errors import NotFound
from home.lineage.drawing import branches, draw
from home.lineage.graph import lineage_of
from registry import reads
from registry.pages import asset_page
from registry.views.assets import shown_version


@login_required
@require_safe
def lineage_page(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    """?version=n, else the one in production or the latest."""
    by = actor_of(request)
    asset = reads.get_asset(by, kind, f"{team}/{name}")
    wanted = request.GET.get("version", "")
    if wanted and not (wanted.isdecimal() and len(wanted) < 10):
        raise NotFound("There is no such version.")
    version = reads.get_version(by, asset, int(wanted)) if wanted else shown_version(asset)
    page = asset_page(asset, "lineage", by) | {"version": version}
    if version is not None:
        graph = lineage_of(version, by)
        page |= {
            "graph": graph,
            "drawing": draw(graph),
            "origins": branches(graph, up=True),
            "results": branches(graph, up=False),
            "numbers": list(asset.versions.live().values_list("number", flat=True)[:100]),
        }
    return render(request, "home/lineage.html", page)
