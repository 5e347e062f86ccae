"""Pages: the audit ledger. They read; nothing here changes anything."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.authentication import actor_of
from accounts.current import teams_of
from accounts.errors import NotFound, Problem
from governance.access import ledger_teams, visible_views
from governance.asking import FIELDS, filter_of, found_page
from governance.forms import ACTIONS
from governance.ledger.filters import Filter
from governance.ledger.models import AuditEvent, EventText
from governance.ledger.reads import find, search
from governance.sentences import changes
from governance.views.saved_views import team_for_views

DOORS = [
    ("ui", "Pages"),
    ("api", "REST and clients"),
    ("mlflow", "MLflow"),
    ("hf", "Hugging Face"),
    ("langfuse", "Langfuse"),
    ("gateway", "Gateway"),
    ("task", "Background work"),
    ("command", "Command line"),
]
EXPORTS = [
    ("jsonl", "JSONL, with proofs: for the offline verifier"),
    ("csv", "CSV: for a spreadsheet"),
    ("ocsf", "OCSF: for a SIEM"),
]
_FACTS = (
    "id", "team", "actor_id", "via", "key_id", "request_id", "action", "target_kind", "target_id", "target_digest", "subjects",
)  # fmt: skip
_CHIPS = {
    "actor": "Who", "asset": "What", "action": "Action", "flag": "Origin", "after": "From", "before": "Until",
    "team": "Team", "door": "Came through", "key": "Key", "request": "HTTP request", "about": "Exactly",
}  # fmt: skip
_MOST_NEW = 99
_LIFE_PAGE = 200
_RELATED = 20


@login_required
@require_safe
def ledger_list(request: HttpRequest) -> HttpResponse:
    """Every act, newest first; the filter is the address."""
    by = actor_of(request)
    teams = ledger_teams(by)
    values = {name: request.GET.get(name, "") for name in FIELDS}
    problem = None
    events: list[AuditEvent] = []
    following, partial = None, False
    try:
        found, following = found_page(filter_of(values), teams=teams, cursor=request.GET.get("cursor", ""))
        events, partial = found.events, found.partial
    except Problem as wrong:
        problem = wrong
    views = list(visible_views(by)[:30])
    query = request.GET.urlencode()
    filters = _filters(values, [team.name for team in teams_of(request)[0]])
    context = {
        "problem": problem,
        "days": by_day(events),
        "events": events,
        "next": following,
        "partial": partial,
        "further": f"?{_with(request, cursor=following or '')}",
        "exports": EXPORTS,
        "main_filters": filters[:4],
        "more_filters": filters[4:],
        "chip_filters": [entry | {"label": _CHIPS[entry["name"]]} for entry in filters],
        "more_chosen": sum(bool(entry["value"]) for entry in filters[4:]),
        "chosen": any(values.values()),
        "views": views,
        "view_now": next((view for view in views if view.query and view.query == query), None),
        "may_save": team_for_views(request) is not None,
        "newest": events[0].pk if events and not request.GET.get("cursor") else None,
    }
    return render(request, "governance/ledger_list.html", context, status=400 if problem else 200)


def _filters(values: dict[str, str], teams: Sequence[str]) -> list[dict[str, Any]]:
    """The fields of the filter row: the first four always in sight, the others behind 'More'."""
    return [
        {"name": "actor", "kind": "search", "label": "Who: name or e-mail", "value": values["actor"]},
        {"name": "asset", "kind": "search", "label": "What: name or digest", "value": values["asset"]},
        {"name": "action", "kind": "choice", "label": "Any action", "value": values["action"], "choices": ACTIONS[1:]},
        {
            "name": "flag",
            "kind": "choice",
            "label": "All changes",
            "value": values["flag"],
            "choices": [("out_of_band", "Behind the application's back")],
        },
        {"name": "after", "kind": "datetime-local", "label": "From (UTC)", "value": values["after"]},
        {"name": "before", "kind": "datetime-local", "label": "Until (UTC)", "value": values["before"]},
        {
            "name": "team",
            "kind": "choice",
            "label": "Any team",
            "value": values["team"],
            "choices": [(name, name) for name in teams],
        },
        {"name": "door", "kind": "choice", "label": "Came through", "value": values["door"], "choices": DOORS},
        {"name": "key", "kind": "text", "label": "Key id", "value": values["key"]},
        {"name": "request", "kind": "text", "label": "HTTP request id", "value": values["request"]},
        {"name": "about", "kind": "text", "label": "Exactly, as model:7", "value": values["about"]},
    ]


def _with(request: HttpRequest, **changed: str) -> str:
    parameters = request.GET.copy()
    for name, value in changed.items():
        parameters[name] = value
    return parameters.urlencode()


@login_required
@require_safe
def ledger_newer(request: HttpRequest) -> HttpResponse:
    """How many events have come since the page was made, as the hint above the list."""
    teams = ledger_teams(actor_of(request))
    since = request.GET.get("since", "")
    count = 0
    if since.isdecimal() and len(since) < 19:
        try:
            found = find(filter_of(request.GET.dict()), teams=teams, limit=_MOST_NEW)
        except Problem:
            return render(request, "governance/ledger_newer.html", {"since": since, "count": 0})
        count = sum(event.pk > int(since) for event in found.events)
    parameters = request.GET.copy()
    parameters.pop("since", None)
    context = {"since": since, "count": count, "more": count == _MOST_NEW, "query": parameters.urlencode()}
    return render(request, "governance/ledger_newer.html", context)


@login_required
@require_safe
def event_detail(request: HttpRequest, event_id: int) -> HttpResponse:
    """One event with everything that was recorded, before and after as a difference, and its proof in the browser."""
    teams = ledger_teams(actor_of(request))
    event = search(Filter(), teams=teams).filter(pk=event_id).first() if event_id < 2**63 else None
    if event is None:
        raise NotFound("There is no such event that you can see.")
    together = []
    if event.request_id:
        found = find(Filter(request=event.request_id), teams=teams, limit=_RELATED, ascending=True).events
        together = [one for one in found if one.pk != event.pk]
    context = {
        "event": event,
        "changes": changes(event.before, event.after),
        "came_through": dict(DOORS).get(event.via, event.via),
        "erased_change": not {"before", "after"}.isdisjoint(event.erased),
        "subjects": [_subject(event, subject) for subject in event.subjects],
        "together": together,
        "shown": _shown(event),
    }
    return render(request, "governance/event_detail.html", context)


def _shown(event: AuditEvent) -> dict[str, Any]:
    """What the page shows of an event, in the shape in which the browser compares it with the sealed leaf."""
    at = event.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    facts = {name: getattr(event, name) for name in _FACTS} | {"at": at}
    return {
        "facts": facts,
        "texts": {name: getattr(event.text, name) for name in EventText.FIELDS},
        "erased": event.erased,
    }


def _subject(event: AuditEvent, subject: str) -> dict[str, str]:
    kind, _, key = subject.partition(":")
    own = (kind, key) == (event.target_kind, event.target_id)
    return {"kind": kind, "id": key, "label": event.target_label if own and event.target_label else f"{kind} {key}"}


@login_required
@require_safe
def life(request: HttpRequest, kind: str, key: str) -> HttpResponse:
    """The whole life of one thing (a version, an asset, a request), oldest first; of a person and a key what they did, too."""
    teams = ledger_teams(actor_of(request))
    newest_first = request.GET.get("order") == "newest"
    found, following = found_page(
        Filter(about=(f"{kind}:{'' if key == '-' else key}",)),
        teams=teams,
        cursor=request.GET.get("cursor", ""),
        limit=_LIFE_PAGE,
        ascending=not newest_first,
    )
    if not found.events:
        raise NotFound("The ledger has no events about this that you can see.")
    named = [e.target_label for e in found.events if (e.target_kind, e.target_id) == (kind, key) and e.target_label]
    if kind == "user":
        named += [e.actor_name for e in found.events if str(e.actor_id) == key and e.actor_name]
    context = {
        "events": found.events,
        "next": following,
        "kind": kind,
        "key": key,
        "title": named[0] if named else f"{kind} {key}",
        "days": by_day(found.events),
        "newest_first": newest_first,
        "acts": kind in ("user", "key"),
    }
    return render(request, "governance/life.html", context)


def by_day(events: Sequence[AuditEvent]) -> list[tuple[Any, list[AuditEvent]]]:
    """The events under the day (UTC) that they fell on, in their order."""
    days: dict[Any, list[AuditEvent]] = {}
    for event in events:
        days.setdefault(event.at.date(), []).append(event)
    return list(days.items())
