"""Pages of one's own account: profile and API keys."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts import actions, members
from accounts.access import ANY_STAGE, get_team, roles_on
from accounts.authentication import actor_of
from accounts.current import current_team, teams_of
from accounts.errors import Problem
from accounts.forms import KeyForm, ProfileForm
from accounts.pages import add_problem
from accounts.rest import keyset_page


@login_required
def profile(request: HttpRequest) -> HttpResponse:
    by = actor_of(request)
    form = ProfileForm(request.POST or None, initial={"name": str(by.user)})
    if request.method == "POST" and form.is_valid():
        try:
            actions.rename_user(name=form.cleaned_data["name"], by=by)
        except Problem as problem:
            add_problem(form, problem)
        else:
            messages.success(request, "Your name is saved.")
            return redirect("settings-profile")
    teams = [(team, sorted(roles_on(by, team, stage=ANY_STAGE))) for team in teams_of(request)[0]]
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "accounts/profile.html", {"form": form, "teams": teams}, status=status)


@login_required
@never_cache
def keys(request: HttpRequest) -> HttpResponse:
    """One's keys, and a form for another; the answer to that form is the only page that shows the whole key."""
    by = actor_of(request)
    team = current_team(request)
    form = KeyForm(request.POST or None, teams=teams_of(request)[0], initial={"team": team.name if team else ""})
    made = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            row, whole = actions.create_key(
                name=data["name"],
                team=get_team(by, data["team"]) if data["team"] else None,
                scopes=data["scopes"],
                expires_at=form.expires_at(),
                by=by,
            )
            made = {"row": row, "whole": whole}
        except Problem as problem:
            add_problem(form, problem)
    rows, following = keyset_page(members.keys_of(by), order=["-id"], cursor=request.GET.get("cursor", ""))
    context = {
        "form": form,
        "made": made,
        "keys": [(row, row.state()) for row in rows],
        "next": following,
        "open_form": bool(form.errors) or "new" in request.GET or not rows,
    }
    return render(request, "accounts/keys.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def key_revoke(request: HttpRequest, key_id: str) -> HttpResponse:
    by = actor_of(request)
    key = members.get_key(by, key_id)
    actions.revoke_key(key=key, by=by)
    messages.success(request, f"The key '{key.name}' is revoked.")
    return redirect("settings-keys" if key.user_id == by.id else "settings-team")
