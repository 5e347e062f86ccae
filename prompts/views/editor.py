"""Pages: writing the next version, or the first one with the prompt itself."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.access import Actor, require
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import Conflict, Invalid, NotFound, Problem
from accounts.models import Team
from accounts.numbers import whole
from accounts.roles import Permission
from prompts import actions
from prompts.checks import ROLES, check_content
from prompts.drafts import get_draft
from prompts.models import MAIN, Prompt, PromptBranch, PromptDraft, PromptVersion
from prompts.reads import get_prompt, get_version
from prompts.shown import shown
from prompts.tabs import tab_address
from prompts.views.frame import folder_crumbs
from prompts.writing import PLACEHOLDER, Written

_LARGEST = 2**31


@login_required
def version_create(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """The editor: with the draft on ?branch, else with ?from=N, else with the branch's newest version. Rows of a chat come and go
    by buttons that post the form. Asked for JSON, it answers saving with the new version's address or the problem."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    require(by, Permission.ASSET_EDIT, prompt)
    newest = prompt.versions.filter(deleted_at=None).first()
    kind = newest.type if newest else _kind(request)
    if request.method != "POST":
        return _show(request, prompt, *_opened(request, by, prompt, kind))
    written = Written.posted(request.POST, kind)
    operation = request.POST.get("op", "")
    if operation == "discard":
        actions.discard_draft(prompt=prompt, branch=written.branch, by=by)
        messages.success(request, "The draft is gone.")
        return redirect(f"{request.path}?{urlencode({'branch': written.branch})}")
    if operation:
        written.edit(operation)
        return _show(request, prompt, written, _posted_base(request, prompt), None)
    new_branch = request.POST.get("new_branch", "").strip()
    head = None if new_branch else _head(prompt, written.branch)
    try:
        version = _save(request, by, prompt, written, head)
    except Problem as problem:
        if _wants_json(request):
            return _refused(problem, head)
        written.show(problem)
        return _show(request, prompt, written, _posted_base(request, prompt), None, status=_page_status(problem))
    messages.success(request, f"Version {version.number} saved.")
    return _saved(request, version)


def _kind(request: HttpRequest) -> str:
    asked = request.POST.get("type") or request.GET.get("type", "")
    return asked if asked in set(PromptVersion.Type) else PromptVersion.Type.TEXT.value


def _opened(
    request: HttpRequest, by: Actor, prompt: Prompt, kind: str
) -> tuple[Written, PromptVersion | None, PromptDraft | None]:
    """What the editor opens with, the version that it starts from, and the draft that it shows."""
    number = whole(request.GET.get("from", ""), below=_LARGEST)
    chosen = get_version(by, prompt, number) if number else None
    branch = request.GET.get("branch") or (chosen.branch if chosen else MAIN)
    draft = get_draft(by, prompt, branch) if chosen is None else None
    if draft is not None:
        return Written.of_draft(draft.content, kind, branch), draft.base, draft
    base = chosen or _head(prompt, branch) or prompt.versions.filter(deleted_at=None).first()
    written = Written.of(base) if base else Written.new(kind)
    written.branch = branch
    return written, base, None


def _head(prompt: Prompt, branch: str) -> PromptVersion | None:
    """The newest version on a branch: where the branch began, when it has none of its own."""
    own = prompt.versions.filter(branch=branch, deleted_at=None).select_related("created_by").first()
    if own is not None or branch == MAIN:
        return own
    row = prompt.branches.select_related("head__created_by").filter(name=branch).first()
    return row.head if row else None


def _posted_base(request: HttpRequest, prompt: Prompt) -> PromptVersion | None:
    number = whole(request.POST.get("base", ""), below=_LARGEST)
    return prompt.versions.filter(number=number, deleted_at=None).first() if number else None


@transaction.atomic
def _save(
    request: HttpRequest, by: Actor, prompt: Prompt, written: Written, head: PromptVersion | None
) -> PromptVersion:
    """The version; the draft that it was goes with it."""
    seen = whole(request.POST.get("head", ""), below=_LARGEST)
    if seen is not None and head is not None and head.number != seen:
        raise Conflict(
            f"{head.created_by} saved version {head.number} on '{written.branch}' since you began. Look at the difference; "
            "save again, and yours comes after it.",
            errors={"branch": [f"Version {head.number} was saved here since you began, by {head.created_by}."]},
            code="head_moved",
        )
    branch, base = written.branch, _posted_base(request, prompt)
    if (name := request.POST.get("new_branch", "").strip()) and base is not None:
        branch = _branch_off(prompt, name, base, by)
    version = actions.create_version(prompt=prompt, **written.fields(), message=written.message, branch=branch, by=by)
    actions.discard_draft(prompt=prompt, branch=request.POST.get("draft_branch") or branch, by=by)
    return version


def _branch_off(prompt: Prompt, name: str, start: PromptVersion, by: Actor) -> str:
    """A new branch from where the writer began; its problems are about the form's own field."""
    try:
        return actions.create_branch(prompt=prompt, name=name, start=start, by=by).name
    except (Conflict, Invalid) as problem:
        problem.errors = {"new_branch": [text for texts in problem.errors.values() for text in texts]}
        raise


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept") == "application/json"


def _saved(request: HttpRequest, version: PromptVersion) -> HttpResponse:
    if _wants_json(request):
        return JsonResponse({"url": version.get_absolute_url(), "number": version.number})
    return redirect(version.get_absolute_url())


