"""Pages: branches, and merging one into another."""

import json
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import require
from accounts.authentication import actor_of
from accounts.bodies import read_written
from accounts.errors import Conflict, Invalid, Problem
from accounts.numbers import whole
from accounts.pages import add_problem
from accounts.roles import Permission
from prompts import actions
from prompts.actions.branches import Plan
from prompts.forms import BranchForm
from prompts.merging import EDIT, Clash
from prompts.models import MAIN, Prompt, PromptBranch
from prompts.reads import get_prompt
from prompts.views.frame import prompt_page


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def prompt_branches(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """The branches of a prompt; a form posted here begins one."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    if request.method != "POST":
        return _show_branches(request, prompt, BranchForm(initial={"start": request.GET.get("start", "")}))
    require(by, Permission.ASSET_EDIT, prompt)
    form = BranchForm(request.POST)
    if form.is_valid():
        wanted = form.cleaned_data
        rows = prompt.versions.filter(deleted_at=None)
        start = rows.filter(number=wanted["start"]).first() if wanted["start"] else rows.filter(branch=MAIN).first()
        if start is None:
            form.add_error("start", "There is no such version.")
        else:
            try:
                branch = actions.create_branch(prompt=prompt, name=wanted["name"], start=start, by=by)
            except (Invalid, Conflict) as problem:
                add_problem(form, problem)
            else:
                messages.success(request, f"Branch '{branch.name}' begins at version {start.number}.")
                return redirect("prompt-branches", team=team, name=name)
    return _show_branches(request, prompt, form, status=422)


def _show_branches(request: HttpRequest, prompt: Prompt, form: BranchForm, status: int = 200) -> HttpResponse:
    branches = list(prompt.branches.select_related("start", "head", "created_by").order_by("-updated_at", "-id")[:200])
    for branch in branches:
        branch.head.prompt = branch.start.prompt = prompt
    context = {
        **prompt_page(request, prompt, "branches"),
        "open_branches": [branch for branch in branches if branch.state == PromptBranch.State.OPEN],
        "ended_branches": [branch for branch in branches if branch.state != PromptBranch.State.OPEN],
        "form": form,
    }
    return render(request, "prompts/branches.html", context, status=status)


@login_required
@require_POST
def branch_close(request: HttpRequest, team: str, name: str, branch: str) -> HttpResponse:
    by = actor_of(request)
    actions.close_branch(prompt=get_prompt(by, f"{team}/{name}"), name=branch, by=by)
    messages.success(request, f"Branch '{branch}' closed. Its versions stay.")
    return redirect("prompt-branches", team=team, name=name)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def branch_merge(request: HttpRequest, team: str, name: str, branch: str) -> HttpResponse:
    """What a merge would make, each conflict with its choices. The button 'Look' shows the result with what is chosen, 'Merge' makes it."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    require(by, Permission.ASSET_EDIT, prompt)
    posted = request.POST if request.method == "POST" else QueryDict()
    target = posted.get("target") or request.GET.get("target", MAIN)
    chosen, wrong = _resolutions(posted)
    plan = actions.plan_merge(prompt=prompt, source=branch, target=target, resolutions=chosen, by=by)
    problem: Problem | None = None
    if request.method == "POST" and "look" not in posted and not wrong:
        numbers = [whole(posted.get(field, ""), below=2**31) for field in ("seen_source", "seen_target")]
        try:
            version = actions.merge_branch(
                prompt=prompt, source=branch, target=target, resolutions=chosen,
                expected=(numbers[0] or 0, numbers[1] or 0), message=posted.get("message", ""), by=by,
            )  # fmt: skip
        except (Invalid, Conflict) as error:
            problem = error
        else:
            said = f"as version {version.number}" if version else "which said all of it already"
            messages.success(request, f"'{branch}' is merged into '{target}', {said}.")
            return redirect(version.get_absolute_url() if version else prompt.get_absolute_url())
    context = {
        **prompt_page(request, prompt, "branches"),
        "plan": plan,
        "branch": branch,
        "problem": problem,
        "clashes": [_shown(clash, wrong, posted) for clash in plan.result.clashes],
        "result_messages": _messages(plan),
        "merge_message": posted.get("message") or f"Merge {branch} into {target}",
        "targets": [MAIN, *prompt.branches.filter(state="open").exclude(name=branch).values_list("name", flat=True)]
        if branch != MAIN
        else list(prompt.branches.filter(state="open").values_list("name", flat=True)),
    }
    status = problem.status if problem else 422 if wrong else 200
    return render(request, "prompts/merge.html", context, status=status)


def _resolutions(posted: QueryDict) -> tuple[dict[str, Any], dict[str, str]]:
    """What was chosen for each conflict, and what can't be read of what was edited."""
    chosen: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for field, word in posted.items():
        if not field.startswith("choice:"):
            continue
        key = field.removeprefix("choice:")
        if word != EDIT:
            chosen[key] = word
            continue
        text = str(posted.get(f"edit:{key}", "")).replace("\r\n", "\n")
        if posted.get(f"kind:{key}") == "text":
            # A textarea has no line end after its last line; the lines around it do.
            chosen[key] = {EDIT: text if not text or text.endswith("\n") or "#" not in key else f"{text}\n"}
            continue
        try:
            chosen[key] = {EDIT: read_written(text)}
        except ValidationError as error:
            wrong[key] = error.messages[0]
    return chosen, wrong


def _shown(clash: Clash, wrong: dict[str, str], posted: QueryDict) -> dict[str, Any]:
    """A conflict as the page shows it: values that are no text as JSON."""
    ours = clash.ours if isinstance(clash.ours, str) and clash.kind == "text" else _json(clash.ours)
    edited = posted.get(f"edit:{clash.key}")
    return {
        "key": clash.key,
        "title": clash.title,
        "kind": clash.kind,
        "choices": clash.choices,
        "chosen": EDIT if clash.key in wrong else clash.chosen,
        "base": clash.base if clash.kind == "text" else _json(clash.base),
        "ours": ours,
        "theirs": clash.theirs if clash.kind == "text" else _json(clash.theirs),
        "edit": edited.replace("\r\n", "\n") if edited is not None else ours,
        "wrong": wrong.get(clash.key, ""),
    }


def _json(value: Any) -> str:
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


def _messages(plan: Plan) -> list[dict[str, Any]]:
    template = plan.result.fields["template"]
    return template if isinstance(template, list) else [{"role": "", "content": str(template)}]


def merge_address(prompt: Prompt, source: str, target: str) -> str:
    return f"{prompt.get_absolute_url()}/branches/{source}/merge?{urlencode({'target': target})}"
