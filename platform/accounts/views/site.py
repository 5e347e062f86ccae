"""Pages of site administrators: people and teams."""

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts import actions, sessions, who
from accounts.access import require_site_admin
from accounts.authentication import actor_of
from accounts.errors import NotFound, Problem
from accounts.forms import PersonForm, TeamForm
from accounts.models import ApiKey, Team, User
from accounts.pages import add_problem
from accounts.rest import keyset_page


@login_required
@require_safe
def people(request: HttpRequest) -> HttpResponse:
    by = actor_of(request)
    require_site_admin(by)
    rows = User.objects.all()
    search = request.GET.get("q", "").strip()
    if search:
        rows = rows.filter(Q(email__icontains=search) | Q(name__icontains=search))
    kind = request.GET.get("kind", "")
    if kind in User.Kind.values:
        rows = rows.filter(kind=kind)
    found, following = keyset_page(rows, order=["-id"], cursor=request.GET.get("cursor", ""))
    teams, more_teams = keyset_page(Team.objects.all(), order=["name"], limit=100)
    context = {
        "people": found,
        "next": following,
        "teams": teams,
        "more_teams": more_teams,
        "you": by.user,
        "filters": [
            {"name": "q", "kind": "search", "label": "Search name or e-mail", "value": search},
            {
                "name": "kind",
                "kind": "choice",
                "label": "Kind",
                "value": kind,
                "choices": [("person", "People"), ("service", "Service accounts")],
            },
        ],
    }
    return render(request, "accounts/people.html", context)


@login_required
@require_safe
def person_detail(request: HttpRequest, person_id: int) -> HttpResponse:
    """One account: where it is signed in, its keys and second factors, and what it holds."""
    by = actor_of(request)
    require_site_admin(by)
    user = _person(person_id)
    context = {
        "person": user,
        "you": by.user,
        "rows": sessions.shown(user, request.session.session_key or ""),
        "abilities": who.what_can(by, user),
        "keys": [(key, key.state()) for key in ApiKey.objects.filter(user=user).select_related("team")[:50]],
        "factors": list(Authenticator.objects.filter(user=user).order_by("created_at")),
    }
    return render(request, "accounts/person.html", context)


@login_required
@require_POST
def person_sign_out(request: HttpRequest, person_id: int) -> HttpResponse:
    """End all sessions of somebody."""
    by = actor_of(request)
    require_site_admin(by)
    user = _person(person_id)
    keep = request.session.session_key or "" if user == by.user else ""
    ended = actions.revoke_sessions(user=user, keep=keep, by=by)
    messages.success(request, f"{user} is signed out: {ended} session{'' if ended == 1 else 's'} ended.")
    return redirect("person-detail", user.pk)


def _person(person_id: int) -> User:
    user = User.objects.filter(pk=person_id).first()
    if user is None:
        raise NotFound("There is no such person.")
    return user


@login_required
def person_create(request: HttpRequest) -> HttpResponse:
    by = actor_of(request)
    require_site_admin(by)
    form = PersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            user = actions.create_user(
                email=data["email"],
                name=data["name"],
                password=data["password"],
                is_superuser=data["site_admin"],
                by=by,
            )
        except Problem as problem:
            add_problem(form, problem)
        else:
            messages.success(request, f"{user} can sign in now. Give them a role in a team.")
            return redirect("settings-people")
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "accounts/person_new.html", {"form": form}, status=status)


@login_required
def team_create(request: HttpRequest) -> HttpResponse:
    by = actor_of(request)
    require_site_admin(by)
    form = TeamForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            team = actions.create_team(name=form.cleaned_data["name"], title=form.cleaned_data["title"], by=by)
        except Problem as problem:
            add_problem(form, problem)
        else:
            messages.success(request, f"The team '{team}' is there. Add its people.")
            return redirect(f"/settings/team/?team={team.name}")
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "accounts/team_new.html", {"form": form}, status=status)


@login_required
@require_POST
def person_activate(request: HttpRequest, person_id: int) -> HttpResponse:
    """Let somebody in again, or (active=0) keep them out."""
    by = actor_of(request)
    require_site_admin(by)
    user = _person(person_id)
    active = request.POST.get("active") == "1"
    actions.set_active(user=user, active=active, by=by)
    messages.success(request, f"{user} can sign in again." if active else f"{user} is deactivated.")
    return redirect("settings-people")
