"""Pages that answer 'who can do this here, and why' and 'what can this person or key do'."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts import who
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import Invalid
from accounts.roles import PERMISSION_DESCRIPTIONS, STAGED_PERMISSIONS, STAGES, Permission
from accounts.things import KINDS


@login_required
@require_safe
def who_page(request: HttpRequest) -> HttpResponse:
    """Everybody who has a permission on a team or asset at a stage, each with the grants that give it."""
    by = actor_of(request)
    team = current_team(request)
    asked = {name: request.GET.get(name, "").strip() for name in ("permission", "on", "kind", "stage")}
    asked["on"] = asked["on"] or (team.name if team else "")
    asked["permission"] = asked["permission"] or Permission.REQUEST_REVIEW.value
    context: dict[str, Any] = {
        "asked": asked,
        "permissions": PERMISSION_DESCRIPTIONS.items(),
        "stages": STAGES,
        "kinds": list(KINDS),
        "people": [],
        "problem": None,
    }
    if not asked["on"]:
        return render(request, "accounts/who.html", context)
    try:
        permission, stage = who.read_permission(asked["permission"]), who.read_stage(asked["stage"])
        where = who.place(by, asked["on"], asked["kind"])
    except Invalid as problem:
        return render(request, "accounts/who.html", context | {"problem": problem}, status=422)
    context |= {
        "where": where,
        "permission": permission,
        "description": PERMISSION_DESCRIPTIONS[permission],
        "staged": permission in STAGED_PERMISSIONS,
        "beside": who.needs_beside(permission, stage),
        "people": who.who_can(permission, where, stage),
    }
    return render(request, "accounts/who.html", context)


@login_required
@require_safe
def what_page(request: HttpRequest) -> HttpResponse:
    """What a person, or one of the keys that one owns or manages, can do."""
    by = actor_of(request)
    key = None
    if key_id := request.GET.get("key", ""):
        person, key = who.get_keys_owner(by, key_id)
    elif email := request.GET.get("person", "").strip():
        person = who.get_person(by, email)
    else:
        assert by.user is not None
        person = by.user
    context = {
        "person": person,
        "key": key,
        "key_state": key.state() if key else "",
        "abilities": who.what_can(by, person, key),
        "you": by.user,
    }
    return render(request, "accounts/what.html", context)
