"""Pages: asking for the files of a gated model or dataset, and deciding who gets them."""

from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import can, require
from accounts.actions import revoke_grant
from accounts.authentication import actor_of
from accounts.errors import Forbidden, NotFound, Problem
from accounts.models import Grant
from accounts.pages import add_problem
from accounts.rest import keyset_page
from accounts.roles import Permission
from registry import actions, gates, reads
from registry.forms import AccessDecisionForm, AccessForm
from registry.models import AccessRequest, Asset
from registry.pages import asset_page
from registry.views.assets import shown_version


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def asset_access(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    """Ask; see what came of it; and, for who manages the team, decide and see who has access until when."""
    by = actor_of(request)
    asset, is_seen = gates.get_shown(by, kind, f"{team}/{name}")
    form = AccessForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            actions.ask_for_access(asset=asset, reason=form.cleaned_data["reason"], by=by)
        except (Forbidden, NotFound):
            raise
        except Problem as problem:
            add_problem(form, problem)
        else:
            messages.success(request, "Asked. You are told when somebody decides.")
            return redirect(gates.ask_address(asset))
    return _show(request, asset, is_seen=is_seen, form=form)


def _show(request: HttpRequest, asset: Asset, *, is_seen: bool, form: AccessForm) -> HttpResponse:
    by = actor_of(request)
    page: dict[str, Any] = {
        "asset": asset,
        "form": form,
        "own": gates.own_request(by, asset),
        "may_read": gates.may_read(by, asset),
        "has_all": not asset.gated,
    }
    status = 422 if form.is_bound else 200
    if not is_seen:
        page["version"] = shown_version(asset)
        return render(request, "registry/gate.html", page, status=status)
    page = asset_page(asset, "access", by) | page
    if can(by, Permission.TEAM_MANAGE, asset):
        rows = AccessRequest.objects.filter(asset=asset).select_related("person", "decided_by", "grant")
        asked, following = keyset_page(rows, order=["-id"], cursor=request.GET.get("cursor", ""))
        page |= {
            "decides": True,
            "waiting": rows.open().exclude(person_id=by.id or 0),
            "decided": [one for one in asked if not one.is_open],
            "next": following,
            "holders": Grant.objects.on(asset).live().select_related("user", "granted_by", "custom_role", "team"),
            "default_until": (timezone.now() + timedelta(days=gates.DEFAULT_DAYS)).date(),
        }
    return render(request, "registry/access.html", page, status=status)


@login_required
@require_POST
def access_decide(request: HttpRequest, request_id: int) -> HttpResponse:
    """The two buttons beside an open request."""
    by = actor_of(request)
    asked = gates.get_request(by, request_id)
    require(by, Permission.TEAM_MANAGE, asked.asset)
    form = AccessDecisionForm(request.POST)
    if not form.is_valid():
        messages.error(request, "; ".join(str(text) for texts in form.errors.values() for text in texts))
        return redirect(gates.ask_address(asked.asset))
    answer, day = form.cleaned_data["answer"], form.cleaned_data["until"]
    try:
        if form.cleaned_data["verdict"] == "grant":
            # The day itself still counts.
            until = (
                datetime.combine(day + timedelta(days=1), time.min, tzinfo=timezone.get_current_timezone())
                if day
                else None
            )
            asked = actions.grant_access(request=asked, until=until, answer=answer, by=by)
            messages.success(request, f"{asked.person} has access until {asked.until:%-d %B %Y}.")
        else:
            actions.refuse_access(request=asked, answer=answer, by=by)
            messages.success(request, f"Refused. {asked.person} is told why.")
    except Forbidden:
        raise
    except Problem as problem:
        messages.error(request, problem.detail)
    return redirect(gates.ask_address(asked.asset))


@login_required
@require_POST
def access_withdraw(request: HttpRequest, request_id: int) -> HttpResponse:
    asked = gates.get_request(actor_of(request), request_id)
    actions.withdraw_access_request(request=asked, by=actor_of(request))
    messages.success(request, "Withdrawn.")
    return redirect(gates.ask_address(asked.asset))


@login_required
@require_POST
def access_revoke(request: HttpRequest, kind: str, team: str, name: str, grant_id: int) -> HttpResponse:
    """Take away a role that somebody has on just this asset."""
    by = actor_of(request)
    asset = reads.get_asset(by, kind, f"{team}/{name}")
    require(by, Permission.TEAM_MANAGE, asset)
    row = Grant.objects.on(asset).filter(pk=grant_id).select_related("user", "team").first()
    if row is None:
        raise NotFound(f"There is no grant {grant_id} on {asset}.")
    revoke_grant(grant=row, by=by)
    messages.success(request, f"{row.user} has {row.role} on {asset} no more.")
    return redirect(gates.ask_address(asset))
