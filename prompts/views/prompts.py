"""Pages: the list, one prompt, its versions and what differs between them."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.access import ANY_STAGE, can, require
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import Invalid, NotFound, Problem
from accounts.pages import add_problem
from accounts.rest import keyset_page
from accounts.roles import Permission
from governance import gate
from governance.approved import approvals_of
from governance.stages import Stage
from prompts import actions, differences, rendering
from prompts.forms import DescriptionForm, LabelForm, PromptForm, Value, describe, values_posted
from prompts.models import Prompt, PromptVersion
from prompts.reads import get_prompt, get_version, labels_of, list_prompts, search_prompts

TABS = {"": "Versions", "history": "Label history", "settings": "Settings"}


@login_required
@require_safe
def prompt_list(request: HttpRequest) -> HttpResponse:
    """The current team's prompts, last changed first."""
    by, team = actor_of(request), current_team(request)
    search, label = request.GET.get("q", "").strip(), request.GET.get("label", "")
    rows = search_prompts(list_prompts(by).filter(team=team), search=search, label=label)
    found, following = keyset_page(rows, order=["-updated_at", "-id"], cursor=request.GET.get("cursor", ""))
    context = {
        "prompts": found,
        "next": following,
        "filters": [
            {"name": "q", "kind": "search", "label": "Search prompts", "value": search},
            {
                "name": "label",
                "kind": "choice",
                "label": "Label",
                "value": label,
                "choices": [(stage.value, stage.value) for stage in Stage],
            },
        ],
        "filtered": bool(search or label),
        "team_now": team,
        "may_create": bool(team and can(by, Permission.ASSET_CREATE, team)),
    }
    return render(request, "prompts/list.html", context)


@login_required
def prompt_create(request: HttpRequest) -> HttpResponse:
    by, team = actor_of(request), current_team(request)
    if team is None:
        raise NotFound("You are in no team yet. Ask an administrator for a role in one.")
    require(by, Permission.ASSET_CREATE, team)
    form = PromptForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            prompt = actions.create_prompt(team=team, by=by, **form.cleaned_data)
        except Problem as problem:
            add_problem(form, problem)
        else:
            return redirect("prompt-version-create", team=team.name, name=prompt.name)
    context = {"form": form, "team_now": team}
    return render(request, "prompts/new.html", context, status=422 if form.is_bound else 200)


@login_required
@require_safe
def prompt_detail(request: HttpRequest, team: str, name: str) -> HttpResponse:
    return show_prompt(request, get_prompt(actor_of(request), f"{team}/{name}"))


def show_prompt(
    request: HttpRequest, prompt: Prompt, *, label_form: LabelForm | None = None, form: DescriptionForm | None = None
) -> HttpResponse:
    """A prompt's page; a form with errors is shown in the tab that it belongs to."""
    by = actor_of(request)
    tab = "settings" if form else request.GET.get("tab", "")
    tab = tab if tab in TABS else ""
    versions, following = keyset_page(
        prompt.versions.filter(deleted_at=None).select_related("created_by"),
        order=["-number"],
        cursor=request.GET.get("cursor", ""),
        limit=30,
    )
    for version in versions:
        version.prompt = prompt
    labels = list(prompt.labels.select_related("version", "updated_by"))
    moves = prompt.label_moves.select_related("before", "after", "moved_by")[:200] if tab == "history" else []
    context = {
        "prompt": prompt,
        "tab": tab,
        "tabs": TABS,
        "versions": [(version, [label for label in labels if label.version_id == version.pk]) for version in versions],
        "next": following,
        "labels": labels,
        "protected": _protected(prompt),
        "latest": versions[0] if versions and not request.GET.get("cursor") else None,
        "moves": moves,
        "may_edit": can(by, Permission.ASSET_EDIT, prompt),
        "may_move": can(by, Permission.ALIAS_MOVE, prompt, stage=ANY_STAGE),
        "may_request": can(by, Permission.REQUEST_CREATE, prompt, stage=ANY_STAGE),
        "label_form": label_form or LabelForm(initial={"version": prompt.last_number or None}),
        "form": form or describe(prompt),
        "usage": f'curl -H "Authorization: Bearer $KEY" \\\n  {settings.SITE_URL}/api/v1/prompts/{prompt}/labels/production',
    }
    wrong = bool(label_form or form)
    return render(request, "prompts/detail.html", context, status=422 if wrong else 200)


