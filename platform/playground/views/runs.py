"""Runs: the grid of cells with what each column took, live while it runs."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from accounts.access import ANY_STAGE, Actor, can
from accounts.authentication import actor_of
from accounts.numbers import whole
from accounts.rest import keyset_page
from accounts.roles import Permission
from playground import actions, reads
from playground.models import PlaygroundRun
from registry import gates

_ROWS = 20
_QUICK = 24  # so many cells on a page are shown as they grow; more of them a little later


@login_required
@require_GET
def run_detail(request: HttpRequest, play: int) -> HttpResponse:
    by = actor_of(request)
    return render(request, "playground/run.html", results(request, reads.get_run(by, play), by))


@login_required
@require_GET
def run_live(request: HttpRequest, play: int) -> HttpResponse:
    """The moving part, which asks for itself until the run has ended."""
    by = actor_of(request)
    return render(request, "playground/_results.html", results(request, reads.get_run(by, play), by))


@login_required
@require_POST
def run_cancel(request: HttpRequest, play: int) -> HttpResponse:
    by = actor_of(request)
    run = actions.cancel_run(run=reads.get_run(by, play), by=by)
    return redirect(back(request, run.get_absolute_url()))


@login_required
@require_POST
def run_retry(request: HttpRequest, play: int) -> HttpResponse:
    """Ask all cells again that got no answer."""
    by = actor_of(request)
    run = actions.retry_failed(run=reads.get_run(by, play), by=by)
    return redirect(back(request, run.get_absolute_url()))


def back(request: HttpRequest, default: str) -> str:
    """Where the form stood."""
    there = request.POST.get("next", "")
    return there if url_has_allowed_host_and_scheme(there, allowed_hosts={request.get_host()}) else default


def _here(request: HttpRequest, run: PlaygroundRun) -> str:
    """The page that this is a part of."""
    htmx = getattr(request, "htmx", None)
    return (htmx.current_url_abs_path if htmx else request.get_full_path()) or run.get_absolute_url()


def results(request: HttpRequest, run: PlaygroundRun, by: Actor) -> dict[str, Any]:
    """Context of playground/_results.html; a constant number of queries."""
    gated = run.dataset_version is not None and not gates.may_read(by, run.dataset_version.asset)
    against = whole(request.GET.get("against", ""), below=len(run.columns))
    show = request.GET.get("show", "")
    chosen = reads.rows_of(run, show)
    rows, following = keyset_page(chosen, order=["index"], cursor=request.GET.get("cursor", ""), limit=_ROWS)
    stats = reads.stats_of(run)
    for one, column in zip(stats, run.columns, strict=True):
        if column["version_id"]:
            team, _, name = column["prompt"].partition("/")
            one.link = f"/prompts/{team}/{name}/versions/{column['version']}"
    may_play = can(by, Permission.MODEL_INVOKE, run, stage=ANY_STAGE)
    return {
        "run": run,
        "stats": stats,
        "grid": [] if gated else reads.grid_of(run, rows, by=by, against=against),
        "gated": gated,
        "next": None if gated else following,
        "against": against,
        "show": show if show in reads.SHOW else "",
        "shows": list(reads.SHOW.items()) if run.rows > 1 else [],
        "cursor": request.GET.get("cursor", ""),
        "every": "400ms" if len(rows) * len(run.columns) * run.repeats <= _QUICK else "1500ms",
        "may_cancel": may_play and not run.has_ended,
        "may_retry": may_play and run.has_ended and (run.errors > 0 or run.done < run.total),
        "may_rate": can(by, Permission.ASSET_EDIT, run),
        "may_again": may_play,
        "repeated": run.repeats > 1,
        "expects": any(one.matching is not None for one in stats),
        "formatted": any(one.fitting is not None for one in stats),
        "here": _here(request, run),
    }
