"""Pages: prompts as files, out and in."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.access import Actor, can, require
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import Invalid, NotFound, Problem
from accounts.models import Team
from accounts.roles import Permission
from prompts import actions
from prompts.actions.imports import Outcome
from prompts.exchange import Unreadable, uploads
from prompts.exports import KINDS, download, exported_prompts
from prompts.models import MAIN

MAX_UPLOAD = 16 * 1024 * 1024


def _team(request: HttpRequest, permission: Permission) -> tuple[Actor, Team]:
    by, team = actor_of(request), current_team(request)
    if team is None:
        raise NotFound("You are in no team yet. Ask an administrator for a role in one.")
    require(by, permission, team)
    return by, team


@login_required
@require_safe
def prompt_files(request: HttpRequest) -> HttpResponse:
    """Where prompts go out as files and come in."""
    by, team = _team(request, Permission.ASSET_VIEW)
    return _show(request, by, team)


def _show(request: HttpRequest, by: Actor, team: Team, status: int = 200, **more: Any) -> HttpResponse:
    context = {
        "team_now": team,
        "may_create": can(by, Permission.ASSET_CREATE, team),
        "folder": request.GET.get("folder", ""),
        "branch": request.POST.get("branch", MAIN),
        "message": request.POST.get("message", ""),
        **more,
    }
    return render(request, "prompts/files.html", context, status=status)


@login_required
@require_safe
def prompt_export(request: HttpRequest) -> HttpResponseBase:
    """?as=yaml|langfuse|mlflow&folder=&label=&all=1: the file itself."""
    by, team = _team(request, Permission.ASSET_VIEW)
    kind = request.GET.get("as", "yaml")
    if kind not in KINDS:
        raise Invalid("as", f"Use one of {', '.join(KINDS)}.")
    rows = exported_prompts(by, team, folder=request.GET.get("folder", ""))
    actions.note_export(team=team, kind=kind, by=by)
    content = download(rows, kind, label=request.GET.get("label", ""), every=bool(request.GET.get("all")))
    name = f"{team.name}-prompts-{timezone.now():%Y-%m-%d}"
    name += ".zip" if kind == "yaml" else f".{kind}.json"
    return FileResponse(
        content,
        as_attachment=True,
        filename=name,
        content_type="application/zip" if kind == "yaml" else "application/json",
    )


@login_required
@require_POST
def prompt_import(request: HttpRequest) -> HttpResponse:
    """Preview (nothing is changed) or import the uploaded file."""
    by, team = _team(request, Permission.ASSET_CREATE)
    preview = "preview" in request.POST
    found: list[Outcome] = []
    problems: dict[str, list[str]] = {}
    try:
        found = _take(request, by, team, preview)
    except Unreadable as problem:
        problems = {problem.where: [f"{problem.field}: {problem.message}" if problem.field else problem.message]}
    except Problem as problem:
        if not problem.errors:
            raise
        problems = problem.errors
    problems |= {one.where: one.problems for one in found if one.problems}
    found = [one for one in found if not one.problems]
    if not problems and not preview:
        changed = sum(one.done in ("created", "new version", "changed") for one in found)
        messages.success(request, f"{changed} of {len(found)} imported; the others were there already.")
        if not any(one.asks for one in found):
            return redirect("prompt-list")
    result = {"found": found, "problems": problems, "preview": preview, "asked": [one for one in found if one.asks]}
    status = 422 if problems else 200
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "prompts/files_result.html", result, status=status)
    return _show(request, by, team, status, **result, tried=True)


def _take(request: HttpRequest, by: Actor, team: Team, preview: bool) -> list[Outcome]:
    upload = request.FILES.get("file")
    if upload is None:
        raise Unreadable("File", "", "Choose a .yaml, .zip or .json file.")
    if (upload.size or 0) > MAX_UPLOAD:
        raise Unreadable(str(upload.name)[:200], "", f"At most {MAX_UPLOAD:,} bytes. Use the command line for more.")
    return actions.import_entries(
        team=team,
        entries=uploads.read_upload(str(upload.name), upload.read()),
        branch=request.POST.get("branch", "").strip() or MAIN,
        message=request.POST.get("message", ""),
        dry_run=preview,
        by=by,
    )
