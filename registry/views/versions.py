"""Pages: one version, its life as a draft, and what differs between two."""

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.access import Actor, require
from accounts.authentication import actor_of
from accounts.errors import Invalid, Problem
from accounts.pages import add_problem
from accounts.rest import Cursor, keyset_page
from accounts.roles import Permission
from governance.approved import approvals_of
from governance.stages import Stage
from registry import actions, browser, damage, datasets, gates, memory, reads, uses
from registry.forms import UploadForm, VersionForm
from registry.inspection import cards
from registry.models import Alias, Asset, File, Version
from registry.pages import asset_page, card_page
from registry.views.lifecycle import show_gone
from registry.views.supply import supply_of

PREVIEW_ROWS = 10
PAGE_ROWS = 50
# Facts in the order in which they are shown, with their words.
_FACTS = (
    ("architecture", "Architecture"),
    ("parameters", "Parameters"),
    ("dtypes", "Data types"),
    ("quantisation", "Quantisation"),
    ("context_length", "Context length"),
    ("vocabulary", "Vocabulary"),
    ("hidden_size", "Hidden size"),
    ("layers", "Layers"),
    ("heads", "Attention heads"),
    ("kv_heads", "Key-value heads"),
    ("experts", "Experts"),
    ("rope", "Rotary positions"),
    ("adapter", "Adapter"),
    ("tokenizer", "Tokenizer"),
    ("formats", "Formats"),
    ("tensors", "Tensors"),
    ("rows", "Rows"),
    ("row_groups", "Row groups"),
    ("records", "Records in JSON"),
    ("columns", "Columns"),
)


def find(request: HttpRequest, kind: str, team: str, name: str, number: int) -> Version:
    by = actor_of(request)
    return reads.get_version(by, reads.get_asset(by, kind, f"{team}/{name}"), number)


