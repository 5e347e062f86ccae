"""Pages: policies as readable rules, with their history and what they would have done."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import Actor, can, require
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import ApprovalRequired, NotFound, Problem
from accounts.models import Team
from accounts.roles import Permission
from governance import actions, editor, policies
from governance.access import get_policy, visible_policies
from governance.actions.policies import draft, is_guarded
from governance.editor import Editor
from governance.models import ApprovalRequest, Policy, PolicyVersion
from governance.rules import DEFAULT_RULES, Rules, parse

SHOWN_OUTCOMES = 100


def rules_of(version: PolicyVersion | None) -> Rules:
    assert version is not None
    return parse(version.checks, version.reviews, version.terms)


@login_required
@require_safe
def policy_list(request: HttpRequest) -> HttpResponse:
    """The team's policies, each as sentences."""
    team = current_team(request)
    rows = (
        list(visible_policies(actor_of(request)).filter(team=team).order_by("stage", "kind", "pattern")) if team else []
    )
    context = {
        "policies": [(policy, rules_of(policy.current)) for policy in rows],
        "team_now": team,
        "editable": bool(team and can(actor_of(request), Permission.POLICY_EDIT, team)),
        "default": DEFAULT_RULES,
    }
    return render(request, "governance/policy_list.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def policy_create(request: HttpRequest) -> HttpResponse:
    by, team = actor_of(request), current_team(request)
    if team is None:
        raise NotFound("You are in no team yet.")
    require(by, Permission.POLICY_EDIT, team)
    if request.method != "POST":
        return _page(request, Editor(), team, None)
    return _submitted(request, by, editor.read(request.POST), team, None)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def policy_edit(request: HttpRequest, policy_id: int) -> HttpResponse:
    """Change the rules (as a new version); readable for everybody in the team, changed by those who may."""
    by = actor_of(request)
    policy = get_policy(by, policy_id)
    if request.method != "POST":
        form = editor.show(rules_of(policy.current), kind=policy.kind, pattern=policy.pattern, stage=policy.stage)
        return _page(request, form, policy.team, policy)
    require(by, Permission.POLICY_EDIT, policy)
    form = editor.read(request.POST)
    form.kind, form.pattern, form.stage = policy.kind, policy.pattern, policy.stage
    return _submitted(request, by, form, policy.team, policy)


def _submitted(request: HttpRequest, by: Actor, form: Editor, team: Team, policy: Policy | None) -> HttpResponse:
    """One of the form's buttons: change its lines, try it on history, ask for it, or save it."""
    do = request.POST.get("do", "save")
    if do in ("save", "ask") and request.headers.get("HX-Request"):
        do = "refresh"  # a part of the page never saves
    if do not in ("save", "dry-run", "ask", "refresh"):
        form.change(do)
        return _page(request, form, team, policy)
    try:
        if do == "save":
            return _saved(request, by, form, team, policy)
        if do == "ask":
            asked = actions.ask_for_policy(
                team=team,
                policy=policy,
                action="update" if policy else "create",
                reason=form.reason,
                by=by,
                **form.scope,
                **form.rules_json,
            )
            return _asked(request, asked)
        found = draft(team=team, **form.scope, **form.rules_json)
        if do == "dry-run":
            require(by, Permission.ASSET_VIEW, team)  # it names the requests
    except Problem as problem:
        if do == "refresh":
            return _page(request, form, team, policy)
        form.errors = dict(problem.errors) or {"": [problem.detail]}
        return _page(request, form, team, policy, status=422 if problem.status == 400 else problem.status)
    run = policies.dry_run(team=team, **form.scope, rules=found.rules) if do == "dry-run" else None
    return _page(request, form, team, policy, run=run)


def _saved(request: HttpRequest, by: Actor, form: Editor, team: Team, policy: Policy | None) -> HttpResponse:
    try:
        if policy is None:
            actions.create_policy(team=team, by=by, **form.scope, **form.rules_json)
            messages.success(request, "Policy saved. It holds from now on.")
        else:
            actions.update_policy(policy=policy, by=by, **form.rules_json)
            messages.success(request, "Policy saved as a new version. Approvals under the old one no longer count.")
    except ApprovalRequired:
        form.errors = {"": ["A policy guards this change: ask for it, and somebody else decides."]}
        return _page(request, form, team, policy, status=403)
    return redirect("policy-list")


def _asked(request: HttpRequest, asked: ApprovalRequest) -> HttpResponse:
    messages.success(request, "Request opened. The policy changes once it is approved.")
    return redirect(f"/requests/{asked.pk}")


@login_required
@require_POST
def policy_remove(request: HttpRequest, policy_id: int) -> HttpResponse:
    by = actor_of(request)
    policy = get_policy(by, policy_id)
    require(by, Permission.POLICY_EDIT, policy)
    if is_guarded(policy.team, policy.kind):
        reason = request.POST.get("reason", "")
        asked = actions.ask_for_policy(team=policy.team, policy=policy, action="remove", reason=reason, by=by)
        return _asked(request, asked)
    actions.remove_policy(policy=policy, by=by)
    messages.success(request, "Policy removed.")
    return redirect("policy-list")


def _sentences(team: Team, form: Editor) -> tuple[list[str], str]:
    """The whole policy as it stands in the form, in words; or what keeps it from being one."""
    try:
        return draft(team=team, **form.scope, **form.rules_json).rules.sentences, ""
    except Problem as problem:
        return [], problem.detail


def _page(
    request: HttpRequest,
    form: Editor,
    team: Team,
    policy: Policy | None,
    *,
    run: policies.DryRun | None = None,
    status: int = 200,
) -> HttpResponse:
    editable = can(actor_of(request), Permission.POLICY_EDIT, team)
    sentences, unfinished = _sentences(team, form)
    context: dict[str, Any] = {
        "form": form,
        "policy": policy,
        "editable": editable,
        "guarded": is_guarded(team, form.kind),
        "parties": editor.parties(team),
        "sentences": sentences,
        "unfinished": "" if form.errors else unfinished,
        "run": run,
        "outcomes": run.outcomes[:SHOWN_OUTCOMES] if run else [],
        **editor.choices(),
    }
    if policy is not None:
        context |= _history(request, policy)
    part = request.headers.get("HX-Request") and request.method == "POST"
    name = "governance/policy_rules.html" if part else "governance/policy_form.html"
    return render(request, name, context, status=200 if part else status)


def _history(request: HttpRequest, policy: Policy) -> dict[str, Any]:
    """The versions, and the difference of the two that the address names (`from`, `to`)."""
    versions = list(policy.versions.select_related("created_by")[:100])
    by_number = {str(version.number): version for version in versions}
    before, after = by_number.get(request.GET.get("from", "")), by_number.get(request.GET.get("to", ""))
    if before is None and after is None and len(versions) > 1:
        after, before = versions[0], versions[1]
    shown = (before, after) if before and after else None
    return {
        "versions": versions,
        "compared": shown,
        "before_text": "\n".join(rules_of(before).sentences) if shown else "",
        "after_text": "\n".join(rules_of(after).sentences) if shown else "",
    }
