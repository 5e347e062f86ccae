"""Pages of tests."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import Actor, can, require
from accounts.authentication import actor_of
from accounts.errors import Problem
from accounts.numbers import whole
from accounts.rest import keyset_page
from accounts.roles import Permission
from prompt_tests import actions, editor, reads, suites
from prompt_tests.models import SuiteRevision, SuiteRun
from prompts import rendering
from prompts.models import Prompt, PromptVersion
from prompts.reads import get_prompt, get_version, withhold
from prompts.views.frame import prompt_page

_RESULTS = 25
_RUNS = 20
_SHOWN = {"all": "All", "failed": "Failed", "errors": "No answer", "passed": "Passed"}
_COMPARED = {"newly_red": "Newly red", "newly_green": "Newly green", "changed": "Other output"}


@login_required
@require_GET
def tests(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """The Tests tab: what is asserted, the newest result of each version, the runs."""
    by = actor_of(request)
    return _tests(request, get_prompt(by, f"{team}/{name}"), by)


def _tests(request: HttpRequest, prompt: Prompt, by: Actor, problem: Problem | None = None) -> HttpResponse:
    revision = reads.newest_revision(prompt)
    runs, following = keyset_page(
        reads.list_runs(by, prompt), order=["-id"], cursor=request.GET.get("cursor", ""), limit=_RUNS
    )
    versions = list(prompt.versions.filter(deleted_at=None)[:30])
    newest = reads.newest_by_version(versions)
    for version in versions:
        version.prompt = prompt
    context = {
        **prompt_page(request, prompt, "tests"),
        "revision": revision,
        "suite": _described(revision) if revision else None,
        "runs": runs,
        "next": following,
        "versions": versions,
        "results": [(version, newest.get(version.pk)) for version in versions[:12]],
        "any_live": any(not run.has_ended for run in runs),
        "may_run": can(by, Permission.EVALUATION_RUN, prompt),
        "problem": problem,
        "asked": request.POST.get("version", ""),
    }
    return render(request, "prompt_tests/tests.html", context, status=problem.status if problem else 200)


def _described(revision: SuiteRevision) -> dict[str, Any]:
    """A suite in words."""
    suite = suites.parse(revision.content)
    return {
        "content": suite,
        "assertions": [one.title for one in suite.assertions],
        "own": sum(len(case.assertions) for case in suite.cases),
        "percent": f"{100 * suite.threshold:g}",
    }


@login_required
@require_http_methods(["GET", "POST"])
def suite_edit(request: HttpRequest, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    require(by, Permission.ASSET_EDIT, prompt)
    revision = reads.newest_revision(prompt)
    based_on = revision.number if revision else 0
    status = 200
    if request.method == "POST":
        form = editor.read(request.POST)
        based_on = whole(request.POST.get("based_on", ""), below=2**31) or 0
        do = request.POST.get("do", "save")
        if do != "save":
            form.change(do)
        else:
            try:
                actions.save_suite(prompt=prompt, content=form.as_json(), expected=based_on, by=by)
            except Problem as problem:
                form.errors = problem.errors or {"tests": [problem.detail]}
                status = 422 if problem.status == 400 else problem.status
            else:
                messages.success(request, "Tests saved.")
                return redirect("prompt-tests", team=team, name=name)
    else:
        form = editor.show(revision.content) if revision else editor.Editor()
    variables = _variables(prompt, form)
    context = {
        **prompt_page(request, prompt, "tests"),
        "form": form,
        "based_on": based_on,
        "assertions": form.numbered_assertions(),
        "cases": form.numbered_cases(variables),
        "mapping": [(name, form.mapping.get(name, "")) for name in variables],
        "kinds": editor.NAMES.items(),
    }
    partial = request.htmx and request.POST.get("do", "save") != "save"  # type: ignore[attr-defined]
    template = "prompt_tests/_suite_form.html" if partial else "prompt_tests/suite_edit.html"
    return render(request, template, context, status=status)


def _variables(prompt: Prompt, form: editor.Editor) -> list[str]:
    """Those of the newest version, and others that the tests speak of."""
    latest: PromptVersion | None = prompt.versions.filter(deleted_at=None).first()
    found: list[str] = []
    if latest is not None:
        latest.prompt = prompt
        found = [one.name for one in rendering.inputs_of(latest) if one.type != "messages"]
    return list(dict.fromkeys([*found, *form.mapping, *(name for case in form.cases for name in case.values)]))


@login_required
@require_POST
def run_create(request: HttpRequest, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    number = whole(request.POST.get("version", ""), below=2**31) or 0
    try:
        run = actions.create_run(prompt=prompt, version=get_version(by, prompt, number), by=by)
    except Problem as problem:
        if problem.status in (403, 404):
            raise
        return _tests(request, prompt, by, problem)
    return redirect(run.get_absolute_url())


@login_required
@require_GET
def run_detail(request: HttpRequest, test_run_id: int) -> HttpResponse:
    by = actor_of(request)
    run = reads.get_run(by, test_run_id)
    context = {**prompt_page(request, run.prompt, "tests"), **_shown(request, by, run)}
    return render(request, "prompt_tests/run_detail.html", context)


@login_required
@require_GET
def run_live(request: HttpRequest, test_run_id: int) -> HttpResponse:
    """The page's moving part, which asks for itself until the run has ended."""
    by = actor_of(request)
    return render(request, "prompt_tests/_run_live.html", _shown(request, by, reads.get_run(by, test_run_id)))


@login_required
@require_POST
def run_cancel(request: HttpRequest, test_run_id: int) -> HttpResponse:
    by = actor_of(request)
    run = reads.get_run(by, test_run_id)
    actions.cancel_run(run=run, by=by)
    return redirect(run.get_absolute_url())


def _shown(request: HttpRequest, by: Actor, run: SuiteRun) -> dict[str, Any]:
    others = reads.comparable(run) if run.has_ended else []
    wanted = whole(request.GET.get("against", ""))
    against = next((other for other in others if other.pk == wanted), None)
    if against is not None and not reads.may_read_rows(by, against):
        against = None
    choices = _SHOWN | (_COMPARED if against else {})
    show = request.GET.get("show", "all")
    show = show if show in choices else "all"
    rows = reads.results_of(by, run, show=show, against=against)
    # Failures first, as soon as nothing moves any more; of a comparison, what is newly red and newly green before them.
    cursor = request.GET.get("cursor", "") if run.has_ended else ""
    following: str | None = None
    if against is not None:
        page = whole(cursor or "0", below=100_000) or 0
        found = list(rows.order_by("rank", "index")[page : page + _RESULTS + 1])
        following = str(page + _RESULTS) if len(found) > _RESULTS else None
        results = found[:_RESULTS]
    else:
        order = ["passed", "index"] if run.has_ended else ["-index"]
        results, following = keyset_page(rows, order=order, cursor=cursor, limit=_RESULTS)
    withhold(by, results)
    return {
        "run": run,
        "results": [(result, reads.output_difference(result)) for result in results],
        "next": following if run.has_ended else None,
        "show": show,
        "shown": choices.items(),
        "others": others,
        "against": against,
        "compared": reads.compared(by, run, against) if against else None,
        "gated": not reads.may_read_rows(by, run),
        "may_cancel": not run.has_ended and can(by, Permission.EVALUATION_RUN, run.prompt),
        "may_again": run.has_ended and run.version is not None and can(by, Permission.EVALUATION_RUN, run.prompt),
        "may_request_it": bool(run.green and run.version and can(by, Permission.REQUEST_CREATE, run.prompt)),
    }
