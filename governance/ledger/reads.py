"""Reading the ledger: by subject, and by the auditor's filters. Callers have checked `ledger.view`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Q, QuerySet

from governance.ledger.actions import Target
from governance.ledger.models import AuditEvent


def events_about(*targets: Target) -> QuerySet[AuditEvent]:
    """Every event that names one of these, newest first: the life of a version, an asset, a request."""
    return AuditEvent.objects.filter(subjects__overlap=[target.subject for target in targets]).order_by("-id")


@dataclass(frozen=True)
class Filter:
    """The auditor's filter. actor: name or e-mail; asset: a part of the target's label; times with zone."""

    actor: str = ""
    asset: str = ""
    action: str = ""
    after: datetime | None = None
    before: datetime | None = None


def search(chosen: Filter, *, teams: Iterable[str] | None) -> QuerySet[AuditEvent]:
    """Events of these teams (None: of all, those without a team included), newest first."""
    events = AuditEvent.objects.order_by("-id")
    if teams is not None:
        events = events.filter(team__in=list(teams))
    if chosen.actor:
        events = events.filter(Q(actor_email__iexact=chosen.actor) | Q(actor_name__icontains=chosen.actor))
    if chosen.asset:
        events = events.filter(target_label__icontains=chosen.asset)
    if chosen.action:
        events = events.filter(action__startswith=chosen.action)
    if chosen.after:
        events = events.filter(at__gte=chosen.after)
    if chosen.before:
        events = events.filter(at__lt=chosen.before)
    return events


@dataclass(frozen=True)
class Position:
    """How far somebody has read the ledger in commit order: the last event's transaction and id."""

    xid: int = 0
    id: int = 0


def committed_after(position: Position, limit: int) -> Sequence[AuditEvent]:
    """The next events in commit order. None is skipped: those of a transaction that may still commit before them, and all
    that are younger than it, wait until it has ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        horizon = cursor.fetchone()[0]
    later = Q(xid=position.xid, id__gt=position.id) | Q(xid__gt=position.xid)
    return list(AuditEvent.objects.filter(later, xid__lt=horizon, xid__gte=position.xid).order_by("xid", "id")[:limit])
