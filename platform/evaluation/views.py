"""Pages of evaluations."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import Actor, can, require_anywhere, team_ids
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import Problem
from accounts.pages import add_problem
from accounts.rest import keyset_page
from accounts.roles import Permission
from evaluation import actions, reads
from evaluation.differences import pieces
from evaluation.forms import EvaluationForm, suggestions
from evaluation.metrics import METRICS
from evaluation.models import Evaluation
from evaluation.parameters import Parameters
from registry import gates
from registry.models import Asset
from registry.pages import asset_page
from registry.reads import get_asset

_EXAMPLES = 25
_SHOWN = {"all": "All", "wrong": "Wrong", "errors": "No answer", "correct": "Correct"}
# Where an action names a parameter, the form has a field of that name.
_PREFIX = "parameters."


@login_required
@require_GET
def evaluation_list(request: HttpRequest) -> HttpResponse:
    by = actor_of(request)
    team = current_team(request)
    asked = {name: request.GET.get(name, "").strip()[:200] for name in ("model", "dataset", "state")}
    if asked["state"] not in set(Evaluation.State):
        asked["state"] = ""
    problem = None
    try:
        rows = reads.list_evaluations(by, team=team.name if team else "", **asked)
    except Problem as found:
        problem, rows = found, reads.list_evaluations(by).none()
    evaluations, following = keyset_page(rows, order=["-id"], cursor=request.GET.get("cursor", ""))
    states = [(state.value, state.label) for state in Evaluation.State]
    context = {
        "evaluations": evaluations,
        "next": following,
        "problem": problem,
        "filtered": any(asked.values()),
        "any_live": any(not evaluation.has_ended for evaluation in evaluations),
        "may_run": bool(team_ids(by, Permission.EVALUATION_RUN)),
        "filters": [
            {"name": "model", "kind": "search", "label": "Model, as team/name", "value": asked["model"]},
            {"name": "dataset", "kind": "search", "label": "Dataset, as team/name", "value": asked["dataset"]},
            {"name": "state", "kind": "choice", "label": "State", "value": asked["state"], "choices": states},
        ],
    }
    return render(request, "evaluation/evaluation_list.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def evaluation_create(request: HttpRequest) -> HttpResponse:
    by = actor_of(request)
    require_anywhere(by, Permission.EVALUATION_RUN, Asset)
    if request.method == "POST":
        form = EvaluationForm(request.POST, by=by)
        if form.is_valid() and (made := _create(form, by)):
            return redirect(made.get_absolute_url())
    else:
        asked = {name: request.GET[name] for name in EvaluationForm.base_fields if request.GET.get(name)}
        form = EvaluationForm(initial=asked, by=by)
    context = {
        "form": form,
        "models": suggestions(by, Asset.Kind.MODEL),
        "datasets": suggestions(by, Asset.Kind.DATASET),
        "metrics": METRICS.values(),
    }
    return render(request, "evaluation/evaluation_form.html", context, status=422 if form.errors else 200)


def _create(form: EvaluationForm, by: Actor) -> Evaluation | None:
    given = form.cleaned_data
    try:
        return actions.create_evaluation(
            version=reads.get_or_latest(by, form.asset(Asset.Kind.MODEL), given["version"]),
            dataset_version=reads.get_or_latest(by, form.asset(Asset.Kind.DATASET), given["dataset_version"]),
            given=form.given(),
            by=by,
        )
    except Problem as problem:
        problem.errors = {field.removeprefix(_PREFIX): texts for field, texts in problem.errors.items()}
        add_problem(form, problem)
        return None


@login_required
@require_GET
def evaluation_choices(request: HttpRequest) -> HttpResponse:
    """The version fields again, for what is named in the form now (htmx)."""
    asked = {name: request.GET[name] for name in EvaluationForm.base_fields if request.GET.get(name)}
    form = EvaluationForm(initial=asked, by=actor_of(request))
    return render(request, "evaluation/_choices.html", {"form": form})


@login_required
@require_GET
def evaluation_detail(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    by = actor_of(request)
    context = _shown(request, by, reads.get_evaluation(by, evaluation_id))
    return render(request, "evaluation/evaluation_detail.html", context)


@login_required
@require_GET
def evaluation_live(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """The page's moving part, which asks for itself until the evaluation has ended."""
    by = actor_of(request)
    return render(request, "evaluation/_live.html", _shown(request, by, reads.get_evaluation(by, evaluation_id)))


