"""Proofs out of the tree: that an event is in it, and that a later tree holds all of an earlier one."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from governance.ledger import keys
from governance.ledger.canonical import COLUMN_COUNT, COLUMNS, SealedRow, sealed_row
from governance.ledger.models import Checkpoint
from governance.ledger.tree import Span, consistency_spans, inclusion_spans, read_spans

_SELECT = (
    f"SELECT {COLUMNS}, l.index, l.hash, l.commitments, l.event_id FROM ledger_leaf l "  # noqa: S608
    "LEFT JOIN ledger_auditevent e ON e.id = l.event_id LEFT JOIN ledger_eventtext t ON t.event_id = l.event_id "
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A leaf and what the database says of its event today; row None: the event is gone, which only a superuser can do."""

    index: int
    event_id: int
    hash: bytes
    commitments: Sequence[bytes]
    row: SealedRow | None

    def leaf(self) -> bytes:
        """The leaf's data as it follows from today's facts and the commitments of then."""
        assert self.row is not None
        return self.row.leaf(self.commitments)


def sealed_events(where: str, values: Sequence[Any]) -> list[Sealed]:
    """Leaves in order. where: a condition on `l`, the leaf, followed by order and limit."""
    with connection.cursor() as cursor:
        cursor.execute(_SELECT + where, list(values))
        return [_sealed(row) for row in cursor.fetchall()]


def _sealed(row: Sequence[Any]) -> Sealed:
    index, hashed, commitments, event_id = row[COLUMN_COUNT:]
    commitments = bytes(commitments)
    return Sealed(
        index=index,
        event_id=event_id,
        hash=bytes(hashed),
        commitments=[commitments[at : at + 32] for at in range(0, len(commitments), 32)],
        row=sealed_row(row) if row[0] is not None else None,
    )


def last_checkpoint() -> Checkpoint | None:
    return Checkpoint.objects.order_by("-tree_size").first()


def inclusion_paths(indexes: Sequence[int], size: int) -> dict[int, list[bytes]]:
    """The inclusion path of each of these leaves in the tree of this size, leaf to root."""
    spans = {index: inclusion_spans(index, size) for index in indexes}
    hashes = read_spans({span for path in spans.values() for span in path})
    return {index: [hashes[span] for span in path] for index, path in spans.items()}


def consistency_path(old: int, new: int) -> list[bytes]:
    """The proof that the tree of `old` leaves is the beginning of the tree of `new`; 0 <= old <= new."""
    spans: list[Span] = consistency_spans(old, new)
    hashes = read_spans(spans)
    return [hashes[span] for span in spans]


def proof_of(event_id: int) -> dict[str, Any] | None:
    """Everything somebody needs to check that this event is under the last checkpoint; None while it is not sealed."""
    checkpoint = last_checkpoint()
    found = sealed_events("WHERE l.event_id = %s", [event_id])
    if not found or found[0].row is None or checkpoint is None or found[0].index >= checkpoint.tree_size:
        return None
    sealed = found[0]
    assert sealed.row is not None
    path = inclusion_paths([sealed.index], checkpoint.tree_size)[sealed.index]
    return {
        "leaf_index": sealed.index,
        "tree_size": checkpoint.tree_size,
        "leaf": sealed.leaf().decode(),
        "openings": sealed.row.openings(),
        "path": texts(path),
        "checkpoint": checkpoint.note,
        "keys": keys.shown(),
    }


def texts(hashes: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(one).decode() for one in hashes]
