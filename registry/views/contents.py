"""Pages: what is in a version. Its folders and texts, and its tensors."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import Actor
from accounts.authentication import actor_of
from accounts.errors import Forbidden, Invalid, NotFound
from accounts.rest import Cursor
from registry import actions, browser, tensors
from registry.models import File, Version
from registry.pages import asset_page
from registry.views.versions import find

PAGE_TENSORS = 100
MOST_GROUPS = 2_000


def start_of(cursor: str) -> int:
    """The place that a cursor of a numbered list names."""
    start = Cursor.read(cursor, 1)[0] if cursor else 0
    if not isinstance(start, int) or isinstance(start, bool) or start < 0:
        raise Invalid("cursor", "This is not a place in this list. Leave it out to begin at the first page.")
    return start


@login_required
@require_safe
def file_browse(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    """A folder's entries, or a file with its text: ?path=."""
    by, version = actor_of(request), find(request, kind, team, name, number)
    path = request.GET.get("path", "").strip("/")
    page = asset_page(version.asset, "versions", by) | {
        "version": version,
        "version_title": f"Version {version.number}",
        "path": path,
        "crumbs": browser.crumbs(path),
        "last": path.rpartition("/")[2],
    }
    file = version.files.select_related("blob").filter(path=path).first() if path else None
    if file is not None:
        return render(request, "registry/file.html", page | {"file": file, **_text(version, file, by)})
    entries = browser.listing(version, path)
    if not entries and path:
        raise NotFound(f"There is no file or folder '{path}' in {version}.")
    return render(request, "registry/browse.html", page | {"entries": entries})


def _text(version: Version, file: File, by: Actor) -> dict[str, object]:
    """What is shown of a file. Showing a text is a download: gated ones are not, of restricted ones it is an event."""
    if why_not := browser.not_shown(file):
        return {"preview": browser.Preview([], why_not=why_not)}
    try:
        actions.record_download(version=version, what={"path": file.path}, by=by)
    except Forbidden as refused:
        if refused.code != "gated":
            raise
        return {"preview": browser.Preview([], why_not=refused.detail), "gated": True}
    return {"preview": browser.preview(file)}


@login_required
@require_safe
def tensor_table(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    """Tensors by layer (?prefix=), or as a list (?view=list with q, sort, file and cursor)."""
    by, version = actor_of(request), find(request, kind, team, name, number)
    rows = tensors.of_version(version) if version.is_registered else []
    given = {key: request.GET.get(key, "").replace("\0", "")[:500] for key in ("q", "sort", "file", "prefix", "view")}
    sort = given["sort"] if given["sort"] in tensors.SORTS else "place"
    listed = bool(given["view"] == "list" or given["q"] or given["sort"] or given["file"])
    page = asset_page(version.asset, "versions", by) | {
        "version": version,
        "version_title": f"Version {version.number}",
        "total": len(rows),
        "listed": listed,
        "q": given["q"],
        "sort": sort,
        "sorts": tensors.SORTS.items(),
        "file": given["file"],
        "prefix": given["prefix"],
        "files": sorted({row.path for row in rows}),
        "parents": _parents(given["prefix"]),
    }
    if listed:
        found = tensors.select(rows, search=given["q"], file=given["file"], prefix=given["prefix"], sort=sort)
        start = start_of(request.GET.get("cursor", ""))
        following = start + PAGE_TENSORS
        page |= {
            "rows": found[start:following],
            "found": len(found),
            "next": Cursor.write([following]) if following < len(found) else None,
        }
    else:
        groups = tensors.groups(rows, given["prefix"])
        page |= {"groups": groups[:MOST_GROUPS], "more_groups": max(0, len(groups) - MOST_GROUPS)}
    return render(request, "registry/tensors.html", page)


def _parents(prefix: str) -> list[tuple[str, str]]:
    parts = prefix.split(".") if prefix else []
    return [(part, ".".join(parts[: place + 1])) for place, part in enumerate(parts)]
