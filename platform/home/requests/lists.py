"""The inbox's tabs, filters and rows. Every tab is one page of rows, their reviews, and one row of counts."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import QueryDict
from django.utils import timezone

from accounts.access import Actor
from accounts.rest import keyset_page
from governance.models import ApprovalRequest, Review
from governance.stages import Stage
from home import approvals
from home.requests.wording import headline, movement, waits_for

State = ApprovalRequest.State
TABS = {
    "inbox": "For you",
    "mine": "Yours",
    "open": "Open",
    "scheduled": "Scheduled",
    "glass": "Broken glass",
    "renewals": "Renewals",
    "closed": "Closed",
}
_CLOSED = [State.APPLIED, State.REJECTED, State.WITHDRAWN, State.EXPIRED, State.SUPERSEDED]
_AGES = {"1": "Older than a day", "3": "Older than 3 days", "7": "Older than a week", "30": "Older than a month"}
# Escalated requests stand before all others, up to here.
_MOST_URGENT = 20


def _scope(tab: str, actor: Actor) -> Q:
    """What a tab shows of the requests that the actor sees; `inbox` has its own query."""
    return {
        "mine": Q(requested_by_id=actor.id),
        "open": Q(state=State.OPEN),
        "scheduled": Q(state=State.APPROVED),
        "glass": Q(glass_broken=True),
        "renewals": Q(renews__isnull=False, state__in=[State.OPEN, State.APPROVED]),
        "closed": Q(state__in=_CLOSED),
    }[tab]


def counts(actor: Actor) -> dict[str, int]:
    """How many of each tab ask for something to be done, in one query. What is closed is not counted."""
    seen = approvals.visible_requests(actor)
    found: dict[str, int] = seen.aggregate(
        inbox=Count("pk", filter=approvals.waits_for(actor)),
        mine=Count("pk", filter=Q(requested_by_id=actor.id, state__in=[State.OPEN, State.APPROVED])),
        open=Count("pk", filter=_scope("open", actor)),
        scheduled=Count("pk", filter=_scope("scheduled", actor)),
        glass=Count("pk", filter=Q(afterwards=ApprovalRequest.Afterwards.PENDING)),
        renewals=Count("pk", filter=_scope("renewals", actor)),
    )
    return found


@dataclass(frozen=True)
class Row:
    request: ApprovalRequest
    headline: str
    movement: str
    waits_for: str


@dataclass(frozen=True)
class Page:
    rows: list[Row]
    next: str | None
    filters: list[dict[str, Any]]
    filtered: bool


def page(actor: Actor, tab: str, asked: QueryDict, teams: list[Any]) -> Page:
    """One page of a tab: escalated first, then newest first."""
    rows = approvals.inbox(actor) if tab == "inbox" else approvals.visible_requests(actor).filter(_scope(tab, actor))
    filters = _filters(asked, teams, with_state=tab in ("closed", "mine"))
    rows = _narrow(rows, {entry["name"]: entry["value"] for entry in filters})
    reviews = Prefetch(
        "reviews", queryset=Review.objects.exclude(verdict=Review.Verdict.COMMENT).select_related("reviewer")
    )
    rows = rows.prefetch_related(reviews)
    urgent: list[ApprovalRequest] = []
    if tab in ("inbox", "open", "renewals"):
        urgent = list(rows.filter(escalated_at__isnull=False).order_by("escalated_at", "id")[:_MOST_URGENT])
        rows = rows.exclude(pk__in=[request.pk for request in urgent]) if urgent else rows
    cursor = asked.get("cursor", "")
    found, following = keyset_page(rows, order=["-id"], cursor=cursor)
    return Page(
        rows=[_row(request) for request in [*([] if cursor else urgent), *found]],
        next=following,
        filters=filters,
        filtered=any(entry["value"] for entry in filters),
    )


def _row(request: ApprovalRequest) -> Row:
    return Row(request, headline(request), movement(request), waits_for(request, request.reviews.all()))


def _filters(asked: QueryDict, teams: list[Any], *, with_state: bool) -> list[dict[str, Any]]:
    """The filter row; a value that is no choice is as if it were not there."""
    choices: list[tuple[str, str, list[tuple[str, str]]]] = [
        ("kind", "Kind", [(kind.value, kind.value.capitalize()) for kind in ApprovalRequest.Kind]),
        ("stage", "Stage", [(stage.value, stage.value.capitalize()) for stage in Stage]),
        ("age", "Age", list(_AGES.items())),
    ]
    if len(teams) > 1:
        choices.insert(2, ("of", "Team", [(team.name, team.title or team.name) for team in teams]))
    if with_state:
        choices.append(("state", "State", [(state.value, state.value.capitalize()) for state in State]))
    found: list[dict[str, Any]] = [
        {"name": "q", "kind": "search", "label": "Search by asset or reason", "value": asked.get("q", "").strip()[:200]}
    ]
    for name, label, options in choices:
        value = asked.get(name, "")
        known = value if value in {option for option, _ in options} else ""
        found.append({"name": name, "kind": "choice", "label": label, "value": known, "choices": options})
    return found


def _narrow(rows: QuerySet[ApprovalRequest], chosen: dict[str, str]) -> QuerySet[ApprovalRequest]:
    if text := chosen["q"].replace("\0", ""):
        rows = rows.filter(Q(asset_label__icontains=text) | Q(reason__icontains=text))
    if chosen["age"]:
        rows = rows.filter(created_at__lt=timezone.now() - timedelta(days=int(chosen["age"])))
    for name, field in (("kind", "kind"), ("stage", "stage"), ("of", "team__name"), ("state", "state")):
        if chosen.get(name):
            rows = rows.filter(**{field: chosen[name]})
    return rows
