"""Pages: the audit ledger. They read; nothing here changes anything."""

import json
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.authentication import actor_of
from accounts.errors import NotFound, Problem
from accounts.rest import keyset_page
from governance.access import ledger_teams
from governance.api.ledger import filter_of
from governance.forms import ACTIONS
from governance.ledger.actions import Target
from governance.ledger.models import AuditEvent
from governance.ledger.reads import Filter, events_about, search

FILTERS = ("actor", "asset", "action", "after", "before")


@login_required
@require_safe
def ledger_list(request: HttpRequest) -> HttpResponse:
    """Every act, newest first, with filters by person, asset, action and time in the address."""
    teams = ledger_teams(actor_of(request))
    values = {name: request.GET.get(name, "") for name in FILTERS}
    problem = None
    try:
        chosen = filter_of(values)
    except Problem as wrong:
        chosen, problem = Filter(), wrong
    found, following = keyset_page(search(chosen, teams=teams), order=["-id"], cursor=request.GET.get("cursor", ""))
    context = {
        "problem": problem,
        "events": found,
        "next": following,
        "filters": [
            {"name": "actor", "kind": "search", "label": "Who: name or e-mail", "value": values["actor"]},
            {"name": "asset", "kind": "search", "label": "What: acme/date-normaliser", "value": values["asset"]},
            {
                "name": "action",
                "kind": "choice",
                "label": "Any action",
                "value": values["action"],
                "choices": ACTIONS[1:],
            },
            {"name": "after", "kind": "date", "label": "From", "value": values["after"]},
            {"name": "before", "kind": "date", "label": "Until", "value": values["before"]},
        ],
    }
    return render(request, "governance/ledger_list.html", context, status=400 if problem else 200)


@login_required
@require_safe
def event_detail(request: HttpRequest, event_id: int) -> HttpResponse:
    """One event with everything that was recorded, before and after as a difference."""
    event = search(Filter(), teams=ledger_teams(actor_of(request))).filter(pk=event_id).first()
    if event is None:
        raise NotFound("There is no such event that you can see.")
    subjects = [subject.partition(":") for subject in event.subjects]
    context = {
        "event": event,
        "before": pretty(event.before),
        "after": pretty(event.after),
        "subjects": [{"kind": kind, "id": key} for kind, _, key in subjects],
    }
    return render(request, "governance/event_detail.html", context)


def pretty(value: Any) -> str:
    return "" if value is None else json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)


@login_required
@require_safe
def life(request: HttpRequest, kind: str, key: str) -> HttpResponse:
    """The whole life of one thing (a version, an asset, a person, a request), oldest first."""
    teams = ledger_teams(actor_of(request))
    events = events_about(Target(kind, key, ""))
    if teams is not None:
        events = events.filter(team__in=teams)
    found, following = keyset_page(events.order_by("id"), order=["id"], cursor=request.GET.get("cursor", ""), limit=200)
    if not found:
        raise NotFound("The ledger has no events about this that you can see.")
    title = next((e.target_label for e in found if (e.target_kind, e.target_id) == (kind, key)), f"{kind} {key}")
    context = {"events": found, "next": following, "kind": kind, "key": key, "title": title, "days": _by_day(found)}
    return render(request, "governance/life.html", context)


def _by_day(events: list[AuditEvent]) -> list[tuple[Any, list[AuditEvent]]]:
    days: dict[Any, list[AuditEvent]] = {}
    for event in events:
        days.setdefault(event.at.date(), []).append(event)
    return list(days.items())
