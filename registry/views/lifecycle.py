"""Pages: tags, descriptions and names changed in place; archive, delete and the bin."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.access import can
from accounts.authentication import actor_of
from accounts.errors import Problem
from accounts.rest import keyset_page
from accounts.roles import Permission
from registry import actions, reads
from registry.actions.lifecycle import InUse, purge_day
from registry.models import Asset, Version
from registry.pages import asset_page


def _asset(request: HttpRequest, kind: str, team: str, name: str) -> Asset:
    return reads.get_asset(actor_of(request), kind, f"{team}/{name}")


def _version(request: HttpRequest, kind: str, team: str, name: str, number: int) -> Version:
    return reads.get_version(actor_of(request), _asset(request, kind, team, name), number, gone=True)


def _tag(request: HttpRequest, thing: Asset | Version) -> HttpResponse:
    """Set or remove one tag. In place for htmx: the chips again, with what was wrong; else back to the page."""
    by, key = actor_of(request), request.POST.get("key", "").strip()
    where: dict[str, Any] = {"asset": thing} if isinstance(thing, Asset) else {"version": thing}
    problem = ""
    try:
        if "remove" in request.POST:
            actions.delete_tag(key=request.POST["remove"], by=by, **where)
        else:
            actions.set_tag(key=key, value=request.POST.get("value", ""), by=by, **where)
    except Problem as refused:
        if refused.status in (401, 403):
            raise
        problem = refused.detail
    if request.headers.get("HX-Request"):
        context = {
            "tagged": thing,
            "tags": thing.tags.all(),
            "may_edit": True,
            "tag_problem": problem,
            "tags_open": True,
        }
        return render(request, "registry/tags.html", context, status=200)
    if problem:
        messages.error(request, problem)
    return redirect(thing.get_absolute_url())


@login_required
@require_POST
def asset_tags(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    return _tag(request, _asset(request, kind, team, name))


@login_required
@require_POST
def version_tags(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    return _tag(request, _version(request, kind, team, name, number))


@login_required
@require_POST
def version_describe(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    version = _version(request, kind, team, name, number)
    text = request.POST.get("description", "").replace("\r\n", "\n")
    actions.describe_version(version=version, description=text, by=actor_of(request))
    messages.success(request, "Saved.")
    return redirect(version.get_absolute_url())


@login_required
@require_POST
def asset_rename(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    asset = _asset(request, kind, team, name)
    try:
        renamed = actions.rename_asset(asset=asset, name=request.POST.get("name", "").strip(), by=actor_of(request))
    except Problem as problem:
        if problem.status in (401, 403):
            raise
        messages.error(request, problem.detail)
        return redirect(f"{asset.get_absolute_url()}/settings")
    messages.success(request, f"It is {renamed} now. The old address answers nothing any more.")
    return redirect(f"{renamed.get_absolute_url()}/settings")


def _act(request: HttpRequest, thing: Asset | Version, act: Callable[[], object], done: str) -> HttpResponse:
    """Do it and go back to the page; what still refers to the thing is shown with links."""
    try:
        act()
    except InUse as problem:
        asset = thing if isinstance(thing, Asset) else thing.asset
        page = asset_page(asset, "settings" if thing is asset else "versions", actor_of(request))
        return render(request, "registry/in_use.html", page | {"thing": thing, "problem": problem}, status=409)
    messages.success(request, done)
    return redirect(thing.get_absolute_url())


@login_required
@require_POST
def asset_archive(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    asset, by = _asset(request, kind, team, name), actor_of(request)
    return _act(request, asset, lambda: actions.archive_asset(asset=asset, by=by), f"{asset} is archived.")


@login_required
@require_POST
def asset_restore(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    asset, by = _asset(request, kind, team, name), actor_of(request)
    return _act(request, asset, lambda: actions.restore_asset(asset=asset, by=by), f"{asset} is back.")


@login_required
@require_POST
def asset_delete(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    asset, by = _asset(request, kind, team, name), actor_of(request)
    reason = request.POST.get("reason", "")
    answer = _act(
        request,
        asset,
        lambda: actions.delete_asset(asset=asset, reason=reason, by=by),
        f"{asset} is deleted. It can be restored from here until its files are purged.",
    )
    return redirect("bin") if answer.status_code == 302 else answer


@login_required
@require_POST
def version_archive(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    version, by = _version(request, kind, team, name, number), actor_of(request)
    return _act(request, version, lambda: actions.archive_version(version=version, by=by), f"{version} is archived.")


@login_required
@require_POST
def version_restore(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    version, by = _version(request, kind, team, name, number), actor_of(request)
    return _act(request, version, lambda: actions.restore_version(version=version, by=by), f"{version} is back.")


@login_required
@require_POST
def version_delete(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    version, by = _version(request, kind, team, name, number), actor_of(request)
    reason = request.POST.get("reason", "")
    return _act(
        request,
        version,
        lambda: actions.delete_version(version=version, reason=reason, by=by),
        f"{version} is deleted. It can be restored until its files are purged.",
    )


def show_gone(request: HttpRequest, version: Version) -> HttpResponse:
    """The page of a deleted or purged version: what is still known of it."""
    page = asset_page(version.asset, "versions", actor_of(request))
    page |= {
        "version": version,
        "version_title": f"Version {version.number}",
        "purged_from": purge_day(version.deleted_at),
        "moves": reads.history_of(version.asset).filter(after=version)[:20],
    }
    return render(request, "registry/version_gone.html", page, status=410)


@login_required
@require_safe
def bin_page(request: HttpRequest) -> HttpResponse:
    """What was deleted and can be restored: models and datasets, and versions of those that are there."""
    by = actor_of(request)
    assets, more_assets = keyset_page(
        reads.deleted_assets(by), order=["-deleted_at", "-id"], cursor=request.GET.get("cursor", "")
    )
    versions = list(reads.deleted_versions(by).order_by("-deleted_at", "-id")[:100])
    context = {
        "assets": [(asset, purge_day(asset.deleted_at), can(by, Permission.TEAM_MANAGE, asset)) for asset in assets],
        "versions": [
            (version, purge_day(version.deleted_at), can(by, Permission.TEAM_MANAGE, version.asset))
            for version in versions
        ],
        "next": more_assets,
    }
    return render(request, "registry/bin.html", context)


@login_required
@require_POST
def bin_restore(request: HttpRequest, asset_id: int) -> HttpResponse:
    by = actor_of(request)
    asset = reads.get_deleted_asset(by, asset_id)
    try:
        asset = actions.restore_asset(asset=asset, name=request.POST.get("name", "").strip(), by=by)
    except Problem as problem:
        if problem.status in (401, 403):
            raise
        messages.error(request, problem.detail)
        return redirect("bin")
    messages.success(request, f"{asset} is back.")
    return redirect(asset.get_absolute_url())


@login_required
@require_POST
def bin_purge_asset(request: HttpRequest, asset_id: int) -> HttpResponse:
    by = actor_of(request)
    asset = reads.get_deleted_asset(by, asset_id)
    if request.POST.get("confirm", "") != str(asset):
        messages.error(request, f"Type {asset} to confirm. Nothing was removed.")
        return redirect("bin")
    actions.purge_asset(asset=asset, by=by)
    messages.success(request, f"The files of {asset} are gone for ever.")
    return redirect("bin")


@login_required
@require_POST
def bin_purge_version(request: HttpRequest, version_id: int) -> HttpResponse:
    by = actor_of(request)
    version = reads.get_deleted_version(by, version_id)
    if request.POST.get("confirm", "") != str(version):
        messages.error(request, f"Type '{version}' to confirm. Nothing was removed.")
        return redirect("bin")
    actions.purge_version(version=version, by=by)
    messages.success(request, f"The files of {version} are gone for ever.")
    return redirect(version.get_absolute_url())
