"""The tail: events that have no postings yet, at most a batch and what has been written since the builder last looked."""

from collections.abc import Sequence

from django.db.models import F, Q, QuerySet

from governance.ledger.commits import Position
from governance.ledger.models import AuditEvent


def tail(since: Position) -> QuerySet[AuditEvent]:
    """Events after this place in commit order, committed or ours."""
    later = Q(xid=since.xid, id__gt=since.id) | Q(xid__gt=since.xid)
    return AuditEvent.objects.filter(later, xid__gte=since.xid)


def tail_ids(since: Position, where: Q, *, low: int, high: int, limit: int, ascending: bool) -> Sequence[int]:
    """Ids in the tail that meet the condition, in order. Sorted by an expression, so that the planner starts from the tail
    and not from the end of the primary key."""
    rows = tail(since).filter(where, id__range=(low, high)).values_list("id", flat=True)
    order = F("id") + 0
    return list(rows.order_by(order.asc() if ascending else order.desc())[:limit])
