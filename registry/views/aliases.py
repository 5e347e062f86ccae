"""Pages: moving and removing aliases."""

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.access import ANY_STAGE, require
from accounts.authentication import actor_of
from accounts.errors import ApprovalRequired, Conflict, Invalid
from accounts.pages import add_problem
from accounts.roles import Permission
from registry import actions, reads
from registry.forms import AliasForm
from registry.views.assets import show_versions


@login_required
@require_POST
def alias_move(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    """Move an alias; for a protected one on to the page where its promotion is asked for."""
    by = actor_of(request)
    asset = reads.get_asset(by, kind, f"{team}/{name}")
    require(by, Permission.ALIAS_MOVE, asset, stage=ANY_STAGE)
    form = AliasForm(request.POST)
    if not form.is_valid():
        return show_versions(request, asset, alias_form=form)
    wanted = form.cleaned_data
    version = asset.versions.filter(number=wanted["version"]).first()
    if version is None:
        form.add_error("version", f"There is no version {wanted['version']}.")
        return show_versions(request, asset, alias_form=form)
    try:
        actions.move_alias(asset=asset, name=wanted["alias"], version=version, reason=wanted["reason"], by=by)
    except ApprovalRequired as problem:
        messages.info(request, problem.detail)
        reason = f"&{urlencode({'reason': wanted['reason']})}" if wanted["reason"] else ""
        return redirect(f"{problem.link}{reason}")
    except (Invalid, Conflict) as problem:
        add_problem(form, problem)
        return show_versions(request, asset, alias_form=form)
    messages.success(request, f"'{wanted['alias']}' points at version {version.number} now.")
    return redirect(asset.get_absolute_url())


@login_required
@require_POST
def alias_remove(request: HttpRequest, kind: str, team: str, name: str, alias: str) -> HttpResponse:
    by = actor_of(request)
    asset = reads.get_asset(by, kind, f"{team}/{name}")
    actions.remove_alias(asset=asset, name=alias, by=by)
    messages.success(request, f"Alias '{alias}' removed. Its history stays.")
    return redirect(asset.get_absolute_url())
