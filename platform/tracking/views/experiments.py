"""Pages of experiments."""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import can
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import Conflict, Invalid, NotFound
from accounts.rest import keyset_page
from accounts.roles import Permission
from tracking import actions, reads, search
from tracking.models import Experiment, Run
from tracking.views import tables


@login_required
@require_GET
def experiment_list(request: HttpRequest) -> HttpResponse:
    return _listed(request)


@login_required
@require_http_methods(["GET", "POST"])
def experiment_new(request: HttpRequest) -> HttpResponse:
    """The form stands above the list of experiments: an address that is opened or reloaded leads there."""
    if request.method == "GET":
        return redirect("experiment-list")
    by, team = actor_of(request), current_team(request)
    if team is None:
        raise NotFound("You are in no team yet.")
    name = request.POST.get("name", "")
    try:
        made = actions.create_experiment(team=team, name=name, by=by)
    except (Invalid, Conflict) as problem:
        return _listed(request, problem=problem, name=name, status=422)
    return redirect(made.get_absolute_url())


@login_required
@require_GET
def experiment_detail(request: HttpRequest, experiment_id: int) -> HttpResponse:
    by = actor_of(request)
    experiment = reads.get_experiment(by, experiment_id)
    text, order = request.GET.get("filter", "").strip(), request.GET.get("order", "")
    deleted = request.GET.get("deleted") == "1"
    metrics, params = reads.known_names(experiment)
    columns = tables.chosen(request.GET, metrics, params)
    runs = Run.objects.filter(experiment=experiment, deleted_at__isnull=not deleted)
    found: list[Run] = []
    following, problem = "", None
    try:
        found, following = search.search_runs(
            runs.select_related("created_by").prefetch_related("latest_metrics"),
            text=text,
            order=[order] if order else [],
            token=request.GET.get("cursor", ""),
            limit=50,
        )
    except Invalid as error:
        problem = error
    offered = [*(f"metrics.{key}" for key in metrics), *(f"params.{key}" for key in params)]
    context: dict[str, Any] = {
        "experiment": experiment,
        "rows": tables.rows(found, columns),
        "headings": tables.headings(request.GET, columns, order),
        "offered": [(one, one in columns) for one in [*offered, *(c for c in columns if c not in offered)]],
        "next": following,
        "filter": text,
        "order": order,
        "deleted": deleted,
        "narrowed": bool(text or request.GET.get("cursor") or deleted),
        "problem": problem,
        "any_live": any(not run.has_ended for run in found),
        "may_log": can(by, Permission.RUN_CREATE, experiment.team),
        "command": _command(experiment),
    }
    return render(request, "tracking/experiment_detail.html", context, status=422 if problem else 200)


@login_required
@require_POST
def experiment_delete(request: HttpRequest, experiment_id: int) -> HttpResponse:
    by = actor_of(request)
    experiment = reads.get_experiment(by, experiment_id)
    actions.delete_experiment(experiment=experiment, by=by)
    return redirect(experiment.get_absolute_url())


@login_required
@require_POST
def experiment_restore(request: HttpRequest, experiment_id: int) -> HttpResponse:
    by = actor_of(request)
    experiment = reads.get_experiment(by, experiment_id)
    actions.restore_experiment(experiment=experiment, by=by)
    return redirect(experiment.get_absolute_url())


def _listed(request: HttpRequest, *, problem: Any = None, name: str = "", status: int = 200) -> HttpResponse:
    by, team = actor_of(request), current_team(request)
    find, deleted = request.GET.get("search", "")[:100], request.GET.get("deleted") == "1"
    rows = reads.list_experiments(by, team=team.name if team else "", search=find, deleted=deleted)
    found, following = keyset_page(rows, order=["-id"], cursor=request.GET.get("cursor", ""))
    activity = reads.activity(found)
    context = {
        "experiments": [(experiment, activity[experiment.pk]) for experiment in found],
        "next": following,
        "filtered": bool(find or deleted),
        "may_log": bool(team and can(by, Permission.RUN_CREATE, team)),
        "problem": problem,
        "name": name,
        "filters": [
            {"name": "search", "kind": "search", "label": "Search experiments", "value": find},
            {
                "name": "deleted", "kind": "choice", "label": "State", "value": "1" if deleted else "",
                "choices": [("1", "Deleted")],
            },
        ],
    }  # fmt: skip
    return render(request, "tracking/experiment_list.html", context, status=status)


def _command(experiment: Experiment) -> str:
    """How a script logs into it."""
    return (
        f"export MLFLOW_TRACKING_URI={settings.SITE_URL}\n"
        "export MLFLOW_TRACKING_TOKEN=$COUNTERSIGN_API_KEY\n"
        f"python -c \"import mlflow; mlflow.set_experiment({experiment.name!r}); mlflow.log_metric('loss', 0.5)\""
    )
