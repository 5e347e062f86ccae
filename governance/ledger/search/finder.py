"""Finding a page of events at any size of the ledger.

A filter becomes terms (`plan`). Their postings are read block by block from one end and joined, and the events that they
name are fetched and checked against the whole filter. The tail, events that no posting holds yet, is read as it stands.
No page examines more than a bounded number of events: where that is not enough the page says how far it got."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice

from django.db.models import Max, Min

from governance.ledger.commits import Position
from governance.ledger.filters import Filter
from governance.ledger.models import AuditEvent
from governance.ledger.search.builder import indexed_to
from governance.ledger.search.models import SearchBatch
from governance.ledger.search.plan import Plan, plan_of
from governance.ledger.search.postings import matches
from governance.ledger.search.tail import tail, tail_ids

_MOST_EXAMINED = 20_000
_CHUNK = 1000
_STEP = 5000
_LAST = 2**63 - 1


@dataclass(frozen=True)
class Found:
    """A page. next_id: go on after this event; None at the end. partial: the bound was met before the page was full."""

    events: list[AuditEvent]
    next_id: int | None = None
    partial: bool = False


def find(
    chosen: Filter,
    *,
    teams: Iterable[str] | None,
    after_id: int | None = None,
    limit: int = 50,
    ascending: bool = False,
) -> Found:
    """Events of these teams (None: of all, and those of none), newest first unless ascending, those beyond `after_id`."""
    since = indexed_to()
    plan = plan_of(chosen, teams, since)
    if plan.nothing:
        return Found([])
    low = 1 if not ascending or after_id is None else after_id + 1
    high = _LAST if ascending or after_id is None else after_id - 1
    if not plan.groups:
        return _walk(plan, _every_span(plan, since, low, high, ascending), limit, ascending)
    ids = _ids(plan, since, low, high, limit + 1, ascending)
    events: list[AuditEvent] = []
    examined = 0
    while chunk := list(islice(ids, _CHUNK if examined else limit + 1)):
        examined += len(chunk)
        rows = AuditEvent.objects.filter(plan.where).in_bulk(chunk)
        events += [rows[pk] for pk in chunk if pk in rows]
        if len(events) > limit:
            return Found(events[:limit], events[limit - 1].pk)
        if examined >= _MOST_EXAMINED:
            return Found(events, chunk[-1], partial=True)
    return Found(events)


def _walk(plan: Plan, spans: Iterable[tuple[int, int]], limit: int, ascending: bool) -> Found:
    """Read event by event what no posting narrows: few ids at first, then more, up to the bound."""
    events: list[AuditEvent] = []
    examined, step = 0, 4 * limit
    for low, high in spans:
        while low <= high:
            begin, end = (low, min(low + step - 1, high)) if ascending else (max(high - step + 1, low), high)
            rows = AuditEvent.objects.filter(plan.where, id__range=(begin, end))
            events += rows.order_by("id" if ascending else "-id")[: limit + 1 - len(events)]
            if len(events) > limit:
                return Found(events[:limit], events[limit - 1].pk)
            low, high = (end + 1, high) if ascending else (low, begin - 1)
            examined, step = examined + end - begin + 1, _STEP
            if examined >= _MOST_EXAMINED:
                return Found(events, end if ascending else begin, partial=True)
    return Found(events)


def _every_span(plan: Plan, since: Position, low: int, high: int, ascending: bool) -> Sequence[tuple[int, int]]:
    """The ranges of ids in which events of the plan's time are, the tail's among them."""
    timed = plan.after is not None or plan.before is not None
    events = tail(since).filter(plan.where) if timed else AuditEvent.objects.all()
    ends = events.order_by().aggregate(low=Min("id"), high=Max("id"))
    spans = _spans(plan.after, plan.before, low, high) if timed else []
    if ends["low"] is not None:
        spans = _merged([*spans, (max(ends["low"], low), min(ends["high"], high))])
    return spans if ascending else spans[::-1]


def _ids(plan: Plan, since: Position, low: int, high: int, limit: int, ascending: bool) -> Iterator[int]:
    """Ids of events that carry the plan's terms, in order, each once."""
    spans = _spans(plan.after, plan.before, low, high)
    settled = (
        one
        for begin, end in (spans if ascending else spans[::-1])
        for one in matches(plan.groups, begin, end, ascending=ascending)
    )
    recent = tail_ids(since, plan.where, low=low, high=high, limit=limit, ascending=ascending)
    return (one for one, _ in groupby(heapq.merge(recent, settled, reverse=not ascending)))


def _spans(after: datetime | None, before: datetime | None, low: int, high: int) -> list[tuple[int, int]]:
    """Ranges of ids, apart and ascending, in which the indexed events of this time are: those of the batches that touch it.
    Ids run nearly as time does; a batch with a straggler widens its own range alone."""
    batches = SearchBatch.objects.order_by("min_id")
    if after is None and before is None:
        last = SearchBatch.objects.order_by("-max_id").values_list("max_id", flat=True).first() or 0
        return [(low, min(high, last))] if low <= min(high, last) else []
    if after:
        batches = batches.filter(max_at__gte=after)
    if before:
        batches = batches.filter(min_at__lt=before)
    return _merged([(max(begin, low), min(end, high)) for begin, end in batches.values_list("min_id", "max_id")])


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if begin > end:
            continue
        if merged and begin <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def ids_of(chosen: Filter, *, teams: Iterable[str] | None, limit: int) -> list[int]:
    """Ids of the newest events that meet a filter of exact things (no text, no time): what their postings say is so."""
    since = indexed_to()
    plan = plan_of(chosen, teams, since)
    return [] if plan.nothing else list(islice(_ids(plan, since, 1, _LAST, limit, ascending=False), limit))