@login_required
@require_POST
def evaluation_cancel(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    by = actor_of(request)
    evaluation = reads.get_evaluation(by, evaluation_id)
    actions.cancel_evaluation(evaluation=evaluation, by=by)
    return redirect(evaluation.get_absolute_url())


@login_required
@require_GET
def model_evaluations(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """The Evaluations tab of a model."""
    by = actor_of(request)
    model = get_asset(by, Asset.Kind.MODEL, f"{team}/{name}")
    rows = reads.list_evaluations(by).filter(model=model)
    evaluations, following = keyset_page(rows, order=["-id"], cursor=request.GET.get("cursor", ""))
    newest = [] if request.GET.get("cursor") else reads.newest_by_version(by, model)
    bars = [
        {"label": f"version {evaluation.version.number}", **_bar(evaluation.results["exact_match"])}
        for evaluation in newest
        if "exact_match" in evaluation.results
    ]
    context = {
        **asset_page(model, "evaluations", by),
        "evaluations": evaluations,
        "next": following,
        "newest": newest,
        "series": [{"name": "Exact match", "bars": bars}] if len(bars) > 1 else None,
        "chart_height": 80 + 34 * len(bars),
    }
    return render(request, "evaluation/model_evaluations.html", context)


def _shown(request: HttpRequest, by: Actor, evaluation: Evaluation) -> dict[str, Any]:
    show = request.GET.get("show", "all")
    show = show if show in _SHOWN else "all"
    search = request.GET.get("search", "")[:200]
    rows = reads.examples_of(evaluation, show=show, search=search)
    gated = not gates.may_read(by, evaluation.dataset)  # examples are its rows
    if gated:
        rows = rows.none()
    # Failures first, as soon as nothing moves any more.
    order = ["correct", "index"] if evaluation.has_ended else ["-index"]
    cursor = request.GET.get("cursor", "") if evaluation.has_ended else ""
    examples, following = keyset_page(rows, order=order, cursor=cursor, limit=_EXAMPLES)
    production = reads.production_version(evaluation.model)
    baseline = reads.baseline_of(evaluation, production) if evaluation.results else None
    results = reads.result_rows(evaluation, baseline.evaluation if baseline else None)
    bins = reads.latency_bins(evaluation) if evaluation.results and not cursor else []
    return {
        "evaluation": evaluation,
        "examples": [(example, pieces(example.expected, example.output)) for example in examples],
        "next": following if evaluation.has_ended else None,
        "gated": gated,
        "show": show,
        "shown": _SHOWN.items(),
        "search": search,
        "production": production,
        "baseline": baseline,
        "results": results,
        "charts": _charts(evaluation, results, baseline),
        "bins": bins,
        "bin_series": [{"name": "Answers", "bins": bins}],
        "parameters": [
            (name.replace("_", " "), value)
            for name, value in Parameters.stored(evaluation.parameters).as_json().items()
        ],
        "may_cancel": not evaluation.has_ended and can(by, Permission.EVALUATION_RUN, evaluation.model),
        "may_request": evaluation.state == Evaluation.State.SUCCEEDED
        and can(by, Permission.REQUEST_CREATE, evaluation.model),
        "may_run": can(by, Permission.EVALUATION_RUN, evaluation.model),
    }


def _charts(
    evaluation: Evaluation, results: list[reads.ResultRow], baseline: reads.Baseline | None
) -> list[dict[str, Any]]:
    """Bars with intervals, the metrics of one unit in one chart."""
    charts = []
    for unit, title in (("", "Quality"), ("ms", "Latency"), ("tokens/s", "Speed")):
        rows = [row for row in results if row.metric.unit == unit]
        if not rows:
            continue
        series = [
            {
                "name": f"version {evaluation.version.number}",
                "bars": [{"label": row.metric.title, **_bar(row.figures)} for row in rows],
            }
        ]
        if baseline:
            bars = [{"label": row.metric.title, **_bar(row.before)} for row in rows]
            series.append({"name": f"version {baseline.evaluation.version.number}, in production", "bars": bars})
        height = 64 + len(rows) * (28 if baseline is None else 46)
        charts.append({"title": title, "unit": unit, "percent": not unit, "series": series, "height": height})
    return charts


def _bar(figures: dict[str, float] | None) -> dict[str, float | None]:
    return {name: figures[name] if figures else None for name in ("value", "lower", "upper")}
