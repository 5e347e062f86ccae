"""Reading the ledger: by subject, by the auditor's filters and in commit order. Callers have checked `ledger.view`."""

from collections.abc import Iterable

from django.db.models import QuerySet

from governance.ledger.actions import Target
from governance.ledger.commits import Position, committed_after
from governance.ledger.filters import Filter
from governance.ledger.models import AuditEvent
from governance.ledger.search.builder import indexed_to
from governance.ledger.search.finder import Found, find, ids_of
from governance.ledger.search.plan import plan_of

__all__ = ["Filter", "Found", "Position", "committed_after", "events_about", "find", "search"]
MOST_SHOWN = 1000


def events_about(*targets: Target) -> QuerySet[AuditEvent]:
    """The newest 1,000 events that name one of these, newest first: the life of a version, an asset, a request. `find` pages
    through all of them."""
    chosen = Filter(about=tuple(target.subject for target in targets))
    return AuditEvent.objects.filter(pk__in=ids_of(chosen, teams=None, limit=MOST_SHOWN)).order_by("-id")


def search(chosen: Filter, *, teams: Iterable[str] | None) -> QuerySet[AuditEvent]:
    """All events of these teams (None: of all, those without a team included) that meet the filter, newest first: for a
    look at one of them, or for an export that reads the whole ledger anyway. `find` makes pages."""
    plan = plan_of(chosen, teams, indexed_to())
    return AuditEvent.objects.none() if plan.nothing else AuditEvent.objects.filter(plan.where).order_by("-id")
