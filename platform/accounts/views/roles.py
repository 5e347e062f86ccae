"""Pages of a team's own roles and named groups."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts import actions
from accounts.access import Actor, can, get_team, require
from accounts.authentication import actor_of
from accounts.errors import Invalid, NotFound, Problem
from accounts.forms import GroupForm, GroupMemberForm, RoleForm
from accounts.models import CustomRole, Grant, Group, Team, User
from accounts.pages import add_problem
from accounts.roles import (
    PERMISSION_DESCRIPTIONS,
    ROLE_DESCRIPTIONS,
    ROLE_PERMISSIONS,
    SITE_PERMISSIONS,
    Permission,
    Role,
)


def _offered(by: Actor, team: Team, beside: CustomRole | None = None) -> list[Permission]:
    """What this person may put into a role: what they have, and what is in it already."""
    inside = beside.allowed if beside else frozenset()
    return [one for one in Permission if one not in SITE_PERMISSIONS and (one in inside or can(by, one, team))]


def _described(permissions: frozenset[Permission]) -> list[tuple[Permission, str]]:
    return [(one, PERMISSION_DESCRIPTIONS[one]) for one in Permission if one in permissions]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def role_list(request: HttpRequest, team: str) -> HttpResponse:
    """The team's own roles beside the built-in ones, and a form for another."""
    by = actor_of(request)
    found = get_team(by, team)
    may_manage = can(by, Permission.TEAM_MANAGE, found)
    form = None
    if request.method == "POST":
        require(by, Permission.TEAM_MANAGE, found)
    if may_manage:
        form = RoleForm(request.POST or None, offered=_offered(by, found))
        if request.method == "POST" and form.is_valid():
            try:
                role = actions.create_role(team=found, by=by, **form.cleaned_data)
            except Problem as problem:
                add_problem(form, problem)
            else:
                messages.success(request, f"The role '{role.slug}' is there. Give it to somebody.")
                return redirect("role-list", found.name)
    holders: dict[int, list[Grant]] = {}
    for grant in Grant.objects.filter(team=found, custom_role__isnull=False).live().select_related("user"):
        holders.setdefault(grant.custom_role_id, []).append(grant)
    context = {
        "team": found,
        "own": [(role, _described(role.allowed), holders.get(role.pk, [])) for role in found.custom_roles.all()],
        "built_in": [(role, ROLE_DESCRIPTIONS[role], _described(ROLE_PERMISSIONS[role])) for role in Role],
        "may_manage": may_manage,
        "form": form,
        "open_form": bool(form and (form.errors or "new" in request.GET)),
    }
    return render(request, "accounts/roles.html", context, status=422 if form and form.errors else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def role_edit(request: HttpRequest, team: str, slug: str) -> HttpResponse:
    by = actor_of(request)
    found = get_team(by, team)
    require(by, Permission.TEAM_MANAGE, found)
    role = _role(found, slug)
    given = {"title": role.title, "description": role.description, "permissions": role.permissions}
    form = RoleForm(request.POST or None, initial=given, offered=_offered(by, found, role), edit=True)
    if request.method == "POST" and form.is_valid():
        try:
            actions.change_role(role=role, by=by, **form.cleaned_data)
        except Problem as problem:
            add_problem(form, problem)
        else:
            messages.success(request, f"The role '{role.slug}' is saved. It holds at once for whoever has it.")
            return redirect("role-list", found.name)
    context = {"team": found, "role": role, "form": form}
    return render(request, "accounts/role_edit.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def role_archive(request: HttpRequest, team: str, slug: str) -> HttpResponse:
    by = actor_of(request)
    found = get_team(by, team)
    require(by, Permission.TEAM_MANAGE, found)
    role = _role(found, slug)
    actions.archive_role(role=role, by=by)
    messages.success(request, f"The role '{role.slug}' is archived.")
    return redirect("role-list", found.name)


def _role(team: Team, slug: str) -> CustomRole:
    role = CustomRole.objects.filter(team=team, slug=slug).select_related("team").first()
    if role is None:
        raise NotFound(f"The team '{team}' has no role '{slug}' of its own.")
    return role


def show_groups(
    request: HttpRequest, team: Team, *, form: Form | None = None, adding: tuple[str, Form] | None = None
) -> HttpResponse:
    by = actor_of(request)
    rows = Group.objects.filter(team=team).prefetch_related("memberships__user")
    wrong = bool((form and form.errors) or (adding and adding[1].errors))
    context = {
        "team": team,
        "groups": [
            (group, adding[1] if adding and adding[0] == group.slug else GroupMemberForm(auto_id=f"{group.slug}_%s"))
            for group in rows
        ],
        "may_manage": can(by, Permission.TEAM_MANAGE, team),
        "form": form or GroupForm(),
        "open_form": bool((form and form.errors) or "new" in request.GET),
    }
    return render(request, "accounts/groups.html", context, status=422 if wrong else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def group_list(request: HttpRequest, team: str) -> HttpResponse:
    """The team's named groups and who is in them."""
    by = actor_of(request)
    found = get_team(by, team)
    if request.method != "POST":
        return show_groups(request, found)
    require(by, Permission.TEAM_MANAGE, found)
    form = GroupForm(request.POST)
    if form.is_valid():
        try:
            group = actions.create_group(team=found, by=by, **form.cleaned_data)
        except Problem as problem:
            add_problem(form, problem)
        else:
            messages.success(request, f"The group '{group.slug}' is there. Put its people in.")
            return redirect("group-list", found.name)
    return show_groups(request, found, form=form)


@login_required
@require_POST
def group_delete(request: HttpRequest, team: str, slug: str) -> HttpResponse:
    by = actor_of(request)
    found = get_team(by, team)
    require(by, Permission.TEAM_MANAGE, found)
    group = _group(found, slug)
    actions.delete_group(group=group, by=by)
    messages.success(request, f"The group '{group.slug}' is gone.")
    return redirect("group-list", found.name)


@login_required
@require_POST
def group_member_add(request: HttpRequest, team: str, slug: str) -> HttpResponse:
    by = actor_of(request)
    found = get_team(by, team)
    require(by, Permission.TEAM_MANAGE, found)
    group = _group(found, slug)
    form = GroupMemberForm(request.POST, auto_id=f"{group.slug}_%s")
    if form.is_valid():
        user = User.objects.filter(email__iexact=form.cleaned_data["person"].strip()).first()
        try:
            if user is None:
                raise Invalid("person", "There is no account for this address.")
            actions.add_member(group=group, user=user, by=by)
        except Problem as problem:
            add_problem(form, problem)
        else:
            messages.success(request, f"{user} is in '{group.slug}'.")
            return redirect("group-list", found.name)
    return show_groups(request, found, adding=(slug, form))


@login_required
@require_POST
def group_member_remove(request: HttpRequest, team: str, slug: str, email: str) -> HttpResponse:
    by = actor_of(request)
    found = get_team(by, team)
    require(by, Permission.TEAM_MANAGE, found)
    group = _group(found, slug)
    user = group.members.filter(email__iexact=email).first()
    if user is None:
        raise NotFound(f"{email} is not in the group '{slug}'.")
    actions.remove_member(group=group, user=user, by=by)
    messages.success(request, f"{user} is no longer in '{group.slug}'.")
    return redirect("group-list", found.name)


def _group(team: Team, slug: str) -> Group:
    group = Group.objects.filter(team=team, slug=slug).select_related("team").first()
    if group is None:
        raise NotFound(f"The team '{team}' has no group '{slug}'.")
    return group
