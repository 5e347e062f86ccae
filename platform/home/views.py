"""Home and search."""

from dataclasses import asdict

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.authentication import actor_of
from accounts.current import current_team
from home import dashboard
from home.search import LONG, SHORT, search


@login_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    by = actor_of(request)
    team = current_team(request)
    if team is None:
        return render(request, "home/no_team.html")
    if request.GET.get("part") == "running":
        context = {"jobs": dashboard.running(by, team), "deployments": dashboard.deployments(by, team)}
        return render(request, "home/running.html", context)
    context = {
        "team": team,
        "waiting": dashboard.waiting(by, team),
        "asked": dashboard.asked(by, team),
        "drafts": dashboard.drafts(by, team),
        "jobs": dashboard.running(by, team),
        "deployments": dashboard.deployments(by, team),
        "changed": dashboard.changed(by, team),
        "activity": dashboard.activity(by, team),
        "may": dashboard.may(by, team),
    }
    return render(request, "home/home.html", context)


@login_required
@require_safe
def search_everything(request: HttpRequest) -> HttpResponse:
    """A page, or (asked for JSON, by the palette) a few hits of each kind."""
    text = request.GET.get("q", "")
    as_json = "application/json" in request.headers.get("Accept", "")
    groups = search(actor_of(request), text, limit=SHORT if as_json else LONG)
    if as_json:
        return JsonResponse(
            {"groups": [{"title": group.title, "items": [asdict(hit) for hit in group.hits]} for group in groups]}
        )
    return render(request, "home/search.html", {"text": text.strip(), "groups": groups})
