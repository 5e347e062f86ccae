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
