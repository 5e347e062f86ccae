"""Pages on which somebody asks: for a promotion, for a renewal, or in an emergency for nobody's leave."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.access import Actor, require_anywhere
from accounts.authentication import actor_of
from accounts.errors import Forbidden, Problem
from accounts.pages import add_problem
from accounts.roles import Permission
from home import approvals
from home.requests import choices
from home.requests.forms import GlassForm, MoveForm, RequestForm
from prompts.models import Prompt
from registry.models import Asset


def _may_anywhere(by: Actor, permission: Permission) -> bool:
    try:
        require_anywhere(by, permission, Asset, Prompt)
    except Forbidden:
        return False
    return True


def may_ask(by: Actor) -> bool:
    """Is there anything that this person may ask a promotion of?"""
    return _may_anywhere(by, Permission.REQUEST_CREATE)


def may_break_glass(by: Actor) -> bool:
    return _may_anywhere(by, Permission.GLASS_BREAK)


def _prefilled(request: HttpRequest, form: type[MoveForm]) -> dict[str, str]:
    return {"kind": "model"} | {key: str(value) for key, value in request.GET.items() if key in form.base_fields}


@login_required
def request_create(request: HttpRequest) -> HttpResponse:
    """Ask for a promotion; prefilled by the query (kind, asset, version, alias)."""
    by = actor_of(request)
    require_anywhere(by, Permission.REQUEST_CREATE, Asset, Prompt)
    if request.method == "POST":
        form = RequestForm(request.POST)
        if form.is_valid():
            try:
                made = approvals.open_request(by=by, **form.cleaned_data)
            except Problem as problem:
                if problem.link.startswith("/requests/") and problem.status == 409:
                    messages.info(request, problem.detail)
                    return redirect(problem.link)
                add_problem(form, problem)
            else:
                messages.success(request, "Request opened. The reviewers find it in their inbox.")
                return redirect("request-detail", request_id=made.pk)
    else:
        form = RequestForm(initial=_prefilled(request, RequestForm))
    return _form_page(request, "home/requests/new.html", form, by)


@login_required
def request_glass(request: HttpRequest) -> HttpResponse:
    """Break the glass: at once, loud, and looked at afterwards."""
    by = actor_of(request)
    require_anywhere(by, Permission.GLASS_BREAK, Asset, Prompt)
    if request.method == "POST":
        form = GlassForm(request.POST)
        if form.is_valid():
            try:
                made = approvals.break_glass(by=by, **form.cleaned_data)
            except Problem as problem:
                add_problem(form, problem)
            else:
                messages.warning(
                    request, "Applied without a review. Reviewers have been asked to look at it afterwards."
                )
                return redirect("request-detail", request_id=made.pk)
    else:
        form = GlassForm(initial=_prefilled(request, GlassForm))
    return _form_page(request, "home/requests/glass.html", form, by)


def _form_page(request: HttpRequest, template: str, form: MoveForm, by: Actor) -> HttpResponse:
    given: dict[str, Any] = {name: form[name].value() or "" for name in ("kind", "asset", "version", "alias")}
    context = {"form": form, **vars(choices.read(by, **{name: str(value) for name, value in given.items()}))}
    return render(request, template, context, status=422 if form.errors else 200)


@login_required
@require_safe
def request_choices(request: HttpRequest) -> HttpResponse:
    """What the form completes: assets, versions, aliases, and what would be replaced; a part of the page, by htmx."""
    by = actor_of(request)
    given = {name: request.GET.get(name, "") for name in ("kind", "asset", "version", "alias")}
    return render(request, "home/requests/choices.html", vars(choices.read(by, **given)))


@login_required
@require_POST
def request_renew(request: HttpRequest, request_id: int) -> HttpResponse:
    """Ask anew for what an approval covers, before or after it lapsed."""
    by = actor_of(request)
    try:
        made = approvals.renew(request=approvals.get_request(by, request_id), by=by)
    except Problem as problem:
        if problem.status != 409:
            raise
        messages.error(request, problem.detail)
        return redirect(problem.link if problem.link.startswith("/requests/") else f"/requests/{request_id}")
    messages.success(request, "Renewal opened. The reviewers find it in their inbox.")
    return redirect("request-detail", request_id=made.pk)
