"""Pages of runs."""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.access import Actor, can
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.rest import keyset_page
from accounts.roles import Permission
from tracking import actions, reads
from tracking.models import Run

# Metrics that lie between 0 and 1 share a chart in percent; each other one has its own axis.
_SHARES = ("accuracy", "exact_match", "precision", "recall", "f1")


@login_required
@require_GET
def run_list(request: HttpRequest) -> HttpResponse:
    by = actor_of(request)
    team = current_team(request)
    state = request.GET.get("state", "")
    state = state if state in set(Run.State) else ""
    search = request.GET.get("search", "")[:100]
    rows = reads.list_runs(by, team=team.name if team else "", state=state, search=search)
    runs, following = keyset_page(rows, order=["-id"], cursor=request.GET.get("cursor", ""))
    return render(
        request,
        "tracking/run_list.html",
        {
            "runs": runs,
            "next": following,
            "filtered": bool(state or search),
            "any_live": any(not run.has_ended for run in runs),
            "command": _command(team.name) if team and can(by, Permission.RUN_CREATE, team) else "",
            "filters": [
                {"name": "search", "kind": "search", "label": "Search runs", "value": search},
                {
                    "name": "state",
                    "kind": "choice",
                    "label": "State",
                    "value": state,
                    "choices": [(one.value, one.label) for one in Run.State],
                },
            ],
        },
    )


@login_required
@require_GET
def run_detail(request: HttpRequest, run_id: int) -> HttpResponse:
    by = actor_of(request)
    return render(request, "tracking/run_detail.html", _shown(by, reads.get_run(by, run_id)))


@login_required
@require_GET
def run_live(request: HttpRequest, run_id: int) -> HttpResponse:
    """The page's moving part, which asks for itself until the run has ended."""
    by = actor_of(request)
    return render(request, "tracking/_live.html", _shown(by, reads.get_run(by, run_id)))


@login_required
@require_POST
def run_cancel(request: HttpRequest, run_id: int) -> HttpResponse:
    run = reads.get_run(actor_of(request), run_id)
    actions.cancel_run(run=run, by=actor_of(request))
    return redirect(run.get_absolute_url())


def _command(team: str) -> str:
    """How a script announces a run."""
    body = f'{{"team": "{team}", "kind": "training", "name": "My training", "total_steps": 1000}}'
    return (
        f"curl -X POST {settings.SITE_URL}/api/v1/runs \\\n"
        '  -H "Authorization: Bearer $COUNTERSIGN_API_KEY" -H "Content-Type: application/json" \\\n'
        f"  -d '{body}'"
    )


def _shown(by: Actor, run: Run) -> dict[str, Any]:
    points = {key: [(step, value) for step, _, value in line] for (_, key), line in reads.curves([run]).items()}
    shares = {key: line for key, line in points.items() if any(word in key for word in _SHARES)}
    charts = [
        {"title": key.replace("_", " ").capitalize(), "percent": False, "series": [_series(key, line)]}
        for key, line in points.items()
        if key not in shares
    ]
    if shares:
        title = "Shares" if len(shares) > 1 else next(iter(shares)).replace("_", " ").capitalize()
        lines = [_series(key, line) for key, line in shares.items()]
        charts.append({"title": title, "percent": True, "series": lines})
    return {
        "run": run,
        "charts": charts,
        "last": reads.last_values(run),
        "versions": reads.versions_made(by, run),
        "parameters": sorted(run.parameters.items()),
        "may_cancel": not run.has_ended and can(by, Permission.RUN_CREATE, run.team),
    }


def _series(key: str, line: list[tuple[int, float | None]]) -> dict[str, Any]:
    return {"name": key.replace("_", " "), "points": [[step, value] for step, value in line]}
