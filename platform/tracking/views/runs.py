"""Pages of runs."""

import base64
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.access import Actor, can
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import Forbidden
from accounts.rest import keyset_page
from accounts.roles import Permission
from registry import storage
from registry.models import Artifact
from tracking import actions, reads
from tracking.models import Run
from tracking.views import charts
from tracking.views.tables import figure

_PREVIEW = 200_000
_MOST_COMPARED = 10
# Drawn from their bytes, never as a document: an SVG could run scripts.
_PICTURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


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
    run = reads.get_run(by, run_id)
    context = {
        **_shown(request, by, run),
        "parameters": sorted(run.parameters.items()),
        "tags": sorted(run.tags.items()),
        "inputs": list(run.inputs.all()[:100]),
        "outputs": list(run.outputs.filter(model__deleted_at=None).select_related("model")[:100]),
        "entries": reads.list_folder(run)[:200],
        "folder": "",
        "may_log": can(by, Permission.RUN_CREATE, run.team),
        "parent": _parent(by, run),
    }
    return render(request, "tracking/run_detail.html", context)


@login_required
@require_GET
def run_live(request: HttpRequest, run_id: int) -> HttpResponse:
    """The page's moving part, which asks for itself until the run has ended."""
    by = actor_of(request)
    return render(request, "tracking/_live.html", _shown(request, by, reads.get_run(by, run_id)))


@login_required
@require_GET
def run_metric(request: HttpRequest, run_id: int) -> HttpResponse:
    """The numbers behind one chart."""
    run = reads.get_run(actor_of(request), run_id)
    key = request.GET.get("key", "")
    rows = reads.metric_rows(run, key) if key else reads.metric_rows(run).none()
    points, following = keyset_page(
        rows, order=["step", "timestamp", "id"], cursor=request.GET.get("cursor", ""), limit=100
    )
    context = {
        "run": run,
        "key": key,
        "points": [(point, figure(point.value), charts.moment(point.timestamp)) for point in points],
        "next": following,
        "charts": charts.of_run(
            run, by_time=request.GET.get("x") == "time", log=request.GET.get("log") == "1", keys=[key]
        )[0],
    }
    return render(request, "tracking/run_metric.html", context)


@login_required
@require_GET
def run_files(request: HttpRequest, run_id: int) -> HttpResponse:
    """One folder of what the run left, or a look into one file."""
    run = reads.get_run(actor_of(request), run_id)
    path = request.GET.get("path", "").strip("/")
    artifact = reads.artifact_rows("run", run.pk).filter(path=path[:501]).first() if path else None
    parts = path.split("/") if path else []
    context = {
        "run": run,
        "folder": path,
        "steps": [("/".join(parts[: place + 1]), part) for place, part in enumerate(parts)],
        "entries": [] if artifact else reads.list_folder(run, path)[:1_000],
        "artifact": artifact,
        **(_look(actor_of(request), run, artifact) if artifact else {}),
    }
    return render(request, "tracking/run_files.html", context)


@login_required
@require_GET
def run_compare(request: HttpRequest) -> HttpResponse:
    """Up to ten runs beside each other: what differs first."""
    by = actor_of(request)
    wanted = [int(one) for one in request.GET.getlist("run") if one.isascii() and one.isdecimal() and len(one) < 19]
    wanted = list(dict.fromkeys(wanted))
    rows = Run.objects.visible_to(by).filter(pk__in=wanted[:_MOST_COMPARED]).select_related("experiment", "team")
    runs = sorted(rows.prefetch_related("latest_metrics"), key=lambda run: wanted.index(run.pk))
    metrics = [{one.key: one.value for one in run.latest_metrics.all()} for run in runs]
    context = {
        "runs": runs,
        "left_out": max(0, len(wanted) - _MOST_COMPARED),
        "metrics": [
            (key, _figures(key, [of.get(key) for of in metrics]))
            for key in sorted({key for of in metrics for key in of})[:500]
        ],
        "params": _side_by_side([run.parameters for run in runs]),
        "charts": charts.of_many(runs, by_time=request.GET.get("x") == "time", log=request.GET.get("log") == "1"),
        "by_time": request.GET.get("x") == "time",
        "log": request.GET.get("log") == "1",
    }
    return render(request, "tracking/run_compare.html", context)