def _protected(prompt: Prompt) -> list[str]:
    """The labels that move only with an approval."""
    return [s.value for s in Stage if gate.is_protected(prompt.team, "prompt", str(prompt), s.value)]


@login_required
@require_POST
def prompt_update(request: HttpRequest, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    form = DescriptionForm(request.POST)
    if form.is_valid():
        try:
            actions.update_prompt(prompt=prompt, by=by, **form.cleaned_data)
        except Invalid as problem:
            add_problem(form, problem)
        else:
            messages.success(request, "Description saved.")
            return redirect(prompt.get_absolute_url())
    return show_prompt(request, prompt, form=form)


@login_required
@require_safe
def version_detail(request: HttpRequest, team: str, name: str, number: int) -> HttpResponse:
    by = actor_of(request)
    version = get_version(by, get_prompt(by, f"{team}/{name}"), number)
    return _show_version(request, version, [Value(name) for name in version.variables], None)


@login_required
@require_POST
def version_render(request: HttpRequest, team: str, name: str, number: int) -> HttpResponse:
    """Fill in the variables: only the result for htmx, the whole page without."""
    by = actor_of(request)
    version = get_version(by, get_prompt(by, f"{team}/{name}"), number)
    values = values_posted(version, request.POST)
    result: dict[str, Any] = {}
    try:
        text = rendering.render(version.template, {value.name: value.value for value in values})
    except Invalid as problem:
        result["errors"] = [text for texts in problem.errors.values() for text in texts]
    else:
        result["messages"] = [{"role": "", "content": text}] if isinstance(text, str) else text
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "prompts/rendered.html", {"result": result})
    return _show_version(request, version, values, result)


def _show_version(
    request: HttpRequest, version: PromptVersion, values: list[Value], result: dict[str, Any] | None
) -> HttpResponse:
    by, prompt = actor_of(request), version.prompt
    context = {
        "prompt": prompt,
        "version": version,
        "labels": labels_of([version]).get(version.pk, []),
        "approved": approvals_of(kind="prompt", asset_id=prompt.pk, digest=version.digest),
        "values": values,
        "result": result,
        "may_edit": can(by, Permission.ASSET_EDIT, prompt),
        "may_move": can(by, Permission.ALIAS_MOVE, prompt, stage=ANY_STAGE),
        "may_request": can(by, Permission.REQUEST_CREATE, prompt, stage=ANY_STAGE),
        "label_form": LabelForm(initial={"version": version.number}),
    }
    return render(request, "prompts/version.html", context)


@login_required
@require_safe
def version_diff(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """Any two versions side by side; without numbers the newest and the one before it."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    after = get_version(by, prompt, _number(request, "to", prompt.last_number))
    before = get_version(by, prompt, _number(request, "from", max(after.number - 1, 1)))
    difference = differences.compare(before, after)
    context = {
        "prompt": prompt,
        "before": before,
        "after": after,
        "difference": difference,
        "texts": [
            (change, *(_side(v, n) for v, n in ((before, change.number_before), (after, change.number_after))))
            for change in difference.messages
        ],
        "numbers": list(prompt.versions.filter(deleted_at=None).values_list("number", "message")[:500]),
    }
    return render(request, "prompts/diff.html", context)


def _side(version: PromptVersion, number: int | None) -> tuple[str, str]:
    """A message as one side of the difference, and what that side is called (each difference on the page by another name)."""
    if number is None:
        return "", "nothing"
    name = f"message {number}" if version.type == PromptVersion.Type.CHAT else "template"
    return version.messages[number - 1]["content"], f"version {version.number}, {name}"


def _number(request: HttpRequest, field: str, default: int) -> int:
    text = request.GET.get(field, "")
    return int(text) if text.isdecimal() and len(text) < 10 else default
