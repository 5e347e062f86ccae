"""Pages: writing the next version."""

import json

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from accounts.access import require
from accounts.authentication import actor_of
from accounts.errors import Problem
from accounts.pages import add_problem
from accounts.roles import Permission
from prompts import actions
from prompts.checks import ROLES, check_template
from prompts.forms import Draft, VersionForm
from prompts.models import Prompt, PromptVersion
from prompts.reads import get_prompt


@login_required
def version_create(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """The editor, filled with the latest version (or with ?from=N). Rows of a chat come and go by buttons that post the form."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    require(by, Permission.ASSET_EDIT, prompt)
    latest = prompt.versions.filter(deleted_at=None).first()
    if request.method != "POST":
        base = _base(request, prompt) or latest
        draft = Draft.of(base) if base else Draft.new(_kind(request, None))
        parameters = json.dumps(base.parameters, indent=2, sort_keys=True) if base and base.parameters else ""
        return _show(request, prompt, draft, VersionForm(initial={"parameters": parameters}), latest)
    draft = Draft.posted(request.POST, _kind(request, latest))
    if operation := request.POST.get("op"):
        draft.edit(operation)
        initial = {field: request.POST.get(field, "") for field in ("parameters", "message")}
        return _show(request, prompt, draft, VersionForm(initial=initial), latest)
    form = VersionForm(request.POST)
    valid = form.is_valid()
    try:
        check_template(draft.type, draft.template)
        if valid:
            version = actions.create_version(
                prompt=prompt, type=draft.type, template=draft.template, by=by, **form.cleaned_data
            )
            messages.success(request, f"Version {version.number} saved.")
            return redirect(version.get_absolute_url())
    except Problem as problem:
        if any(field.startswith("template") for field in problem.errors):
            draft.show(problem)
        else:
            add_problem(form, problem)
    return _show(request, prompt, draft, form, latest, status=422)


@login_required
@require_POST
def version_check(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """While somebody types: the variables, or where the template is wrong."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    draft = Draft.posted(request.POST, _kind(request, prompt.versions.filter(deleted_at=None).first()))
    return render(request, "prompts/check.html", _checked(draft))


def _checked(draft: Draft) -> dict[str, object]:
    """Variables and errors of a draft, for the line under the editor; an empty one has neither."""
    texts = [draft.text] if draft.type == PromptVersion.Type.TEXT else [row.content for row in draft.rows]
    if not any(text.strip() for text in texts):
        return {"variables": [], "problems": []}
    try:
        return {"variables": check_template(draft.type, draft.template), "problems": []}
    except Problem as problem:
        found = []
        for field, details in problem.errors.items():
            number = field.removeprefix("template[").partition("]")[0]
            where = f"Message {int(number) + 1}, " if number.isdecimal() else ""
            found += [f"{where}{detail}" for detail in details]
        return {"variables": [], "problems": found}


def _kind(request: HttpRequest, latest: PromptVersion | None) -> str:
    """The type that the prompt has; before its first version the one asked for."""
    if latest is not None:
        return latest.type
    asked = request.POST.get("type") or request.GET.get("type", "")
    return asked if asked in set(PromptVersion.Type) else PromptVersion.Type.TEXT.value


def _base(request: HttpRequest, prompt: Prompt) -> PromptVersion | None:
    number = request.GET.get("from", "")
    return (
        prompt.versions.filter(number=int(number), deleted_at=None).first()
        if number.isdecimal() and len(number) < 10
        else None
    )


def _show(
    request: HttpRequest,
    prompt: Prompt,
    draft: Draft,
    form: VersionForm,
    latest: PromptVersion | None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "prompt": prompt,
        "draft": draft,
        "form": form,
        "latest": latest,
        "roles": ROLES,
        "lines": max(8, min(30, draft.text.count("\n") + 3)),
        "types": PromptVersion.Type.choices,
        **_checked(draft),
    }
    return render(request, "prompts/editor.html", context, status=status)
