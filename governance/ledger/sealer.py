"""Takes events in commit order into the tree and signs what it has become. Writers never wait for it.

An event is taken once no transaction that is older than its own can still commit: what comes later has a higher
transaction id, so that (xid, id) is an order in which nothing is ever inserted before something sealed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from governance.ledger import keys, notes
from governance.ledger.canonical import COLUMN_COUNT, COLUMNS, NO_COMMITMENT, sealed_row
from governance.ledger.locks import try_sealing
from governance.ledger.models import Checkpoint
from governance.ledger.tree import Frontier, Span, TreeDamaged, complete_subtrees, leaf_hash, read_spans

BATCH = 5000
_FROM = f"SELECT {COLUMNS} FROM ledger_auditevent e LEFT JOIN ledger_eventtext t ON t.event_id = e.id"  # noqa: S608
_UNSEALED = "NOT EXISTS (SELECT FROM ledger_leaf l WHERE l.event_id = e.id)"
_NEXT = f"{_FROM} WHERE (e.xid, e.id) > (%s, %s) AND e.xid < %s AND {_UNSEALED} ORDER BY e.xid, e.id LIMIT %s"
# After the ledger moved to a new server, whose transactions count from the beginning again.
_LEFT_BEHIND = f"{_FROM} WHERE e.xid >= %s AND {_UNSEALED} ORDER BY e.xid, e.id LIMIT %s"
_STARTED_AGAIN = f"{_FROM} WHERE e.xid < %s AND {_UNSEALED} ORDER BY e.xid, e.id LIMIT %s"

_OLDEST_WAITING = (
    "SELECT extract(epoch FROM clock_timestamp() - min(at)) FROM (SELECT e.at FROM ledger_auditevent e "  # noqa: S608
    f"WHERE (e.xid, e.id) > (%s, %s) AND {_UNSEALED} ORDER BY e.xid, e.id LIMIT 1000) waiting"
)


@dataclass(frozen=True)
class Place:
    """Where sealing goes on: leaves so far, the last one's event in commit order, and the first transaction not to take."""

    size: int
    xid: int
    event_id: int
    horizon: int
    next_xid: int


def seal(*, batch: int = BATCH) -> int:
    """Seal everything that can be, a batch and a checkpoint per transaction; how many events were. A second sealer at the
    same time does nothing. Raises TreeDamaged rather than sign what does not fit the last checkpoint, and KeyUnknown."""
    done = 0
    while sealed := _seal_batch(batch):
        done += sealed
        if sealed < batch:
            break
    return done


@transaction.atomic
def _seal_batch(most: int) -> int:
    if not try_sealing():
        return 0
    place = find_place()
    rows = _rows(place, most)
    if not rows:
        return 0
    key = keys.current()
    frontier = read_frontier(place.size)
    leaves = list(_grow(frontier, rows))
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY ledger_leaf (index, event_id, hash, commitments) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(["int8", "int8", "bytea", "bytea"])
        for leaf in leaves:
            copy.write_row(leaf)
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY ledger_subtree (height, index, hash) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(["int2", "int8", "bytea"])
        for subtree in frontier.completed:
            copy.write_row(subtree)
    root = frontier.root()
    note = notes.sign(notes.checkpoint_text(key.name, frontier.size, root), key.name, keys.signing_key())
    Checkpoint.objects.create(tree_size=frontier.size, root=root, note=note)
    return len(leaves)


def find_place() -> Place:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce((SELECT max(index) + 1 FROM ledger_leaf), 0), "
            "pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
        )
        size, horizon, next_xid = cursor.fetchone()
        # The last leaf whose event is still there: a superuser may have taken some away.
        cursor.execute(
            "SELECT e.xid, e.id FROM ledger_leaf l JOIN ledger_auditevent e ON e.id = l.event_id "
            "ORDER BY l.index DESC LIMIT 1"
        )
        xid, event_id = cursor.fetchone() or (0, 0)
    return Place(size, xid, event_id, horizon, next_xid)


def _rows(place: Place, most: int) -> Sequence[Sequence[Any]]:
    rows: Sequence[Sequence[Any]]
    with connection.cursor() as cursor:
        if place.xid < place.next_xid:
            cursor.execute(_NEXT, [place.xid, place.event_id, place.horizon, most])
            rows = cursor.fetchall()
            return rows
        # A transaction of the future: the ledger was restored on another server. First what was left, then what is new.
        cursor.execute(_LEFT_BEHIND, [place.next_xid, most])
        rows = cursor.fetchall()
        if rows:
            return rows
        cursor.execute("SELECT EXISTS (SELECT FROM ledger_auditevent WHERE id > %s)", [place.event_id])
        if not cursor.fetchone()[0]:
            return []
        cursor.execute(_STARTED_AGAIN, [place.horizon, most])
        rows = cursor.fetchall()
        return rows


def read_frontier(size: int) -> Frontier:
    """The right edge of the stored tree, checked against the last checkpoint."""
    last = Checkpoint.objects.order_by("-tree_size").first()
    if (last.tree_size if last else 0) != size:
        raise TreeDamaged(
            f"The ledger has {size} leaves, and its last checkpoint is of {last.tree_size if last else 0}: some were taken away "
            "or put in by hand. Nothing is sealed on top of that."
        )
    spans: list[Span] = [(index << height, (index + 1) << height) for height, index in complete_subtrees((0, size))]
    found = read_spans(spans)
    frontier = Frontier(size, [found[span] for span in spans])
    if last and frontier.root() != bytes(last.root):
        raise TreeDamaged(
            f"The ledger's tree of {size} leaves does not have the root that was signed. Nothing is sealed on top of that; "
            "export it and run the verifier."
        )
    return frontier


def _grow(frontier: Frontier, rows: Sequence[Sequence[Any]]) -> Iterator[tuple[int, int, bytes, bytes]]:
    for row in rows:
        sealed = sealed_row(row[:COLUMN_COUNT])
        commitments = [one or NO_COMMITMENT for one in sealed.commitments()]
        hashed = leaf_hash(sealed.leaf(commitments))
        yield frontier.size, sealed.id, hashed, b"".join(commitments)
        frontier.append(hashed)


def lag_s() -> float:
    """Age of the oldest event that waits to be sealed, in seconds; 0 when none does."""
    place = find_place()
    moved = place.xid >= place.next_xid
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_WAITING, [0, 0] if moved else [place.xid, place.event_id])
        found = cursor.fetchone()[0]
    return max(0.0, float(found)) if found is not None else 0.0
