"""One deployment: overview, logs, revisions, history, and what can be done to it."""

import json
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.access import require
from accounts.authentication import actor_of
from accounts.errors import Forbidden, Invalid, Problem
from accounts.pages import add_problem
from accounts.rest import keyset_page
from accounts.roles import Permission
from registry import reads as registry
from serving import actions, logs, reads
from serving.forms import CompareForm, PriceForm, RevisionForm, ScaleForm, TryForm
from serving.models import Deployment
from serving.pages import deployment_page, snippets
from serving.prices import plain
from serving.serializers import prices_json
from serving.views.create import is_guarded, to_request

LINES = 400


def overview(request: HttpRequest, deployment: Deployment, *, status: int = 200, **more: Any) -> HttpResponse:
    """The first tab; forms with errors and answers are shown again on it."""
    context = {
        **deployment_page(deployment, "overview", actor_of(request)),
        "snippets": snippets(deployment),
        "scale_form": ScaleForm(initial={"replicas": deployment.replicas}),
        "price_form": PriceForm(
            initial={"input_price": plain(deployment.input_price), "output_price": plain(deployment.output_price)}
        ),
        "prices": prices_json(deployment),
        "currency": deployment.price_currency or settings.PRICE_CURRENCY,
        "try_form": TryForm(),
        "compare_form": CompareForm(),
        **more,
    }
    return render(request, "serving/overview.html", context, status=status)


@login_required
@require_safe
def deployment_detail(request: HttpRequest, team: str, name: str) -> HttpResponse:
    return overview(request, reads.get_deployment(actor_of(request), team, name))


@login_required
@require_safe
def deployment_live(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """The part of the overview that changes by itself."""
    by = actor_of(request)
    context = deployment_page(reads.get_deployment(by, team, name), "overview", by)
    return render(request, "serving/live.html", context | {"swapped": True})


@login_required
@require_safe
def deployment_logs(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """The end of the replicas' logs; `live` asks for the text alone."""
    by = actor_of(request)
    deployment = reads.get_deployment(by, team, name)
    chosen = request.GET.get("replica", "")
    if chosen not in {row["id"] for row in deployment.observed_replicas}:
        chosen = ""
    context = {**deployment_page(deployment, "logs", by), "chosen": chosen, "lines": LINES}
    try:
        context["logs"] = logs.read(deployment, replica=chosen, lines=LINES)
    except Problem as problem:
        context["problem"] = problem
    return render(request, "serving/log_text.html" if "live" in request.GET else "serving/logs.html", context)


@login_required
@require_safe
def deployment_history(request: HttpRequest, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    deployment = reads.get_deployment(by, team, name)
    context = {**deployment_page(deployment, "history", by), "events": reads.life_of(deployment)}
    return render(request, "serving/history.html", context)


@login_required
def deployment_revisions(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """What it ran and runs; posting makes a new revision."""
    by = actor_of(request)
    deployment = reads.get_deployment(by, team, name)
    if request.method == "POST":
        require(by, Permission.DEPLOYMENT_MANAGE, deployment)
    page = deployment_page(deployment, "revisions", by)
    form, choices, problem = None, [], None
    revision = deployment.revision
    if page["may_manage"] and revision:
        asset = registry.get_asset(by, "model", str(revision.version.asset))
        choices = reads.choices(asset, deployment.stage)
        form = RevisionForm(
            request.POST or None,
            initial={
                "version": revision.version.number,
                "engine": revision.engine,
                "num_gpus": f"{revision.num_gpus:g}",
                "engine_options": json.dumps(revision.engine_options) if revision.engine_options else "",
            },
        )
        form.fields["version"].choices = [  # type: ignore[attr-defined]
            (choice.version.number, f"Version {choice.version.number}" + ("" if choice.allowed else ", not approved"))
            for choice in choices
        ]
        if request.method == "POST" and form.is_valid():
            try:
                version = registry.get_version(by, asset, form.cleaned_data["version"])
                given = {**form.cleaned_data, "version": version}
                if "ask" in request.POST:
                    reason = request.POST.get("reason", "")
                    made = actions.request_update(deployment=deployment, reason=reason, by=by, **given)
                    return to_request(request, made)
                actions.update_deployment(deployment=deployment, by=by, **given)
            except Problem as found:
                if found.errors:
                    add_problem(form, found)
                else:
                    problem = found
            else:
                messages.success(request, "The new revision starts; the old one answers until it does.")
                return redirect(deployment.get_absolute_url())
    rows = deployment.revisions.select_related("version__asset__team", "created_by")
    found_rows, following = keyset_page(rows, order=["-number"], cursor=request.GET.get("cursor", ""))
    context = {
        **page,
        "revisions": found_rows,
        "next": following,
        "form": form,
        "choices": choices,
        "problem": problem,
        "guarded": is_guarded(problem),
    }
    return render(request, "serving/revisions.html", context, status=422 if form and form.is_bound else 200)


@login_required
@require_POST
def deployment_scale(request: HttpRequest, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    deployment = reads.get_deployment(by, team, name)
    form = ScaleForm(request.POST)
    if form.is_valid():
        try:
            actions.scale_deployment(deployment=deployment, by=by, **form.cleaned_data)
        except Forbidden:
            raise
        except Problem as problem:
            add_problem(form, problem)
        else:
            return redirect(deployment.get_absolute_url())
    return overview(request, deployment, scale_form=form, status=422)


@login_required
@require_POST
def deployment_prices(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """What its tokens cost; two empty fields take the price away."""
    by = actor_of(request)
    deployment = reads.get_deployment(by, team, name)
    form = PriceForm(request.POST)
    if form.is_valid():
        try:
            actions.set_prices(deployment=deployment, by=by, **form.cleaned_data)
        except Forbidden:
            raise
        except Problem as problem:
            add_problem(form, problem)
        else:
            return redirect(deployment.get_absolute_url())
    return overview(request, deployment, price_form=form, status=422)


@login_required
@require_POST
def deployment_stop(request: HttpRequest, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    deployment = reads.get_deployment(by, team, name)
    actions.stop_deployment(deployment=deployment, by=by)
    return redirect(deployment.get_absolute_url())


@login_required
@require_POST
def deployment_start(request: HttpRequest, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    deployment = reads.get_deployment(by, team, name)
    try:
        actions.start_deployment(deployment=deployment, by=by)
    except Forbidden:
        raise
    except Problem as problem:
        return overview(request, deployment, problem=problem, status=problem.status)
    return redirect(deployment.get_absolute_url())


@login_required
@require_POST
def deployment_delete(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """The name is typed, since this can't be undone."""
    by = actor_of(request)
    deployment = reads.get_deployment(by, team, name)
    if request.POST.get("confirm") != deployment.name:
        raise Invalid("confirm", f"Type the name {deployment.name} to delete it.")
    actions.delete_deployment(deployment=deployment, by=by)
    messages.success(request, f"{deployment} is deleted. The ledger keeps what it was.")
    return redirect("deployment-list")
