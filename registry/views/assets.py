"""Pages: the list, a new one, and one model or dataset with its tabs."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.access import can, require
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import Forbidden, Invalid, NotFound, Problem
from accounts.moments import read_moment
from accounts.pages import add_problem
from accounts.rest import keyset_page
from accounts.roles import Permission
from governance.ledger.reads import events_about
from governance.stages import Stage
from registry import actions, browser, gates, reads, revisions, timelines, uses
from registry.actions.common import asset_target
from registry.forms import AliasForm, AssetForm, DescriptionForm
from registry.models import Asset, Version, VersionTag
from registry.models.versions import VersionQuerySet
from registry.pages import asset_page, card_page, protected_stages

# What the history of an asset tells to everybody who sees it; single files are in the ledger.
_HISTORY = ("asset.", "version.", "alias.", "evidence.", "request.", "evaluation.", "deployment.")


@login_required
def asset_create(request: HttpRequest, kind: str) -> HttpResponse:
    by, team = actor_of(request), current_team(request)
    if team is None:
        raise NotFound("You are in no team yet. Ask an administrator for a role in one.")
    require(by, Permission.ASSET_CREATE, team)
    form = AssetForm(request.POST if request.method == "POST" else None, kind=kind)
    if form.is_bound and form.is_valid():
        try:
            asset = actions.create_asset(team=team, kind=kind, by=by, **form.cleaned_data)
        except Problem as problem:
            add_problem(form, problem)
        else:
            messages.success(request, f"{kind.capitalize()} made. Now give it a first version.")
            return redirect(asset.get_absolute_url())
    context = {"form": form, "kind": kind, "section": f"{kind}s", "team_now": team}
    return render(request, "registry/new.html", context, status=422 if form.is_bound else 200)


@login_required
@require_safe
def asset_detail(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    """For people outside of the team, where the whole site may know of it: its card, and the form that asks for its files."""
    asset, is_seen = gates.get_shown(actor_of(request), kind, f"{team}/{name}")
    return show_versions(request, asset) if is_seen else redirect(gates.ask_address(asset))


def show_versions(request: HttpRequest, asset: Asset, *, alias_form: AliasForm | None = None) -> HttpResponse:
    """The first tab: versions, and the aliases beside them; a form with errors is shown again."""
    by = actor_of(request)
    page = asset_page(asset, "versions", by)
    versions, following = keyset_page(
        _shown(request, asset).select_related("created_by").prefetch_related("tags"),
        order=["-number"],
        cursor=request.GET.get("cursor", ""),
    )
    for version in versions:
        version.asset = asset
    page |= {
        "versions": [
            (version, [alias for alias in page["aliases"] if alias.version_id == version.pk], before)
            for version, before in zip(versions, [*versions[1:], None], strict=False)
        ],
        "next": following,
        "branches": reads.branch_names(asset),
        "branch": request.GET.get("branch", ""),
        "latest": next((v for v in versions if v.is_registered), None),
        "protected": protected_stages(asset),
        "commands": uses.commands(asset, may_push=page["may_edit"]),
        "alias_form": alias_form or AliasForm(initial={"version": _latest_registered(versions)}),
    }
    return render(request, "registry/detail.html", page, status=422 if alias_form else 200)


def _shown(request: HttpRequest, asset: Asset) -> VersionQuerySet:
    """The versions of a list: those in use; the archived ones with ?archived=1; only those with a tag with ?tag=key:value."""
    rows: VersionQuerySet = asset.versions.live().filter(archived_at__isnull="archived" not in request.GET)  # type: ignore[assignment]
    if branch := request.GET.get("branch", ""):
        rows = rows.filter(revisions.line_of(asset, branch))
    if tag := request.GET.get("tag", ""):
        rows = rows.filter(reads.tagged(VersionTag, "version", tag))
    return rows


def _latest_registered(versions: list[Version]) -> int | None:
    return next((version.number for version in versions if version.is_registered), None)


def shown_version(asset: Asset) -> Version | None:
    """The version that the tabs Files and Card show: the one in production, else the latest registered, else the draft."""
    in_production = Version.objects.filter(aliases__asset=asset, aliases__name=Stage.PRODUCTION)
    version = (
        in_production.select_related("created_by").first()
        or asset.versions.registered().filter(deleted_at=None).select_related("created_by").first()
        or asset.versions.live().select_related("created_by").first()
    )
    if version is not None:
        version.asset = asset
    return version


@login_required
@require_safe
def asset_files(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    asset = reads.get_asset(by, kind, f"{team}/{name}")
    version = shown_version(asset)
    page = asset_page(asset, "files", by) | {"version": version}
    if version is not None:
        page["entries"] = browser.listing(version)
    return render(request, "registry/asset_files.html", page)


@login_required
@require_safe
def asset_card(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    asset = reads.get_asset(by, kind, f"{team}/{name}")
    version = shown_version(asset)
    page = asset_page(asset, "card", by) | {"version": version} | card_page(version)
    return render(request, "registry/asset_card.html", page)


@login_required
@require_safe
def asset_history(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    """Where the aliases pointed, and every act on the asset."""
    by = actor_of(request)
    asset = reads.get_asset(by, kind, f"{team}/{name}")
    told = events_about(asset_target(asset)).filter(action__regex="^(" + "|".join(p[:-1] for p in _HISTORY) + ")[.]")
    events, following = keyset_page(told, order=["-id"], cursor=request.GET.get("cursor", ""))
    page = asset_page(asset, "history", by) | {
        "events": events,
        "next": following,
    }
    if "cursor" not in request.GET:
        page |= _moves(request, asset)
    return render(request, "registry/asset_history.html", page)


def _moves(request: HttpRequest, asset: Asset) -> dict[str, Any]:
    """Where the aliases pointed: as a list, as bars over time, and on the day that is asked for (?alias=&on=)."""
    moves = list(reads.history_of(asset)[: timelines.MOST])
    page: dict[str, Any] = {
        "moves": moves[:50],
        "timeline": timelines.lines(moves, timezone.now()),
        "timeline_from": min((move.moved_at for move in moves), default=None),
        "at_alias": request.GET.get("alias", "") or (Stage.PRODUCTION.value if moves else ""),
        "at_day": request.GET.get("on", ""),
    }
    if page["at_day"]:
        try:
            page["at"] = reads.alias_at(asset, page["at_alias"], read_moment(page["at_day"], "on"))
        except (Invalid, NotFound) as problem:
            page["at_problem"] = problem.detail
    return page


@login_required
def asset_settings(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    asset = reads.get_asset(by, kind, f"{team}/{name}")
    form = DescriptionForm(
        request.POST if request.method == "POST" else None,
        kind=kind,
        may_lift=can(by, Permission.POLICY_EDIT, asset),
        initial={
            "description": asset.description,
            "task": asset.task,
            "restricted": asset.restricted,
            "gated": asset.gated,
            "visibility": asset.visibility,
        },
    )
    if form.is_bound and form.is_valid():
        try:
            actions.update_asset(asset=asset, by=by, **form.cleaned_data)
        except Forbidden:
            raise
        except Problem as problem:
            add_problem(form, problem)
        else:
            messages.success(request, "Saved.")
            return redirect(f"{asset.get_absolute_url()}/settings")
    page = asset_page(asset, "settings", by) | {"form": form}
    return render(request, "registry/asset_settings.html", page, status=422 if form.is_bound else 200)
