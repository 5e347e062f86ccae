"""The ledger as a stream: JSONL for the verifier, CSV for people, OCSF for a SIEM. Memory stays flat: rows are read a
few at a time by their place in the tree, and whoever is cut off goes on from the last one's."""

import base64
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.utils import timezone

from governance.ledger import ocsf
from governance.ledger.canonical import FIELDS, canonical, moment
from governance.ledger.filters import Filter
from governance.ledger.proofs import Sealed, inclusion_paths, last_checkpoint, sealed_events
from governance.ledger.reads import search

STEP = 1000
WINDOW = 20_000
Row = tuple[Sealed, list[bytes] | None]
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
CSV_COLUMNS = (
    "index", "id", "at", "team", "actor_id", "actor_name", "actor_email", "via", "key_id", "address", "request_id", "action",
    "target_kind", "target_id", "target_label", "target_digest", "subjects", "before", "after", "reason", "leaf_hash",
)  # fmt: skip


@dataclass(frozen=True)
class Selection:
    """What is exported: of the first `tree_size` leaves, those from `from_index` on that meet the filter."""

    tree_size: int
    note: str
    from_index: int = 0
    chosen: Filter = field(default_factory=Filter)
    teams: Sequence[str] | None = None

    @property
    def complete(self) -> bool:
        """Every event is in it: the verifier can build the whole tree."""
        return self.teams is None and self.chosen == Filter()


def select(chosen: Filter, *, teams: Sequence[str] | None, from_index: int) -> Selection:
    last = last_checkpoint()
    return Selection(last.tree_size if last else 0, last.note if last else "", from_index, chosen, teams)


def rows(chosen: Selection) -> Iterator[Row]:
    """Leaves in order; with their inclusion paths when others are left out between them."""
    if chosen.complete:
        for begin in range(chosen.from_index, chosen.tree_size, STEP):
            end = min(begin + STEP, chosen.tree_size)
            for sealed in sealed_events("WHERE l.index >= %s AND l.index < %s ORDER BY l.index", [begin, end]):
                yield sealed, None
        return
    for indexes in _indexes(chosen):
        paths = inclusion_paths(indexes, chosen.tree_size)
        for sealed in sealed_events("WHERE l.index = ANY(%s) ORDER BY l.index", [indexes]):
            yield sealed, paths[sealed.index]


def _indexes(chosen: Selection) -> Iterator[list[int]]:
    """Leaves of events that meet the filter, in order, a batch at a time: the tree is walked, so that whoever goes on from the
    last index misses none."""
    found = search(chosen.chosen, teams=chosen.teams).select_related(None).order_by("leaf__index")
    for begin in range(chosen.from_index, chosen.tree_size, WINDOW):
        end = min(begin + WINDOW, chosen.tree_size)
        here = found.filter(leaf__index__gte=begin, leaf__index__lt=end).values_list("leaf__index", flat=True)
        indexes = list(here)
        for at in range(0, len(indexes), STEP):
            yield indexes[at : at + STEP]


def inserted_behind(chosen: Selection) -> Iterator[int]:
    """Ids of events that stand before sealed ones in commit order and are in no leaf: nobody but a superuser can do that."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.id FROM ledger_auditevent e WHERE (e.xid, e.id) < (SELECT o.xid, o.id FROM ledger_leaf l "
            "JOIN ledger_auditevent o ON o.id = l.event_id WHERE l.index < %s ORDER BY l.index DESC LIMIT 1) "
            "AND NOT EXISTS (SELECT FROM ledger_leaf l WHERE l.event_id = e.id) ORDER BY e.id LIMIT 1000",
            [chosen.tree_size],
        )
        yield from (row[0] for row in cursor.fetchall())


def as_jsonl(chosen: Selection) -> Iterator[bytes]:
    """What the verifier reads (docs/ledger.md): a head, a line per event, and an end that shows that nothing was cut off."""
    head = {
        "countersign_ledger_export": 1,
        "at": moment(timezone.now()),
        "tree_size": chosen.tree_size,
        "from_index": chosen.from_index,
        "complete": chosen.complete,
        "checkpoint": chosen.note,
    }
    yield json.dumps(head).encode() + b"\n"
    events = 0
    for sealed, path in rows(chosen):
        events += 1
        yield json_line(sealed, path)
    if chosen.complete:
        for event_id in inserted_behind(chosen):
            yield json.dumps({"inserted": True, "event_id": event_id}).encode() + b"\n"
    yield json.dumps({"end": True, "next_index": chosen.tree_size, "events": events}).encode() + b"\n"


def json_line(sealed: Sealed, path: list[bytes] | None) -> bytes:
    head = b'{"index":%d,"hash":"%s","leaf":' % (sealed.index, sealed.hash.hex().encode())
    if sealed.row is None:
        return head + b'null,"event_id":%d,"openings":{}}\n' % sealed.event_id
    openings = ",".join(
        f'"{name}":{{"salt":"{salt.hex}","value":{canonical(value)}}}' if salt else f'"{name}":null'
        for name, (value, salt) in zip(FIELDS, sealed.row.texts, strict=True)
    )
    line = head + sealed.leaf() + b',"openings":{' + openings.encode() + b"}"
    if path is not None:
        line += b',"path":' + json.dumps([base64.b64encode(step).decode() for step in path]).encode()
    if sealed.row.id != sealed.event_id:
        line += b',"event_id":%d' % sealed.event_id
    return line + b"}\n"


def flat(sealed: Sealed) -> dict[str, Any] | None:
    """An event as one row of plain values; erased texts read '(erased)'. None where the event is gone."""
    row = sealed.row
    if row is None:
        return None
    found: dict[str, Any] = {
        name: getattr(row, name)
        for name in (
            "id", "team", "actor_id", "via", "key_id", "request_id", "action", "target_kind", "target_id", "target_digest",
        )
    }  # fmt: skip
    texts = {name: value if salt else "(erased)" for name, (value, salt) in zip(FIELDS, row.texts, strict=True)}
    return (
        found
        | texts
        | {
            "index": sealed.index,
            "at": moment(row.at),
            "subjects": list(row.subjects),
            "leaf_hash": sealed.hash.hex(),
        }
    )


def as_csv(chosen: Selection) -> Iterator[bytes]:
    yield _csv_line(CSV_COLUMNS)
    for sealed, _ in rows(chosen):
        if (event := flat(sealed)) is not None:
            yield _csv_line(_cell(event[name]) for name in CSV_COLUMNS)


def _csv_line(cells: Iterable[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        value = canonical(value)
    text = " ".join(value) if isinstance(value, list) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def as_ocsf(chosen: Selection) -> Iterator[bytes]:
    for sealed, _ in rows(chosen):
        if (event := flat(sealed)) is not None:
            yield json.dumps(ocsf.event(event), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


FORMATS: Mapping[str, tuple[str, Callable[[Selection], Iterator[bytes]]]] = {
    "jsonl": ("application/x-ndjson", as_jsonl),
    "csv": ("text/csv; charset=utf-8", as_csv),
    "ocsf": ("application/x-ndjson", as_ocsf),
}


def in_chunks(lines: Iterator[bytes], size: int = 64 * 1024) -> Iterator[bytes]:
    """Lines joined into pieces that are worth a write each."""
    held: list[bytes] = []
    length = 0
    for line in lines:
        held.append(line)
        length += len(line)
        if length >= size:
            yield b"".join(held)
            held, length = [], 0
    if held:
        yield b"".join(held)
