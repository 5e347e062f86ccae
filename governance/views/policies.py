"""Pages: policies as readable rules."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.access import can, require
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import NotFound, Problem
from accounts.pages import add_problem
from accounts.roles import Permission
from governance import actions
from governance.access import get_policy, visible_policies
from governance.forms import MetricFormSet, PolicyForm, RulesForm, rules_data, rules_initial
from governance.models import Policy
from governance.rules import DEFAULT_RULES, parse


def _rules(policy: Policy) -> Any:
    assert policy.current is not None
    return parse(policy.current.checks, policy.current.reviews, policy.current.terms)


@login_required
@require_safe
def policy_list(request: HttpRequest) -> HttpResponse:
    """The team's policies, each as sentences."""
    team = current_team(request)
    rows = (
        list(visible_policies(actor_of(request)).filter(team=team).order_by("stage", "kind", "pattern")) if team else []
    )
    context = {
        "policies": [(policy, _rules(policy)) for policy in rows],
        "team_now": team,
        "editable": bool(team and can(actor_of(request), Permission.POLICY_EDIT, team)),
        "default": DEFAULT_RULES,
    }
    return render(request, "governance/policy_list.html", context)


@login_required
def policy_create(request: HttpRequest) -> HttpResponse:
    by, team = actor_of(request), current_team(request)
    if team is None:
        raise NotFound("You are in no team yet.")
    require(by, Permission.POLICY_EDIT, team)
    data = request.POST if request.method == "POST" else None
    form, rules, metrics = PolicyForm(data), RulesForm(data), MetricFormSet(data)
    if data is not None and form.is_valid() and rules.is_valid() and metrics.is_valid():
        try:
            actions.create_policy(team=team, by=by, **form.cleaned_data, **rules_data(rules, metrics))
        except Problem as problem:
            add_problem(form, problem)
        else:
            messages.success(request, "Policy saved. It holds from now on.")
            return redirect("policy-list")
    context = {"form": form, "rules": rules, "metrics": metrics, "policy": None}
    return render(request, "governance/policy_form.html", context, status=422 if data is not None else 200)


@login_required
def policy_edit(request: HttpRequest, policy_id: int) -> HttpResponse:
    """Change the rules (as a new version); readable for everybody in the team, changed by those who may."""
    by = actor_of(request)
    policy = get_policy(by, policy_id)
    initial, rows = rules_initial(_rules(policy))
    data = request.POST if request.method == "POST" else None
    if data is not None:
        require(by, Permission.POLICY_EDIT, policy)
    rules, metrics = RulesForm(data, initial=initial), MetricFormSet(data, initial=rows)
    if data is not None and rules.is_valid() and metrics.is_valid():
        try:
            actions.update_policy(policy=policy, by=by, **rules_data(rules, metrics))
        except Problem as problem:
            add_problem(rules, problem)
        else:
            messages.success(request, "Policy saved as a new version. Approvals under the old one no longer count.")
            return redirect("policy-list")
    context = {
        "rules": rules,
        "metrics": metrics,
        "policy": policy,
        "versions": list(policy.versions.select_related("created_by")[:50]),
        "editable": can(by, Permission.POLICY_EDIT, policy),
    }
    return render(request, "governance/policy_form.html", context, status=422 if data is not None else 200)


@login_required
@require_POST
def policy_remove(request: HttpRequest, policy_id: int) -> HttpResponse:
    by = actor_of(request)
    actions.remove_policy(policy=get_policy(by, policy_id), by=by)
    messages.success(request, "Policy removed.")
    return redirect("policy-list")
