"""The list of deployments, and the tab of a model."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import ANY_STAGE, can
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.rest import keyset_page
from accounts.roles import Permission
from governance.stages import Stage
from registry import reads as registry
from registry.pages import asset_page
from serving import reads
from serving.models import Deployment


@login_required
@require_safe
def deployment_list(request: HttpRequest) -> HttpResponse:
    """The current team's deployments, newest first; `live` asks for the table alone."""
    by, team = actor_of(request), current_team(request)
    chosen = {
        "search": request.GET.get("q", "").strip(),
        "state": request.GET.get("state", ""),
        "stage": request.GET.get("stage", ""),
    }
    rows = reads.visible_deployments(by)
    if team is not None:
        rows = rows.filter(team=team)
    cursor = request.GET.get("cursor", "")
    found, following = keyset_page(reads.search_deployments(rows, **chosen), order=["-id"], cursor=cursor)
    context = {
        "deployments": found,
        "next": following,
        "filters": _filters(chosen),
        "filtered": any(chosen.values()),
        "team_now": team,
        "may_create": bool(team and can(by, Permission.DEPLOYMENT_MANAGE, team, stage=ANY_STAGE)),
        "live": any(not row.settled for row in found),
    }
    template = "serving/table.html" if "live" in request.GET else "serving/list.html"
    return render(request, template, context)


def _filters(chosen: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"name": "q", "kind": "search", "label": "Search deployments", "value": chosen["search"]},
        {
            "name": "state",
            "kind": "choice",
            "label": "State",
            "value": chosen["state"],
            "choices": Deployment.State.choices,
        },
        {
            "name": "stage",
            "kind": "choice",
            "label": "Stage",
            "value": chosen["stage"],
            "choices": [(stage.value, stage.value.capitalize()) for stage in Stage],
        },
    ]


@login_required
@require_safe
def model_deployments(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """The tab of a model: where its versions run."""
    by = actor_of(request)
    asset = registry.get_asset(by, "model", f"{team}/{name}")
    cursor = request.GET.get("cursor", "")
    found, following = keyset_page(reads.deployments_of(by, asset), order=["-id"], cursor=cursor)
    context = asset_page(asset, "deployments", by) | {"deployments": found, "next": following}
    return render(request, "serving/model_deployments.html", context)