def _refused(problem: Problem, head: PromptVersion | None) -> HttpResponse:
    shown = {"detail": problem.detail, "errors": problem.errors, "code": problem.code, "head": head and head.number}
    return JsonResponse(shown, status=problem.status)


@login_required
@require_POST
def version_difference(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """What differs from the branch's newest version in what is written, shown before it is saved."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    head = _head(prompt, request.POST.get("branch") or MAIN)
    if head is None:
        return render(request, "prompts/editor_difference.html", {"first": True})
    head.prompt = prompt
    try:
        fields = Written.posted(request.POST, head.type).fields()
    except Problem as problem:
        return render(request, "prompts/editor_difference.html", {"problem": problem})
    try:
        variables = check_content(**fields, prompt=prompt, by=by).variables
    except Problem:
        variables = head.variables  # what is wrong with it stands elsewhere on the page
    fields = {key: value for key, value in fields.items() if value is not None}
    after = PromptVersion(prompt=prompt, number=0, variables=variables, **fields)
    found = shown(head, after, before_label=f"version {head.number}", after_label="what is written here")
    return render(request, "prompts/editor_difference.html", {"head": head, "shown": found})


@login_required
def prompt_create(request: HttpRequest) -> HttpResponse:
    """A new prompt and its first version on one page; ?copy=team/name:N starts from that version."""
    by, team = actor_of(request), current_team(request)
    if team is None:
        raise NotFound("You are in no team yet. Ask an administrator for a role in one.")
    require(by, Permission.ASSET_CREATE, team)
    if request.method != "POST":
        copied = _copied(by, request.GET.get("copy", ""))
        written = Written.of(copied) if copied else Written.new(_kind(request))
        written.branch = MAIN
        folder = request.GET.get("folder", "").strip("/")
        names = {"name": f"{copied.prompt.name} copy" if copied else f"{folder}/" if folder else ""}
        return _show_new(request, team, written, names, copied)
    written = Written.posted(request.POST, _kind(request))
    names = {"name": request.POST.get("name", "").strip(), "description": request.POST.get("description", "")}
    if operation := request.POST.get("op"):
        written.edit(operation)
        return _show_new(request, team, written, names, None)
    try:
        with transaction.atomic():
            prompt = actions.create_prompt(team=team, name=names["name"], description=names["description"], by=by)
            version = actions.create_version(prompt=prompt, **written.fields(), message=written.message, by=by)
    except Problem as problem:
        if _wants_json(request):
            return _refused(problem, None)
        written.show(problem)
        return _show_new(request, team, written, names, None, status=_page_status(problem))
    messages.success(request, f"{prompt} is there, with its first version.")
    return _saved(request, version)


def _copied(by: Actor, address: str) -> PromptVersion | None:
    """The version at 'team/name:N'."""
    name, _, text = address.rpartition(":")
    number = whole(text, below=_LARGEST)
    return get_version(by, get_prompt(by, name), number) if name and number else None


def _show_new(
    request: HttpRequest, team: Team, written: Written, names: dict[str, str], copied: PromptVersion | None,
    status: int = 200,
) -> HttpResponse:  # fmt: skip
    context = {
        **_editor_context(request, written, team.name),
        "new": True,
        "team_now": team,
        "names": names,
        "copied": copied,
        "types": PromptVersion.Type.choices,
    }
    return render(request, "prompts/editor.html", context, status=status)


def _page_status(problem: Problem) -> int:
    """A form with errors is 422 on every page."""
    return 422 if problem.status == 400 else problem.status


def _show(
    request: HttpRequest, prompt: Prompt, written: Written, base: PromptVersion | None, draft: PromptDraft | None,
    status: int = 200,
) -> HttpResponse:  # fmt: skip
    head = _head(prompt, written.branch)
    branches = prompt.branches.filter(state=PromptBranch.State.OPEN).values_list("name", flat=True)
    team, name = prompt.team.name, prompt.name
    context = {
        **_editor_context(request, written, team),
        "prompt": prompt,
        "base": base,
        "head": head,
        "draft": draft,
        "first": head is None and base is None,
        "types": PromptVersion.Type.choices,
        "branches": [MAIN, *sorted(branches)],
        "crumbs": folder_crumbs(team, prompt.folder),
        "short_name": name.rpartition("/")[2],
        "playground_address": tab_address("playground", prompt, actor_of(request)),
    }
    context["config"] |= {
        "prompt": prompt.pk,
        "address": str(prompt),
        "base": base.number if base else None,
        "head": head.number if head else None,
        "branch": written.branch,
        "drafts": reverse("api-prompt-drafts", args=[team, name]),
        "difference": reverse("prompt-version-difference", args=[team, name]),
        "revision": draft.revision if draft else 0,
        "saved_at": draft.saved_at.isoformat() if draft else None,
        "posted": request.method == "POST",
    }
    return render(request, "prompts/editor.html", context, status=status)


def _editor_context(request: HttpRequest, written: Written, team: str) -> dict[str, Any]:
    """What the editor needs for a prompt that is there and for one that is not yet."""
    return {
        "written": written,
        "roles": [*ROLES, PLACEHOLDER],
        "formats": PromptVersion.Format.choices,
        "json_parts": [
            ("tools", "Tools", written.tools),
            ("response_format", "Response format", written.response_format),
        ],
        "lines": max(12, min(30, written.text.count("\n") + 3)),
        "config": {
            "team": team,
            "user": request.user.pk,
            "values": written.values,
            "api": f"{settings.FORCE_SCRIPT_NAME or ''}/api/v1/",
        },
    }
