"""Making repositories, and what may be done with them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from accounts.access import require
from accounts.authentication import actor_of
from accounts.errors import Conflict, Invalid
from accounts.roles import Permission
from doors.huggingface.door import answer, door, json_of, text_of
from doors.huggingface.repos import KINDS, address, base, prefix_of, repo_of, require_files, team_for
from registry import actions


def _kind(body: dict[str, Any]) -> str:
    kind = text_of(body, "type", default="model")
    if kind not in KINDS:
        raise Invalid("type", f"There are no repositories of the type '{kind}' here: use 'model' or 'dataset'.")
    return KINDS[kind]


@door("POST")
def create(request: HttpRequest) -> HttpResponse:
    """A repository for `name` in `organization`, a team. 409 with its address where it is there already."""
    body, by = json_of(request), actor_of(request)
    kind = _kind(body)
    name, organization = text_of(body, "name"), text_of(body, "organization", default="")
    if not organization and "/" in name:
        organization, _, name = name.partition("/")
    team = team_for(by, organization)
    try:
        asset = actions.create_asset(team=team, kind=kind, name=name, by=by)
    except Conflict as error:
        taken = f"{base(request)}/{prefix_of(kind)}{team.name}/{name}"
        return answer({"error": error.detail, "url": taken}, status=409)
    return answer({"url": address(request, asset), "name": str(asset), "id": f"{asset.pk:024x}"})


@door("GET")
def check(request: HttpRequest, kind: str, team: str, name: str, write: str = "") -> HttpResponse:
    """Whether the caller may read the files (or, at …/write, commit)."""
    asset, by = repo_of(request, kind, team, name), actor_of(request)
    if write:
        require(by, Permission.ASSET_EDIT, asset)
    elif asset.gated:
        require_files(by, asset)
    return answer({})


@door("PUT")
def settle(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    """`gated` turns our gate on or off. Visibility is the team's: nothing is public here."""
    asset, body = repo_of(request, kind, team, name), json_of(request)
    by = actor_of(request)
    visibility = text_of(body, "visibility", default="private" if body.get("private", True) else "public")
    if visibility != "private":
        raise Invalid("visibility", "Repositories are seen by the people of their team; nothing is public here.")
    gated = body.get("gated")
    if gated not in (None, "auto", "manual", False, True):
        raise Invalid("gated", "Use 'manual' or false.")
    if gated is not None:
        asset = actions.update_asset(asset=asset, gated=bool(gated), by=by)
    return answer({"private": True, "visibility": "private", "gated": "manual" if asset.gated else False})


@door("DELETE")
def delete(request: HttpRequest) -> HttpResponse:
    """Into the bin, from which it can be restored for a while. What is in use is refused, with what uses it."""
    body, by = json_of(request), actor_of(request)
    kind, name = _kind(body), text_of(body, "name")
    organization = text_of(body, "organization", default="")
    if not organization and "/" in name:
        organization, _, name = name.partition("/")
    asset = repo_of(request, kind, organization or team_for(by, "").name, name)
    actions.delete_asset(asset=asset, reason="Deleted by a Hub client.", by=by)
    return answer({})


@door("POST")
def move(request: HttpRequest) -> HttpResponse:
    """Another name in the same team. The old one leads nowhere afterwards."""
    body, by = json_of(request), actor_of(request)
    kind = _kind(body)
    (team, _, name), (to_team, _, to_name) = (text_of(body, field).partition("/") for field in ("fromRepo", "toRepo"))
    asset = repo_of(request, kind, team, name)
    if to_team.lower() != asset.team.name:
        raise Invalid("toRepo", "A repository stays in its team: push its files to one of the other team.")
    asset = actions.rename_asset(asset=asset, name=to_name, by=by)
    return answer({"url": address(request, asset)})
