"""Pages of a team's webhooks and what was sent to them."""

import json
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import Problem
from accounts.pages import add_problem
from accounts.rest import keyset_page
from notifications import actions, reads
from notifications.deliveries import body_of
from notifications.forms import ResendForm, RotateForm, WebhookForm
from notifications.models import Delivery, Endpoint
from notifications.policies import require_manage
from notifications.tail import known_types


@login_required
@require_safe
def webhook_list(request: HttpRequest) -> HttpResponse:
    by, team = actor_of(request), current_team(request)
    if team is None:
        return redirect("home")
    rows, following = keyset_page(reads.webhooks_of(by, team), order=["-id"], cursor=request.GET.get("cursor", ""))
    return render(request, "notifications/webhook_list.html", {"team": team, "webhooks": rows, "next": following})


def _form_page(request: HttpRequest, form: WebhookForm, webhook: Endpoint | None) -> HttpResponse:
    chosen = set(form["events"].value() or [])
    nouns = [
        {
            "noun": noun,
            "all": f"{noun}.*",
            "whole": f"{noun}.*" in chosen,
            "types": [(name, name.partition(".")[2].replace("_", " "), name in chosen) for name in names],
            "open": any(name in chosen for name in names),
        }
        for noun, names in known_types().items()
    ]
    context = {"form": form, "webhook": webhook, "nouns": nouns, "everything": "*" in chosen}
    return render(request, "notifications/webhook_form.html", context, status=422 if form.errors else 200)


@login_required
@never_cache
def webhook_create(request: HttpRequest) -> HttpResponse:
    """A form; the answer to it is the only page that shows the secret."""
    by, team = actor_of(request), current_team(request)
    if team is None:
        return redirect("home")
    require_manage(by, team)
    form = WebhookForm(request.POST or None, initial={"events": ["*"]})
    if request.method == "POST" and form.is_valid():
        try:
            webhook, secret = actions.create_webhook(team=team, by=by, **form.cleaned_data)
        except Problem as problem:
            add_problem(form, problem)
        else:
            return _detail(request, webhook, secret=secret)
    return _form_page(request, form, None)


@login_required
def webhook_edit(request: HttpRequest, webhook_id: int) -> HttpResponse:
    by = actor_of(request)
    webhook = reads.get_webhook(by, webhook_id)
    given = {"url": webhook.url, "description": webhook.description, "events": webhook.events}
    form = WebhookForm(request.POST or None, initial=given)
    if request.method == "POST" and form.is_valid():
        try:
            actions.change_webhook(webhook=webhook, by=by, **form.cleaned_data)
        except Problem as problem:
            add_problem(form, problem)
        else:
            messages.success(request, "The webhook is saved.")
            return redirect("webhook-detail", webhook.pk)
    return _form_page(request, form, webhook)


@login_required
@require_safe
def webhook_detail(request: HttpRequest, webhook_id: int) -> HttpResponse:
    return _detail(request, reads.get_webhook(actor_of(request), webhook_id))


def _detail(request: HttpRequest, webhook: Endpoint, *, secret: str = "") -> HttpResponse:
    state = request.GET.get("state", "")
    wanted = state if state in set(Delivery.State) else ""
    found = reads.deliveries_of(webhook, state=wanted)
    rows, following = keyset_page(found, order=["-id"], cursor=request.GET.get("cursor", ""), limit=30)
    choices = [(option.value, option.label) for option in Delivery.State]
    context: dict[str, Any] = {
        "webhook": webhook,
        "deliveries": rows,
        "next": following,
        "secret": secret,
        "rotate": RotateForm(),
        "resend": ResendForm(),
        "waiting": any(row.state == Delivery.State.WAITING for row in rows),
        "filters": [{"name": "state", "kind": "choice", "label": "Any state", "value": wanted, "choices": choices}],
    }
    return render(request, "notifications/webhook_detail.html", context)


@login_required
@require_POST
def webhook_enable(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """Switch it on or (on=0) off."""
    by = actor_of(request)
    on = request.POST.get("on") != "0"
    actions.change_webhook(webhook=reads.get_webhook(by, webhook_id), enabled=on, by=by)
    messages.success(request, "The webhook is enabled." if on else "The webhook is disabled.")
    return redirect("webhook-detail", webhook_id)


@login_required
@require_POST
@never_cache
def webhook_rotate(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """A new secret: this answer alone shows it."""
    by = actor_of(request)
    webhook = reads.get_webhook(by, webhook_id)
    form = RotateForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose for how long the old secret goes on working.")
        return redirect("webhook-detail", webhook_id)
    secret = actions.rotate_secret(webhook=webhook, overlap=form.overlap_of(), by=by)
    return _detail(request, reads.get_webhook(by, webhook_id), secret=secret)


@login_required
@require_POST
def webhook_remove(request: HttpRequest, webhook_id: int) -> HttpResponse:
    by = actor_of(request)
    webhook = reads.get_webhook(by, webhook_id)
    actions.remove_webhook(webhook=webhook, by=by)
    messages.success(request, f"The webhook '{webhook}' is removed.")
    return redirect("webhook-list")


@login_required
@require_POST
def webhook_test(request: HttpRequest, webhook_id: int) -> HttpResponse:
    by = actor_of(request)
    delivery = actions.send_test(webhook=reads.get_webhook(by, webhook_id), by=by)
    messages.success(request, "A test message is on its way.")
    return redirect("delivery-detail", delivery.pk)


@login_required
@require_POST
def deliveries_resend(request: HttpRequest, webhook_id: int) -> HttpResponse:
    by = actor_of(request)
    webhook = reads.get_webhook(by, webhook_id)
    form = ResendForm(request.POST)
    if form.is_valid():
        count = actions.resend_failed(webhook=webhook, since=form.since(), by=by)
        text = (
            f"{count} message{'' if count == 1 else 's'} are sent again."
            if count
            else "No message failed in that time."
        )
        messages.success(request, text)
    else:
        messages.error(request, "Choose from when on messages are sent again.")
    return redirect("webhook-detail", webhook_id)


@login_required
@require_safe
def delivery_detail(request: HttpRequest, delivery_id: int) -> HttpResponse:
    """One message: what was sent, and each attempt's answer. Goes on by itself while it waits."""
    delivery = reads.get_delivery(actor_of(request), delivery_id)
    body = body_of(delivery)
    context = {
        "delivery": delivery,
        "attempts": list(reversed(delivery.attempts.all())),
        "body": json.dumps(json.loads(body), indent=2, ensure_ascii=False) if body else "",
    }
    partial = request.htmx  # type: ignore[attr-defined]
    return render(request, "notifications/_delivery.html" if partial else "notifications/delivery.html", context)


@login_required
@require_POST
def delivery_resend(request: HttpRequest, delivery_id: int) -> HttpResponse:
    by = actor_of(request)
    actions.resend(delivery=reads.get_delivery(by, delivery_id), by=by)
    messages.success(request, "The message is sent again.")
    return redirect("delivery-detail", delivery_id)
