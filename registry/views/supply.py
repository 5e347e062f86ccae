"""Pages: what a version's files were found to hold, its signature and bill of materials, and making safetensors of checkpoints."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.access import Actor, can
from accounts.authentication import actor_of
from accounts.errors import Problem
from accounts.roles import Permission
from registry import actions, reads
from registry.converters.plan import convertible
from registry.models import Asset, Conversion, Version, VersionSignature
from registry.scans import state_of

MAX_TOLD = 100


def supply_of(version: Version, by: Actor) -> dict[str, Any]:
    """What the section of a version's page shows; nothing of a draft. A handful of queries whatever the number of files."""
    if not version.is_registered or version.purged_at:
        return {}
    scan = state_of(version)
    if not scan.files:
        return {}
    told = [(file, found) for file in scan.told for found in file.findings]
    conversion = version.conversions.select_related("result__asset__team").first()
    is_live = scan.state != "done" or (conversion is not None and conversion.state in ("queued", "running"))
    paths = {file.path for file in scan.files}
    signature = VersionSignature.objects.select_related("key").filter(version=version).first()
    return {
        "scan": scan,
        "scan_told": told[:MAX_TOLD],
        "scan_more": max(0, len(told) - MAX_TOLD),
        "scan_unsafe": sum(found["level"] == "unsafe" for _, found in told),
        "scan_notes": sum(found["level"] == "note" for _, found in told),
        "signature": signature,
        "conversion": conversion,
        "may_convert": version.asset.kind == Asset.Kind.MODEL
        and convertible(paths)
        and can(by, Permission.ASSET_EDIT, version.asset)
        and (conversion is None or conversion.state == Conversion.State.FAILED),
        "may_scan": scan.state == "done" and can(by, Permission.ASSET_EDIT, version.asset),
        "supply_live": is_live or signature is None,
        "supply_url": f"{version.get_absolute_url()}/supply",
    }


def _find(request: HttpRequest, kind: str, team: str, name: str, number: int) -> Version:
    by = actor_of(request)
    return reads.get_version(by, reads.get_asset(by, kind, f"{team}/{name}"), number)


@login_required
@require_safe
def version_supply(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    """The section alone, as it asks for itself while something goes on."""
    version = _find(request, kind, team, name, number)
    page = {"version": version, "asset": version.asset, "supply": supply_of(version, actor_of(request))}
    return render(request, "registry/supply.html", page)


@login_required
@require_POST
def version_convert(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    from registry.views.versions import show_version

    version = _find(request, kind, team, name, number)
    try:
        actions.start_conversion(version=version, by=actor_of(request))
    except Problem as problem:
        if problem.status in (403, 404):
            raise
        return show_version(request, version, problem=problem)
    messages.success(request, "The conversion begins. Its progress is on this page.")
    return redirect(f"{version.get_absolute_url()}#supply-chain")


@login_required
@require_POST
def version_scan_again(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    version = _find(request, kind, team, name, number)
    actions.scan_again(version=version, by=actor_of(request))
    messages.success(request, "The files are scanned again.")
    return redirect(f"{version.get_absolute_url()}#supply-chain")
