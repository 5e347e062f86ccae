"""Writes the postings, batch by batch, in commit order. Runs beside the writers and takes no lock that they need."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from django.db import connection, transaction

from governance.ledger.commits import Position, committed_after
from governance.ledger.models import AuditEvent
from governance.ledger.search.models import SearchBatch, SearchName
from governance.ledger.search.terms import BLOCK, BLOCK_BITS, facets_of, pack, term, trigrams

BATCH = BLOCK
_LOCK = 0x5EA2C4


def build(*, most: int = 100, batch: int = BATCH) -> int:
    """Index up to `most` whole batches; how many were. What is left over, less than a batch, is read as it stands. Two
    builders at once: the second finds nothing to do."""
    done = 0
    while done < most and _one(batch):
        done += 1
    return done


def indexed_to() -> Position:
    last = SearchBatch.objects.order_by("-id").values_list("xid", "event_id").first()
    return Position(*last) if last else Position()


@transaction.atomic
def _one(size: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return False
    last = SearchBatch.objects.order_by("-id").first()
    events = committed_after(Position(last.xid, last.event_id) if last else Position(), size)
    if len(events) < size:
        return False
    _name(events)
    names, names_to = _whole_block_of_names(last.names_to if last else 0)
    made = SearchBatch.objects.create(
        xid=events[-1].xid,
        event_id=events[-1].pk,
        events=len(events),
        min_id=min(event.pk for event in events),
        max_id=max(event.pk for event in events),
        min_at=min(event.at for event in events),
        max_at=max(event.at for event in events),
        names_to=names_to,
    )
    found: dict[tuple[str, object], set[int]] = defaultdict(set)
    for event in events:
        for facet in facets_of(event):
            found[facet].add(event.pk)
    for name in names:
        for letters in trigrams(name.lowered):
            found["letters", letters].add(name.pk)
    by_term: dict[int, set[int]] = {}
    for facet, ids in found.items():
        by_term.setdefault(term(*facet), set()).update(ids)
    _write(made.pk, by_term)
    return True


def _name(events: Sequence[AuditEvent]) -> None:
    """Store the names in these events that were not known yet."""
    wanted = dict.fromkeys(pair for event in events for pair in names_of(event))
    subjects = {subject for subject, _ in wanted}
    known = set(SearchName.objects.filter(subject__in=subjects).values_list("subject", "name"))
    SearchName.objects.bulk_create(
        [SearchName(subject=s, name=name, lowered=name.lower()[:300]) for s, name in wanted if (s, name) not in known]
    )


def _whole_block_of_names(names_to: int) -> tuple[Sequence[SearchName], int]:
    """The next block of names, once it is whole: postings of a few names each would be read one by one. One builder at a
    time stores names, so that none with a smaller id comes later."""
    last = SearchName.objects.order_by("-id").values_list("id", flat=True).first() or 0
    if last < names_to + BLOCK:
        return [], names_to
    return list(SearchName.objects.filter(id__gte=names_to, id__lt=names_to + BLOCK)), names_to + BLOCK


def names_of(event: AuditEvent) -> Iterable[tuple[str, str]]:
    """(subject, name) pairs of one event; what was erased has none."""
    actor = f"actor:{'' if event.actor_id is None else event.actor_id}"
    target = f"{event.target_kind}:{event.target_id}"
    text = event.text
    pairs = [(actor, text.actor_name), (actor, text.actor_email), (target, text.target_label)]
    return [(subject[:110], name) for subject, name in pairs if name]


def _write(batch: int, found: Mapping[int, Iterable[int]]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY ledger_searchposting (term, block, batch, places) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(["int8", "int4", "int8", "bytea"])
        for number, ids in sorted(found.items()):
            blocks: dict[int, list[int]] = defaultdict(list)
            for one in ids:
                blocks[one >> BLOCK_BITS].append(one & (BLOCK - 1))
            for block, places in blocks.items():
                copy.write_row((number, block, batch, pack(places)))
