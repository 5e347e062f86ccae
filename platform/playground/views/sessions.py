"""Sessions: the list, and the workbench."""

import json
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import ANY_STAGE, Actor, can, get_team
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import Forbidden, Invalid, NotFound, Problem
from accounts.models import Team
from accounts.numbers import whole
from accounts.rest import keyset_page
from accounts.roles import Permission
from playground import actions, reads, texts
from playground.actions.common import require_play
from playground.actions.sessions import is_author
from playground.bench import Bench, inputs_for, version_named
from playground.models import PlaygroundRun, PlaygroundSession
from playground.views.runs import results
from prompts.checks import ROLES
from prompts.models import Prompt, PromptVersion
from prompts.reads import get_prompt
from prompts.writing import PLACEHOLDER, Written
from registry.models import Asset
from registry.reads import get_asset, get_version
from serving.models import Deployment

_SUGGESTED = 200
_RUNS = 10  # the latest ones, below the sessions


@login_required
@require_GET
def session_list(request: HttpRequest) -> HttpResponse:
    by, team = actor_of(request), current_team(request)
    search = request.GET.get("q", "").strip()[:120]
    rows = reads.list_sessions(by)
    if team is not None:
        rows = rows.filter(team=team)
    if search:
        rows = rows.filter(name__icontains=search.replace("\0", ""))
    found, following = keyset_page(rows, order=["-updated_at", "-id"], cursor=request.GET.get("cursor", ""))
    context = {
        "sessions": found,
        "runs": reads.list_runs(by).filter(team=team).order_by("-id")[:_RUNS] if team and not search else [],
        "next": following,
        "search": search,
        "filters": [{"name": "q", "kind": "search", "label": "Search sessions", "value": search}],
        "may_play": team is not None and can(by, Permission.MODEL_INVOKE, team, stage=ANY_STAGE),
    }
    return render(request, "playground/list.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def session_new(request: HttpRequest) -> HttpResponse:
    """An empty workbench, or one with what the address names: ?prompt=team/name&version=3&against=2&model=team/name (and &with=, the
    prompt that `against` is a version of)."""
    by = actor_of(request)
    team = _team(request, by)
    require_play(by, team)
    if request.method == "POST":
        return _posted(request, team, None, by)
    return _page(request, team, None, _asked(request, team, by), by)


@login_required
@require_http_methods(["GET", "POST"])
def session_detail(request: HttpRequest, bench: int) -> HttpResponse:
    by = actor_of(request)
    session = reads.get_session(by, bench)
    if request.method == "POST":
        require_play(by, session)
        if not is_author(session, by):
            raise Forbidden("This session is somebody else's: copy it, and run the copy.")
        return _posted(request, session.team, session, by)
    return _page(request, session.team, session, Bench.of(session), by)


@login_required
@require_POST
def session_copy(request: HttpRequest, bench: int) -> HttpResponse:
    by = actor_of(request)
    return redirect(actions.copy_session(session=reads.get_session(by, bench), by=by).get_absolute_url())


@login_required
@require_POST
def session_delete(request: HttpRequest, bench: int) -> HttpResponse:
    by = actor_of(request)
    session = reads.get_session(by, bench)
    actions.delete_session(session=session, by=by)
    messages.success(request, f"The session {session.name} is deleted. Its runs stay.")
    return redirect("playground")


@login_required
@require_http_methods(["GET", "POST"])
def prompt_playground(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """The tab of a prompt: a workbench with it. The editor posts what is being written, which is nowhere else yet."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    if request.method == "POST":
        require_play(by, prompt.team)
        return _page(request, prompt.team, None, _written(request, prompt, by), by)
    asked = ("version", "against", "with", "model")
    query = {"prompt": str(prompt)} | {key: request.GET[key] for key in asked if key in request.GET}
    return redirect(f"{reverse('playground-new')}?{urlencode(query)}")


def _written(request: HttpRequest, prompt: Prompt, by: Actor) -> Bench:
    """A workbench with the editor's text, finished or not, and the values that were tried there."""
    newest = prompt.versions.filter(deleted_at=None).first()
    kind = newest.type if newest else request.POST.get("type", PromptVersion.Type.TEXT)
    written = Written.posted(request.POST, str(kind))
    model = _model_for(written.model, prompt.team, reads.models_for(by))
    bench = Bench(columns=[texts.of_written(written, prompt=str(prompt), version=texts.UNSAVED, model=model)])
    try:
        values = json.loads(request.POST.get("values") or "{}")
    except (ValueError, RecursionError):
        values = {}
    if isinstance(values, dict):
        bench.inputs = [{str(name): value for name, value in values.items() if isinstance(value, str) and value}]
    return bench


def _model_for(own: str, team: Team, models: list[Deployment]) -> str:
    """The prompt's own model where it is a deployment, else the first that answers."""
    names = [str(row) for row in models]
    for name in (own, f"{team.name}/{own}"):
        if own and name in names:
            return name
    return next((str(row) for row in models if row.endpoint), "")


def _team(request: HttpRequest, by: Actor) -> Team:
    """Of the prompt that is named, or the one that is named itself, else the current one."""
    if asked := request.GET.get("prompt"):
        return get_prompt(by, asked).team
    if asked := request.GET.get("team"):
        return get_team(by, asked)
    team = current_team(request)
    if team is None:
        raise NotFound("You are in no team yet: ask an administrator for a role in one.")
    return team


def _asked(request: HttpRequest, team: Team, by: Actor) -> Bench:
    models, chosen = reads.models_for(by), request.GET.get("model", "")[:200]
    asked = request.GET.get("prompt", "")
    if not asked:
        return Bench(columns=[texts.new_column(model=chosen or _model_for("", team, models))])
    named = [(asked, request.GET.get("version", "")[:96])]
    if against := request.GET.get("against", "")[:96]:
        named.insert(0, (request.GET.get("with", "") or asked, against))
    bench = Bench(columns=[])
    for prompt, version in named:
        # A prompt's own parameters stand unless somebody says otherwise.
        column = texts.new_column(prompt=prompt, version=version, temperature="", max_tokens="")
        try:
            own = version_named(column, team, by=by).model if version != "draft" else ""
        except Problem:
            own = ""  # the page says what is wrong when it is run
        bench.columns.append(column | {"model": chosen or _model_for(own, team, models)})
    return bench


def _posted(request: HttpRequest, team: Team, session: PlaygroundSession | None, by: Actor) -> HttpResponse:
    bench = Bench.posted({key: str(value) for key, value in request.POST.items()})
    do = request.POST.get("do", "run")
    if do not in ("run", "save"):
        verb, _, place = do.rpartition("-")
        index = whole(place, below=len(bench.columns))
        try:
            if verb == "edit-column" and index is not None:
                bench.take_text(index, team, by=by)
            else:
                bench.change(do)
        except Problem as problem:
            wrong = Invalid(f"columns[{index}].version", problem.detail)
            return _page(request, team, session, bench, by, problem=wrong)
        return _page(request, team, session, bench, by)
    try:
        fields: dict[str, Any] = {"columns": bench.columns, "inputs": bench.inputs, "options": bench.options}
        if do == "save":
            kept = actions.save_session(session=session, team=team, name=bench.name, by=by, **fields)
            messages.success(request, "Saved.")
            return redirect(kept.get_absolute_url())
        given = _run_given(bench, team, by)
        kept = actions.save_session(session=session, team=team, name=bench.name, by=by, **fields)
        actions.start_run(team=team, name=kept.name, session=kept, by=by, **given)
    except Invalid as problem:
        return _page(request, team, session, bench, by, problem=problem)
    return redirect(f"{kept.get_absolute_url()}#results")


def _run_given(bench: Bench, team: Team, by: Actor) -> dict[str, Any]:
    columns = bench.given()
    options = bench.options
    numbers = {}
    for name in ("repeats", "limit", "dataset_version"):
        text = options[name].strip()
        numbers[name] = whole(text, below=2**31) if text else None
        if text and not numbers[name]:
            raise Invalid(name, "Use a whole number, at least 1.")
    given: dict[str, Any] = {"columns": columns, "repeats": numbers["repeats"] or 1}
    if not options["dataset"].strip():
        return {**given, "inputs": bench.rows(inputs_for(bench, team, by=by))}
    name = options["dataset"].strip()
    try:
        dataset = get_asset(by, Asset.Kind.DATASET, name if "/" in name else f"{team.name}/{name}")
        number = numbers["dataset_version"]
        version = (
            get_version(by, dataset, number)
            if number
            else dataset.versions.registered().filter(deleted_at=None).order_by("-number").first()
        )
    except NotFound as problem:
        raise Invalid("dataset", problem.detail) from None
    if version is None:
        raise Invalid("dataset", f"{dataset} has no registered version yet.")
    version.asset = dataset
    return {
        **given,
        "dataset_version": version,
        "mapping": _mapping(options["mapping"]),
        "expected_field": options["expected_field"].strip(),
        "limit": numbers["limit"],
    }


def _mapping(text: str) -> dict[str, str]:
    """'question = input', one a line."""
    found = {}
    for line in text.splitlines():
        variable, equals, name = line.partition("=")
        if line.strip() and not (equals and variable.strip() and name.strip()):
            raise Invalid("mapping", "Write 'variable = field', one a line.")
        if line.strip():
            found[variable.strip()] = name.strip()
    return found


def _page(
    request: HttpRequest,
    team: Team,
    session: PlaygroundSession | None,
    bench: Bench,
    by: Actor,
    *,
    problem: Invalid | None = None,
) -> HttpResponse:
    errors = {field: " ".join(texts) for field, texts in problem.errors.items()} if problem else {}
    variables = list(inputs_for(bench, team, by=by))
    run: PlaygroundRun | None = None
    if session is not None:
        run = reads.list_runs(by).filter(session=session).order_by("-id").first()
    models = reads.models_for(by)
    may_play = can(by, Permission.MODEL_INVOKE, team, stage=ANY_STAGE)
    context = {
        "session": session,
        "team": team,
        "bench": bench,
        "columns": [
            (index, {**column, "own": texts.is_own(column)}, _errors(errors, index))
            for index, column in enumerate(bench.columns)
        ],
        "variables": variables,
        "rows": [[(name, row.get(name, "")) for name in variables] for row in bench.inputs],
        "other_rows": [[(name, value) for name, value in row.items() if name not in variables] for row in bench.inputs],
        "errors": {field.replace("[", "_").replace("]", ""): text for field, text in errors.items()},
        "general": [f"{field}: {text}" for field, text in errors.items() if not field.startswith("columns[")],
        "problem": problem,
        "models": models,
        "model_names": {str(row) for row in models},
        "prompts": [
            f"{team.name}/{name}" for name in _names(Prompt.objects.visible_to(by).filter(team=team, archived_at=None))
        ],
        "datasets": [
            f"{team.name}/{name}"
            for name in _names(Asset.objects.visible_to(by).filter(team=team, kind="dataset", archived_at=None))
        ],
        "address": session.get_absolute_url()
        if session
        else f"{reverse('playground-new')}?{urlencode({'team': team.name})}",
        "roles": [*ROLES, PLACEHOLDER],
        "may_edit": may_play and (session is None or is_author(session, by)),
        "may_play": may_play,
        "uses_dataset": bool(bench.options["dataset"].strip()),
    }
    if run is not None:
        context |= results(request, run, by)
    return render(request, "playground/bench.html", context, status=422 if problem else 200)


def _names(rows: Any) -> list[str]:
    return list(rows.order_by("-updated_at", "-id").values_list("name", flat=True)[:_SUGGESTED])


def _errors(errors: dict[str, str], index: int) -> list[str]:
    """What is wrong with one column, in words."""
    mark = f"columns[{index}]"
    return [
        f"{field.removeprefix(mark).lstrip('.') or 'column'}: {text}"
        for field, text in errors.items()
        if field.startswith(mark)
    ]
