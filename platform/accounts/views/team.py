"""Pages of a team's members, roles and service accounts."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts import actions, members
from accounts.access import can, get_team, require
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import NotFound, Problem
from accounts.forms import GrantForm, ServiceAccountForm
from accounts.models import Team, User
from accounts.pages import add_problem
from accounts.rest import keyset_page
from accounts.roles import ROLE_DESCRIPTIONS, ROLE_PERMISSIONS, Permission, Role


def role_table() -> dict[str, Any]:
    """The table of roles and permissions, as it stands in code."""
    return {
        "roles": [(role, ROLE_DESCRIPTIONS[role]) for role in Role],
        "permissions": [
            (permission, [permission in ROLE_PERMISSIONS[role] for role in Role]) for permission in Permission
        ],
    }


def show(
    request: HttpRequest, team: Team, *, grant: Form | None = None, service: Form | None = None, made: Any = None
) -> HttpResponse:
    by = actor_of(request)
    rows, following = keyset_page(members.members(team), order=["id"], cursor=request.GET.get("cursor", ""))
    wrong = bool((grant and grant.errors) or (service and service.errors))
    context = {
        "team": team,
        "members": [(member, members.roles_of(member)) for member in rows],
        "next": following,
        "may_manage": can(by, Permission.TEAM_MANAGE, team),
        "grant": grant or GrantForm(),
        "service": service or ServiceAccountForm(prefix="service"),
        "made": made,
        "you": by.user,
        **role_table(),
    }
    return render(request, "accounts/team.html", context, status=422 if wrong else 200)


@login_required
@require_safe
def team_detail(request: HttpRequest) -> HttpResponse:
    team = current_team(request)
    if team is None:
        return redirect("home")
    return show(request, team)


@login_required
@require_POST
def role_grant(request: HttpRequest, team: str) -> HttpResponse:
    by = actor_of(request)
    found = get_team(by, team)
    require(by, Permission.TEAM_MANAGE, found)
    form = GrantForm(request.POST)
    if form.is_valid():
        user = User.objects.filter(email__iexact=form.cleaned_data["person"].strip()).first()
        if user is None:
            form.add_error("person", "There is no account for this address. A site administrator can make one.")
        else:
            role = form.cleaned_data["role"]
            new = actions.grant_role(user=user, role=role, on=found, by=by)
            messages.success(request, f"{user} is {role}." if new else f"{user} was {role} already.")
            return redirect(f"/settings/team/?team={found.name}")
    return show(request, found, grant=form)


@login_required
@require_POST
def role_revoke(request: HttpRequest, team: str, email: str, role: str) -> HttpResponse:
    by = actor_of(request)
    found = get_team(by, team)
    require(by, Permission.TEAM_MANAGE, found)
    if role not in set(Role) and not found.custom_roles.filter(slug=role).exists():
        raise NotFound(f"There is no role '{role}'.")
    user = members.get_member(found, email)
    actions.revoke_role(user=user, role=role, on=found, by=by)
    messages.success(request, f"{user} is no longer {role}.")
    return redirect(f"/settings/team/?team={found.name}")


@login_required
@require_POST
def service_account_create(request: HttpRequest, team: str) -> HttpResponse:
    by = actor_of(request)
    found = get_team(by, team)
    require(by, Permission.TEAM_MANAGE, found)
    form = ServiceAccountForm(request.POST, prefix="service")
    if form.is_valid():
        data = form.cleaned_data
        try:
            actions.create_service_account(name=data["name"], team=found, role=data["role"], by=by)
        except Problem as problem:
            add_problem(form, problem)
        else:
            messages.success(request, f"The service account '{data['name']}' is there. Make a key for it.")
            return redirect(f"/settings/team/?team={found.name}")
    return show(request, found, service=form)


@login_required
@require_POST
@never_cache
def service_key_create(request: HttpRequest, team: str, email: str) -> HttpResponse:
    """A key of a service account: this answer alone shows it."""
    by = actor_of(request)
    found = get_team(by, team)
    owner = members.get_member(found, email)
    row, whole = actions.create_key(name=request.POST.get("name", "") or f"{owner} key", team=found, user=owner, by=by)
    return show(request, found, made={"row": row, "whole": whole})
