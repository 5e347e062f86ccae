"""Pages: two versions side by side, and how far the weights moved, live while it is measured."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import actor_of
from accounts.errors import Invalid, NotFound
from home.comparison.content import hidden_why
from home.comparison.versions import compare_versions, pair
from registry import actions, reads
from registry.actions import weights
from registry.models import Version, WeightComparison
from registry.pages import asset_page

MOST_LINES = 100


def _given(request: HttpRequest) -> dict[str, str]:
    return {side: request.GET.get(side, "")[:400] for side in ("from", "to")}


def name_of(version: Version, other: Version) -> str:
    """'version 3', or with its model's address where the two are of different ones."""
    return (
        f"version {version.number}"
        if version.asset_id == other.asset_id
        else f"{version.asset} version {version.number}"
    )


@login_required
@require_safe
def version_compare(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    """What names no version is said above the fields, to be put right there."""
    by, given = actor_of(request), _given(request)
    asset = reads.get_asset(by, kind, f"{team}/{name}")
    page = asset_page(asset, "versions", by) | {
        "from_text": given["from"],
        "to_text": given["to"],
        "numbers": list(asset.versions.live().order_by("-number").values_list("number", flat=True)[:100]),
    }
    try:
        asset, before, after = pair(by, kind, f"{team}/{name}", given)
    except (Invalid, NotFound) as problem:
        return render(request, "home/comparison/compare.html", page | {"problem": problem}, status=problem.status)
    found = compare_versions(before, after, by)
    page |= _labels(request, before, after)
    page |= {"comparison": found, "before": before, "after": after, **_measured(found.weights)}
    return render(request, "home/comparison/compare.html", page)


def _labels(request: HttpRequest, before: Version, after: Version) -> dict[str, str]:
    return {
        "before_label": name_of(before, after),
        "after_label": name_of(after, before),
        "from_text": _given(request)["from"],
        "to_text": _given(request)["to"],
        "sides": urlencode(_given(request)),
    }


def _measured(row: WeightComparison | None) -> dict[str, Any]:
    """The tensors that moved furthest first, and how far the furthest did: the drawings are on its scale."""
    done = row is not None and row.state == row.State.DONE
    lines = weights.unpack(row.tensors) if row is not None and done else []
    lines.sort(key=lambda line: (line[1] is None, -(line[1] or 0.0)))
    return {"weights": row, "lines": lines[:MOST_LINES], "furthest": (lines[0][1] if lines else None) or 1.0}


@login_required
@require_safe
def weights_state(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    """The part of the page that says how far the weights moved; it asks for itself until that is known."""
    by = actor_of(request)
    asset, before, after = pair(by, kind, f"{team}/{name}", _given(request))
    hidden = hidden_why(before, after, by).startswith("Gated")
    row = None if hidden else weights.weights_of(before, after)
    page = {"asset": asset, **_measured(row), **_labels(request, before, after)}
    return render(request, "home/comparison/weights.html", page)


@login_required
@require_POST
def weights_measure(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    asset, before, after = pair(by, kind, f"{team}/{name}", _given(request))
    actions.ask_weights(before=before, after=after, by=by)
    return redirect(f"{asset.get_absolute_url()}/compare?{urlencode(_given(request))}#weights")