@login_required
@require_POST
def run_cancel(request: HttpRequest, run_id: int) -> HttpResponse:
    run = reads.get_run(actor_of(request), run_id)
    actions.cancel_run(run=run, by=actor_of(request))
    return redirect(run.get_absolute_url())


@login_required
@require_POST
def run_delete(request: HttpRequest, run_id: int) -> HttpResponse:
    run = reads.get_run(actor_of(request), run_id)
    actions.delete_run(run=run, by=actor_of(request))
    return redirect(run.get_absolute_url())


@login_required
@require_POST
def run_restore(request: HttpRequest, run_id: int) -> HttpResponse:
    run = reads.get_run(actor_of(request), run_id)
    actions.restore_run(run=run, by=actor_of(request))
    return redirect(run.get_absolute_url())


def _command(team: str) -> str:
    """How a script announces a run."""
    body = f'{{"team": "{team}", "kind": "training", "name": "My training", "total_steps": 1000}}'
    return (
        f"curl -X POST {settings.SITE_URL}/api/v1/runs \\\n"
        '  -H "Authorization: Bearer $COUNTERSIGN_API_KEY" -H "Content-Type: application/json" \\\n'
        f"  -d '{body}'"
    )


def _shown(request: HttpRequest, by: Actor, run: Run) -> dict[str, Any]:
    by_time, log = request.GET.get("x") == "time", request.GET.get("log") == "1"
    drawn, more = charts.of_run(run, by_time=by_time, log=log)
    return {
        "run": run,
        "charts": drawn,
        "more_charts": more,
        "by_time": by_time,
        "log": log,
        "last": [(metric, figure(metric.value)) for metric in reads.last_values(run)],
        "versions": reads.versions_made(by, run),
        "may_cancel": not run.has_ended and run.deleted_at is None and can(by, Permission.RUN_CREATE, run.team),
    }


def _parent(by: Actor, run: Run) -> Run | None:
    uuid = run.tags.get("mlflow.parentRunId", "")
    return Run.objects.visible_to(by).filter(uuid=uuid, team_id=run.team_id).first() if uuid else None


def _look(by: Actor, run: Run, artifact: Artifact) -> dict[str, Any]:
    """What is in the file, for whoever may have it."""
    try:
        reads.check_left(by, run, [artifact.blob_id])
    except Forbidden as refusal:
        return {"gated": refusal}
    return _preview(artifact)


def _preview(artifact: Artifact) -> dict[str, Any]:
    """The beginning of a text, or a small picture; nothing of what is neither."""
    try:
        with storage.open_blob(artifact.blob_id) as stream:
            head = stream.read(_PREVIEW if artifact.blob.size > 4 * _PREVIEW else artifact.blob.size)
    except FileNotFoundError:
        return {"missing": True}
    kind = next((kind for magic, kind in _PICTURES.items() if head.startswith(magic)), "")
    if kind and len(head) == artifact.blob.size:
        return {"picture": f"data:{kind};base64,{base64.b64encode(head).decode()}"}
    head = head[:_PREVIEW]
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4 or b"\0" in head:
            return {}
        text = head[: error.start].decode()
    if "\0" in text:
        return {}
    return {"text": text, "cut": artifact.blob.size > len(head), "suffix": PurePosixPath(artifact.path).suffix}


def _figures(key: str, values: list[float | None]) -> list[str | None]:
    """Shares in percent, as the charts have them; other numbers as they are."""
    percent = charts.are_shares(key, values)
    return [None if one is None else f"{100 * one:.4g} %" if percent else figure(one) for one in values]


def _side_by_side(columns: list[dict[str, Any]]) -> list[tuple[str, bool, list[Any]]]:
    """(key, whether they differ, value of each), those that differ first."""
    keys = sorted({key for column in columns for key in column})[:1_000]
    found = [(key, [column.get(key) for column in columns]) for key in keys]
    marked = [(key, any(value != values[0] for value in values), values) for key, values in found]
    return sorted(marked, key=lambda one: (not one[1], one[0]))
