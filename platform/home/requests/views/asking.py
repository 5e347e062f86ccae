"""Pages on which somebody asks: for a promotion, for a renewal, or in an emergency for nobody's leave."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.access import Actor, get_team, require, require_anywhere
from accounts.authentication import actor_of
from accounts.errors import Forbidden, Invalid, Problem
from accounts.forms import GrantForm
from accounts.models import Team, User
from accounts.pages import add_problem
from accounts.roles import Permission
from accounts.things import find
from governance.models import ApprovalRequest
from home import approvals
from home.requests import choices
from home.requests.forms import GlassForm, MoveForm, RequestForm
from prompts.models import Prompt
from registry.models import Asset
from serving.models import Deployment


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


def _own_page(request: HttpRequest) -> str | None:
    """Where a change is asked for that is no move of an alias or label: on the page where it is made."""
    kind, label = request.GET.get("kind", ""), request.GET.get("asset", "")
    if kind == "deployment":
        return (
            f"/deployments/{label}/revisions"
            if Deployment.objects.filter(**_named(label)).exists()
            else "/deployments/new"
        )
    return "/policies/" if kind == "policy" else None


def _named(label: str) -> dict[str, str]:
    team, _, name = label.partition("/")
    return {"team__name": team, "name": name}


@login_required
def request_create(request: HttpRequest) -> HttpResponse:
    """Ask for a promotion; prefilled by the query (kind, asset, version, alias)."""
    if (elsewhere := _own_page(request)) is not None:
        return redirect(elsewhere)
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


@login_required
def request_role(request: HttpRequest, team: str) -> HttpResponse:
    """Ask for a role that the team gives by approved requests only; prefilled by the query."""
    by = actor_of(request)
    found = get_team(by, team)
    require(by, Permission.TEAM_MANAGE, found)
    initial = {name: request.GET[name] for name in GrantForm.base_fields if name in request.GET}
    form = GrantForm(request.POST or None, initial=initial, team=found)
    if request.method == "POST" and form.is_valid():
        try:
            made = _ask_for_role(found, form, by)
        except Problem as problem:
            if problem.link.startswith("/requests/") and problem.status == 409:
                messages.info(request, problem.detail)
                return redirect(problem.link)
            add_problem(form, problem)
        else:
            messages.success(request, "Request opened. The reviewers find it in their inbox.")
            return redirect("request-detail", request_id=made.pk)
    context = {"form": form, "team": found}
    return render(request, "home/requests/role.html", context, status=422 if form.errors else 200)


def _ask_for_role(team: Team, form: GrantForm, by: Actor) -> ApprovalRequest:
    data = form.cleaned_data
    person = User.objects.filter(email__iexact=data["person"].strip(), is_active=True).first()
    if person is None:
        raise Invalid("person", "There is no active account for this address. A site administrator can make one.")
    where = {"kind": data["kind"]}
    if data["on"].strip().endswith("*"):
        where["prefix"] = data["on"].strip().removeprefix(f"{team.name}/")
    elif data["on"].strip():
        kind, asset = find(by, team, data["on"].strip(), data["kind"])
        where = {"asset_kind": kind, "asset": str(asset)}
    return approvals.open_role(
        team=team, person=person, role=data["role"], stage=data["stage"], reason=data["reason"],
        expires_at=form.expires_at(), by=by, **where,
    )  # fmt: skip


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
