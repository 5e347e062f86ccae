"""Reading the ledger in commit order, so that a reader who goes on from where it was skips nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Q

from governance.ledger.models import AuditEvent


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
