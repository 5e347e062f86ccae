"""Pages of a team's members, roles and service accounts."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts import actions, members
from accounts.access import Actor, can, get_team, require
from accounts.actions.grants import find_grant
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import ApprovalRequired, NotFound, Problem
from accounts.forms import OVERLAPS, GrantForm, ServiceAccountForm
from accounts.models import ApiKey, Grant, Team, User
from accounts.pages import add_problem
from accounts.rest import keyset_page
from accounts.roles import PERMISSION_DESCRIPTIONS, ROLE_DESCRIPTIONS, ROLE_PERMISSIONS, Permission, Role
from accounts.things import find


def role_table() -> dict[str, Any]:
    """The table of roles and permissions, as it stands in code."""
    return {
        "roles": [(role, ROLE_DESCRIPTIONS[role]) for role in Role],
        "permissions": [
            (permission, PERMISSION_DESCRIPTIONS[permission], [permission in ROLE_PERMISSIONS[role] for role in Role])
            for permission in Permission
        ],
    }


def show(
    request: HttpRequest, team: Team, *, grant: Form | None = None, service: Form | None = None, made: Any = None
) -> HttpResponse:
    by = actor_of(request)
    rows, following = keyset_page(members.members(team), order=["id"], cursor=request.GET.get("cursor", ""))
    wrong = bool((grant and grant.errors) or (service and service.errors))
    held: dict[int, list[Grant]] = {}
    for one in members.grants_in(team).filter(user__in=[row.pk for row in rows]):
        held.setdefault(one.user_id, []).append(one)
    context = {
        "team": team,
        "members": [(member, held.get(member.pk, [])) for member in rows],
        "service_keys": _service_keys(team, rows) if can(by, Permission.TEAM_MANAGE, team) else [],
        "overlaps": OVERLAPS,
        "own_roles": list(team.custom_roles.filter(archived_at=None)),
        "next": following,
        "may_manage": can(by, Permission.TEAM_MANAGE, team),
        "grant": grant or GrantForm(team=team),
        "service": service or ServiceAccountForm(prefix="service", team=team),
        "made": made,
        "you": by.user,
        **role_table(),
    }
    return render(request, "accounts/team.html", context, status=422 if wrong else 200)


def _service_keys(team: Team, rows: list[User]) -> list[ApiKey]:
    """The keys that work, of the service accounts among these."""
    robots = [row.pk for row in rows if row.kind == User.Kind.SERVICE]
    if not robots:
        return []
    keys = ApiKey.objects.filter(team=team, user__in=robots, revoked_at=None).select_related("user", "team")
    return [key for key in keys if key.state() == "active"]


def _give(team: Team, user: User, form: GrantForm, by: Actor) -> tuple[bool, str]:
    """What the form says about a grant, done: whether it changed anything, and what it is on."""
    data = form.cleaned_data
    named, kind = data["on"].strip().removeprefix(f"{team.name}/"), data["kind"]
    prefix, on = "", team
    if named.endswith("*"):
        prefix = named
    elif named:
        on, kind = find(by, team, named, kind)[1], ""  # type: ignore[assignment]  # an asset
    row, new = actions.grant(
        user=user,
        role=data["role"],
        on=on,
        prefix=prefix,
        kind=kind,
        stage=data["stage"],
        expires_at=form.expires_at(),
        reason=data["reason"],
        by=by,
    )
    return new, row.where


@login_required
@require_POST
def grant_revoke(request: HttpRequest, team: str, grant_id: int) -> HttpResponse:
    """Take one grant away."""
    by = actor_of(request)
    found = get_team(by, team)
    require(by, Permission.TEAM_MANAGE, found)
    row = find_grant(found, grant_id)
    actions.revoke_grant(grant=row, by=by)
    messages.success(request, f"{row.user} is no longer {row.role} on {row.where}.")
    return redirect(f"/settings/team/?team={found.name}")


@login_required
@require_safe
def team_detail(request: HttpRequest) -> HttpResponse:
    team = current_team(request)
    if team is None:
        return redirect("home")
    return show(request, team)


def asked_again(request: HttpRequest) -> dict[str, str]:
    """What was filled in, for the form that asks for the same."""
    return {name: str(request.POST[name]) for name in GrantForm.base_fields if request.POST.get(name)}


@login_required
@require_POST
def role_grant(request: HttpRequest, team: str) -> HttpResponse:
    by = actor_of(request)
    found = get_team(by, team)
    require(by, Permission.TEAM_MANAGE, found)
    form = GrantForm(request.POST, team=found)
    if form.is_valid():
        user = User.objects.filter(email__iexact=form.cleaned_data["person"].strip()).first()
        if user is None:
            form.add_error("person", "There is no account for this address. A site administrator can make one.")
        else:
            try:
                new, where = _give(found, user, form, by)
            except ApprovalRequired as guarded:
                messages.info(request, guarded.detail)
                return redirect(f"{guarded.link.partition('?')[0]}?{urlencode(asked_again(request))}")
            except Problem as problem:
                add_problem(form, problem)
            else:
                role = form.cleaned_data["role"]
                messages.success(
                    request, f"{user} is {role} on {where}." if new else f"{user} was {role} there already."
                )
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
    form = ServiceAccountForm(request.POST, prefix="service", team=found)
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
