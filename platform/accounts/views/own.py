"""Pages of one's own account: profile, API keys and sessions."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts import actions, members, sessions
from accounts.access import ANY_STAGE, get_team, roles_on
from accounts.authentication import actor_of
from accounts.current import current_team, teams_of
from accounts.errors import Invalid, Problem
from accounts.forms import OVERLAPS, KeyForm, ProfileForm
from accounts.pages import add_problem
from accounts.rest import keyset_page
from accounts.views.team import show as show_team


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
    return show_keys(request)


def show_keys(request: HttpRequest, made: dict[str, Any] | None = None) -> HttpResponse:
    """`made`: a key that was just made by rotating another."""
    by = actor_of(request)
    team = current_team(request)
    form = KeyForm(
        None if made else request.POST or None, teams=teams_of(request)[0], initial={"team": team.name if team else ""}
    )
    if made is None and request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            row, whole = actions.create_key(
                name=data["name"],
                team=get_team(by, data["team"]) if data["team"] else None,
                scopes=data["scopes"],
                networks=data["networks"],
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
        "overlaps": OVERLAPS,
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


@login_required
@require_POST
@never_cache
def key_rotate(request: HttpRequest, key_id: str) -> HttpResponse:
    """A new key in the place of this one: this answer alone shows it."""
    by = actor_of(request)
    key = members.get_key(by, key_id)
    overlap = request.POST.get("overlap_s", "")
    if overlap not in dict(OVERLAPS):
        raise Invalid("overlap_s", "Choose when the old key ends.")
    row, whole = actions.rotate_key(key=key, overlap_s=int(overlap), by=by)
    made = {"row": row, "whole": whole, "until": row.replaced.get().expires_at}
    if row.user_id != by.id and row.team is not None:
        return show_team(request, row.team, made=made)
    return show_keys(request, made)


@login_required
@require_safe
@never_cache
def session_list(request: HttpRequest) -> HttpResponse:
    """Where one is signed in."""
    by = actor_of(request)
    assert by.user is not None
    return render(
        request, "accounts/sessions.html", {"rows": sessions.shown(by.user, request.session.session_key or "")}
    )


@login_required
@require_POST
def session_revoke(request: HttpRequest, session_id: int) -> HttpResponse:
    """End one session: one's own, or as a site administrator somebody's."""
    by = actor_of(request)
    session = sessions.find(by, session_id)
    actions.revoke_session(session=session, by=by)
    messages.success(request, f"The session of {sessions.device(session.user_agent)} has ended.")
    return redirect("settings-sessions") if session.user_id == by.id else redirect("person-detail", session.user_id)


@login_required
@require_POST
def session_revoke_others(request: HttpRequest) -> HttpResponse:
    by = actor_of(request)
    assert by.user is not None
    ended = actions.revoke_sessions(user=by.user, keep=request.session.session_key or "", by=by)
    messages.success(request, f"Signed out everywhere else: {ended} session{'' if ended == 1 else 's'} ended.")
    return redirect("settings-sessions")
