"""Pages: the list of prompts, by folder, by words and by what is chosen besides."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import Actor, can
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import Invalid
from accounts.models import Team
from accounts.rest import keyset_page
from accounts.roles import Permission
from governance.stages import Stage
from prompts import search
from prompts.folders import folders_in
from prompts.reads import deleted_prompts, list_prompts
from prompts.views.frame import folder_crumbs

STATES = {"archived": "Archived", "deleted": "Deleted"}
SORTS = {"updated": "Last changed", "created": "Newest", "name": "Name"}


@login_required
@require_safe
def prompt_list(request: HttpRequest) -> HttpResponse:
    """The current team's prompts: a folder's, with the folders in it; with words or a filter all of them that are below."""
    by, team = actor_of(request), current_team(request)
    given = {name: request.GET.get(name, "").strip() for name in ("q", "label", "tag", "sort", "state")}
    folder = request.GET.get("folder", "").strip("/")
    if "\0" in "".join((*given.values(), folder)):
        raise Invalid("q", "A filter has a NUL character in it.")
    found = _found(request, by, team, given, folder)
    looking = any(given[name] for name in ("q", "label", "tag", "state"))
    rows = list_prompts(by).filter(team=team)
    context = {
        "prompts": found.rows,
        "next": found.next,
        "corrected": found.corrected,
        "folder": folder,
        "folder_name": folder.rpartition("/")[2],
        "crumbs": folder_crumbs(team.name if team else "", folder),
        "folders": folders_in(by, team, rows, folder) if team and not looking and not request.GET.get("cursor") else [],
        "looking": looking,
        "deleted": given["state"] == "deleted",
        "filters": _filters(given),
        "hidden": {"folder": folder} if folder else {},
        "team_now": team,
        "may_create": bool(team and can(by, Permission.ASSET_CREATE, team)),
        "new_address": "/prompts/new" + (f"?{urlencode({'folder': folder})}" if folder else ""),
    }
    return render(request, "prompts/list.html", context)


def _found(request: HttpRequest, by: Actor, team: Team | None, given: dict[str, str], folder: str) -> search.Found:
    cursor = request.GET.get("cursor", "")
    if given["state"] == "deleted":
        rows = deleted_prompts(by).filter(team=team)
        return search.Found(*keyset_page(rows, order=["-deleted_at", "-id"], cursor=cursor))
    looking = any(given[name] for name in ("q", "label", "tag", "state"))
    rows = search.narrow(
        list_prompts(by).filter(team=team),
        folder=folder if folder or not looking else None,
        below=looking,
        label=given["label"],
        tags=[given["tag"]] if given["tag"] else [],
        archived=given["state"] == "archived",
    )
    return search.find(rows, given["q"], sort=given["sort"], cursor=cursor)


def _filters(given: dict[str, str]) -> list[dict[str, Any]]:
    def choice(name: str, label: str, choices: list[tuple[str, str]]) -> dict[str, Any]:
        return {"name": name, "kind": "choice", "label": label, "value": given[name], "choices": choices}

    found = [
        {"name": "q", "kind": "search", "label": "Search prompts", "value": given["q"]},
        choice("label", "Label", [(stage.value, stage.value) for stage in Stage]),
        choice("sort", "Order", list(SORTS.items())),
        choice("state", "In use", list(STATES.items())),
    ]
    # A tag is chosen by clicking on one; there may be thousands.
    return [*found, choice("tag", "Tag", [(given["tag"], given["tag"])])] if given["tag"] else found
