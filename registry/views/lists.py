"""Pages: the models or datasets that somebody sees, searched and narrowed."""

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import can
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.roles import Permission
from governance.stages import Stage
from registry import reads, search
from registry.models import Asset
from registry.search import sizes

# In the order of the column beside the list.
_TITLES = {
    "stage": "In stage", "task": "Task", "size": "Size", "licence": "Licence", "language": "Language", "library": "Library",
    "tag": "Tag", "team": "Team",
}  # fmt: skip
_SORTS = {"best": "Best match", "updated": "Last changed", "created": "Newest", "name": "Name"}


@dataclass(frozen=True)
class Choice:
    """A value of a facet, and the address of the page with it chosen (or not, where it is)."""

    title: str
    address: str
    count: str = ""
    chosen: bool = False


@login_required
@require_safe
def asset_list(request: HttpRequest, kind: str) -> HttpResponse:
    """The current team's models or datasets, or those of all teams; while somebody types, the found part alone."""
    by, team = actor_of(request), current_team(request)
    given = request.GET.copy()
    given.pop("team", None)  # it switches the current team
    query = search.Query.read(given)
    everywhere = request.GET.get("in") == "all"
    rows = reads.visible_assets(by, kind)
    if team is not None and not everywhere:
        rows = rows.filter(team=team)
    found = search.find(rows, query, cursor=request.GET.get("cursor", ""))
    for asset in found.rows:
        asset.production = next((a for a in asset.aliases.all() if a.name == Stage.PRODUCTION), None)  # type: ignore[attr-defined]
        asset.others = [a for a in asset.aliases.all() if a.name != Stage.PRODUCTION]  # type: ignore[attr-defined]
    facets = search.count(rows, query) if found.rows else None
    context = {
        "kind": kind,
        "section": f"{kind}s",
        "assets": found.rows,
        "next": found.next,
        "corrected": list(found.corrected.items()),
        "query": query,
        "filtered": query.narrowed(),
        "everywhere": everywhere,
        "hidden": [
            (name, value)
            for name, values in given.lists()
            if name in (*search.FACETS, "in", "archived")
            for value in values
        ],
        "sorts": _sorts(query),
        "chips": _chips(given, query, everywhere=everywhere),
        "facets": _facets(given, facets, query, kind, everywhere=everywhere) if facets else [],
        "total": f"{facets.total:,}{'+' if facets.more else ''}" if facets else "",
        "team_now": team,
        "may_create": bool(team and can(by, Permission.ASSET_CREATE, team)),
    }
    part = request.headers.get("HX-Target", "").rpartition("#")[2] == "found"
    context["part"] = part
    response = render(request, "registry/list_found.html" if part else "registry/list.html", context)
    response["Vary"] = "HX-Target, Cookie"
    return response


def _sorts(query: search.Query) -> list[tuple[str, str, bool]]:
    """(value, title, chosen). The best match is offered where there is something to match, and is what goes without saying then."""
    usual = search.BEST if query.text else search.UPDATED
    chosen = usual if query.order == search.BEST else query.order
    offered = {slug: title for slug, title in _SORTS.items() if query.text or slug != search.BEST}
    return [("" if slug == usual else slug, title, slug == chosen) for slug, title in offered.items()]


def _with(given: QueryDict, name: str, value: str | None) -> str:
    """The page's address with one thing chosen, or (None) without it."""
    changed = given.copy()
    changed.pop("cursor", None)
    changed.pop(name, None)
    if value:
        changed[name] = value
    return f"?{changed.urlencode()}"


def _chips(given: QueryDict, query: search.Query, *, everywhere: bool) -> list[dict[str, str]]:
    """What is chosen, each with the address of the page without it."""
    chips = [{"label": "Search", "text": query.text, "address": _with(given, "q", None)}] if query.text else []
    for name, title in _TITLES.items():
        chips += (
            {"label": title, "text": sizes.TITLES.get(value, value), "address": _with(given, name, None)}
            for value in getattr(query, name)
        )
    if query.archived:
        chips.append({"label": "Archived", "text": "yes", "address": _with(given, "archived", None)})
    if everywhere:
        chips.append({"label": "Teams", "text": "all of mine", "address": _with(given, "in", None)})
    return chips


def _facets(
    given: QueryDict, counted: search.Facets, query: search.Query, kind: str, *, everywhere: bool
) -> list[tuple[str, list[Choice]]]:
    """What the list can be narrowed by, with how many of each there are among what is found now."""
    found = []
    for name, title in _TITLES.items():
        if name == "team" or (name == "task" and kind != Asset.Kind.MODEL):
            continue
        chosen = getattr(query, name)
        choices = [
            Choice(
                one.title,
                _with(given, name, None if one.value in chosen else one.value),
                f"{one.count:,}{'+' if counted.more else ''}",
                one.value in chosen,
            )
            for one in counted.values[name]
        ]
        if len(choices) > 1 or any(choice.chosen for choice in choices):
            found.append((title, choices))
    return [
        *found,
        ("Teams", [Choice("All of mine", _with(given, "in", None if everywhere else "all"), "", everywhere)]),
    ]