@login_required
def version_create(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    asset = reads.get_asset(by, kind, f"{team}/{name}")
    require(by, Permission.ASSET_EDIT, asset)
    form = VersionForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            version = actions.create_version(asset=asset, message=form.cleaned_data["message"], by=by)
        except Problem as problem:
            add_problem(form, problem)
        else:
            return redirect(version.get_absolute_url())
    page = asset_page(asset, "versions", by) | {"form": form}
    return render(request, "registry/version_new.html", page, status=422 if form.is_bound else 200)


@login_required
@require_safe
def version_detail(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    by = actor_of(request)
    version = reads.get_version(by, reads.get_asset(by, kind, f"{team}/{name}"), number, gone=True)
    return show_gone(request, version) if version.deleted_at else show_version(request, version)


def show_version(
    request: HttpRequest, version: Version, *, upload: UploadForm | None = None, problem: Problem | None = None
) -> HttpResponse:
    """A version's page; `problem` is what stopped the last act on it."""
    files: list[File] = []
    following = None
    entries = browser.listing(version) if version.is_registered else []
    if not version.is_registered:
        files, following = keyset_page(
            version.files.select_related("blob"), order=["path"], cursor=request.GET.get("cursor", ""), limit=200
        )
    page = asset_page(version.asset, "versions", actor_of(request))
    pointing = [alias for alias in page["aliases"] if alias.version_id == version.pk]
    page |= {
        "version": version,
        "version_title": f"Version {version.number}",
        "version_aliases": pointing,
        "in_production": any(alias.name == Stage.PRODUCTION for alias in pointing),
        "files": files,
        "entries": entries,
        "memory": memory.needed(version.facts) if version.asset.kind == Asset.Kind.MODEL else None,
        "next": following,
        "file_count": version.facts.get("files", len(files)),
        "upload": upload or UploadForm(),
        "problem": problem,
        "damaged": damage.files_of(version),
        "approved": approvals_of(kind=version.asset.kind, asset_id=version.asset_id, digest=version.digest),
        "facts": facts_of(version),
        **card_page(version),
        "card_lacks": cards.missing(cards.parse(version.card), version.asset.kind),
        "warnings": version.facts.get("warnings", []),
        "supply": supply_of(version, actor_of(request)),
        "uses": _uses(version, page["aliases"], actor_of(request)),
        "previous": version.asset.versions.live()
        .filter(number__lt=version.number)
        .values_list("number", flat=True)
        .first(),
        **(_preview(version, 0, PREVIEW_ROWS, actor_of(request)) if version.asset.kind == Asset.Kind.DATASET else {}),
    }
    status = problem.status if problem else 422 if upload else 200
    return render(request, "registry/version.html", page, status=status)


def _uses(version: Version, aliases: Iterable[Alias], by: Actor) -> list[uses.Way]:
    """For a version that can be downloaded by whoever looks at it."""
    if not version.is_registered or version.purged_at or not gates.may_read(by, version.asset):
        return []
    return uses.of(version, [alias.name for alias in aliases if alias.version_id == version.pk])


def facts_of(version: Version) -> list[tuple[str, Any]]:
    """What the files say, in words: (name, value)."""
    found: list[tuple[str, Any]] = []
    for key, title in _FACTS:
        value = version.facts.get(key)
        if value in (None, "", [], {}):
            continue
        if isinstance(value, dict):
            value = ", ".join(value) if key == "dtypes" else _said(value)
        elif isinstance(value, list):
            value = ", ".join(str(item) for item in value[:20])
        found.append((title, value))
    licence = version.facts.get("card", {}).get("license") or version.facts.get("card", {}).get("licence")
    if licence:
        found.append(("Licence", licence))
    return found


def _said(fact: dict[str, Any]) -> str:
    """A fact of several values in words: 'rank 8, alpha 16'."""
    parts = []
    for name, value in fact.items():
        if isinstance(value, bool):
            parts.append(name.replace("_", " ") if value else "")
        elif isinstance(value, list):
            parts.append(f"{name.replace('_', ' ')} {', '.join(str(item) for item in value[:8])}")
        else:
            parts.append(f"{name.replace('_', ' ')} {value}")
    return ", ".join(part for part in parts if part)


def _preview(version: Version, start: int, limit: int, by: Actor) -> dict[str, Any]:
    """Some rows of a registered dataset; showing those of a restricted one is an event as a download is."""
    if not version.is_registered:
        return {}
    if not gates.may_read(by, version.asset):
        return {"rows_gated": True, "row_count": datasets.count(version)}
    columns = version.facts.get("columns", [])[:20]
    rows = [
        (path, line, [row.get(column) for column in columns])
        for path, line, row in datasets.located_rows(version, start, limit)
    ]
    actions.record_download(version=version, what={"first_row": start + 1, "rows": len(rows)}, by=by)
    return {"columns": columns, "rows": rows, "row_count": datasets.count(version), "first_row": start + 1}


@login_required
@require_safe
def version_rows(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    """A dataset's rows, page by page."""
    by, version = actor_of(request), find(request, kind, team, name, number)
    cursor = request.GET.get("cursor", "")
    start = Cursor.read(cursor, 1)[0] if cursor else 0
    if not isinstance(start, int) or start < 0:
        raise Invalid("cursor", "This is not a place in these rows.")
    gates.check_read(by, version.asset)
    page = asset_page(version.asset, "versions", by)
    page |= {
        "version": version,
        "version_title": f"Version {version.number}",
        **_preview(version, start, PAGE_ROWS, by),
    }
    following = start + PAGE_ROWS
    page["next"] = Cursor.write([following]) if following < page.get("row_count", 0) else None
    return render(request, "registry/rows.html", page)


@login_required
@require_POST
def version_register(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    version = find(request, kind, team, name, number)
    try:
        version = actions.register_version(version=version, by=actor_of(request))
    except Invalid as problem:
        return show_version(request, version, problem=problem)
    messages.success(request, f"Version {version.number} is registered. Nothing in it changes any more.")
    return redirect(version.get_absolute_url())


@login_required
@require_POST
def version_discard(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    version = find(request, kind, team, name, number)
    actions.discard_version(version=version, by=actor_of(request))
    messages.success(request, f"Draft {number} discarded.")
    return redirect(version.asset.get_absolute_url())
