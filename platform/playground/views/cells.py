"""One cell: its conversation, and what can be made of it."""

import json
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.access import ANY_STAGE, Actor, can
from accounts.authentication import actor_of
from accounts.errors import Forbidden, Invalid, NotFound, Problem
from accounts.roles import Permission
from playground import actions, live, reads
from playground.models import Cell
from playground.views.runs import back
from registry.models import Asset
from registry.reads import get_asset
from serving.prices import in_words


@login_required
@require_GET
def cell_detail(request: HttpRequest, cell_id: int) -> HttpResponse:
    by = actor_of(request)
    return _page(request, reads.get_cell(by, cell_id), by)


@login_required
@require_GET
def cell_live(request: HttpRequest, cell_id: int) -> HttpResponse:
    """The conversation, which asks for itself until the answer is there."""
    by = actor_of(request)
    return render(request, "playground/_conversation.html", _context(reads.get_cell(by, cell_id), by))


@login_required
@require_POST
def cell_retry(request: HttpRequest, cell_id: int) -> HttpResponse:
    by = actor_of(request)
    cell = actions.retry_cell(cell=reads.get_cell(by, cell_id), by=by)
    return redirect(back(request, cell.get_absolute_url()))


@login_required
@require_POST
def cell_continue(request: HttpRequest, cell_id: int) -> HttpResponse:
    by = actor_of(request)
    cell = reads.get_cell(by, cell_id)
    results = {
        key.removeprefix("result-"): str(value) for key, value in request.POST.items() if key.startswith("result-")
    }
    try:
        following = actions.continue_cell(cell=cell, said=request.POST.get("said", ""), results=results, by=by)
    except Forbidden:
        raise
    except Problem as problem:
        return _page(request, cell, by, problem=problem)
    return redirect(following.get_absolute_url())


@login_required
@require_POST
def cell_rate(request: HttpRequest, cell_id: int) -> HttpResponse:
    by = actor_of(request)
    cell = reads.get_cell(by, cell_id)
    verdict = {"good": True, "bad": False, "none": None}.get(request.POST.get("verdict", ""), "unknown")
    if isinstance(verdict, str):
        raise Invalid("verdict", "Use good, bad or none.")
    try:
        actions.rate_cell(cell=cell, good=verdict, comment=request.POST.get("comment", ""), by=by)
    except Forbidden:
        raise
    except Problem as problem:
        return _page(request, cell, by, problem=problem)
    return redirect(back(request, cell.get_absolute_url()))


@login_required
@require_POST
def cell_keep(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Make it a row of a dataset."""
    by = actor_of(request)
    cell = reads.get_cell(by, cell_id)
    name = request.POST.get("dataset", "").strip()
    try:
        try:
            row = json.loads(request.POST.get("row", ""))
        except (ValueError, RecursionError) as error:
            raise Invalid("row", f"No JSON: {error}"[:300]) from None
        try:
            dataset = get_asset(by, Asset.Kind.DATASET, name if "/" in name else f"{cell.run.team.name}/{name}")
        except NotFound as problem:
            raise Invalid("dataset", problem.detail) from None
        kept = actions.keep_example(cell=cell, dataset=dataset, row=row, by=by)
    except Forbidden:
        raise
    except Problem as problem:
        return _page(request, cell, by, problem=problem)
    messages.success(request, f"Kept: it is a row of {dataset} version {kept.version.number} now.")
    return redirect(cell.get_absolute_url())


@login_required
@require_POST
def cell_test(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Make it a test of its prompt."""
    by = actor_of(request)
    cell = reads.get_cell(by, cell_id)
    expected = request.POST.get("expected", "").replace("\r\n", "\n")
    try:
        actions.make_test(cell=cell, expected=expected, kind=request.POST.get("kind", "equals"), by=by)
    except Forbidden:
        raise
    except Problem as problem:
        return _page(request, cell, by, problem=problem)
    messages.success(request, f"It is a test of {cell.run.columns[cell.column]['prompt']} now.")
    return redirect(cell.get_absolute_url())


def _page(request: HttpRequest, cell: Cell, by: Actor, *, problem: Problem | None = None) -> HttpResponse:
    context = _context(cell, by)
    context |= {
        "problem": problem,
        "row_json": request.POST.get("row")
        or json.dumps(reads.example_of(cell, context["row"]), ensure_ascii=False, indent=2),
        "dataset": request.POST.get("dataset")
        or (str(cell.run.dataset_version.asset) if cell.run.dataset_version else ""),
        "said": request.POST.get("said", ""),
        "datasets": [
            f"{cell.run.team.name}/{name}"
            for name in Asset.objects.visible_to(by)
            .filter(team=cell.run.team, kind="dataset", archived_at=None)
            .order_by("-updated_at", "-id")
            .values_list("name", flat=True)[:100]
        ],
    }
    return render(request, "playground/cell.html", context, status=problem.status if problem else 200)


def _context(cell: Cell, by: Actor) -> dict[str, Any]:
    turns = reads.conversation_of(by, cell)
    last = turns[-1]
    said = live.seen(turn.pk for turn in turns if turn.state == Cell.State.RUNNING)
    column = cell.run.columns[cell.column]
    ratings = reads.ratings_of(cell)
    may_play = can(by, Permission.MODEL_INVOKE, cell.run, stage=ANY_STAGE)
    return {
        "cell": cell,
        "run": cell.run,
        "row": reads.row_of(cell),
        "column": column,
        "turns": [
            {
                "cell": turn,
                "text": said.get(turn.pk, "") if turn.state == Cell.State.RUNNING else turn.output,
                "before": turn.messages if turn.turn == 0 else turn.added,
                "cost": in_words(turn.cost, turn.currency),
            }
            for turn in turns
        ],
        "last": last,
        "under_way": not last.has_ended,
        "calls": [(call["id"] or f"call_{place}", call) for place, call in enumerate(last.tool_calls)],
        # Going on would tell the model, and so whoever asks it, what is withheld here.
        "may_play": may_play and not last.withheld,
        "may_rate": can(by, Permission.ASSET_EDIT, cell.run),
        "ratings": ratings,
        "mine": next((rating for rating in ratings if rating.by_id == by.id), None),
        "kept": reads.kept_of(cell),
    }
