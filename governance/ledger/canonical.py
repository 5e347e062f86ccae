"""What a leaf of the tree holds: the facts of an event and salted commitments to its texts, as canonical JSON (RFC 8785).
docs/ledger.md has the format; the verifier, the browser and this must agree on every byte."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from json.encoder import encode_basestring as quoted  # json's own quoting is RFC 8785's
from typing import Any
from uuid import UUID

import rfc8785

FIELDS = ("actor_email", "actor_name", "address", "after", "before", "reason", "target_label")
SAFE_INTEGER = 2**53 - 1
MOST_NESTED = 100
NO_COMMITMENT = bytes(32)  # a text that was missing before its event was sealed, which only raw SQL can bring about


def canonical(value: Any) -> str:
    """Canonical JSON of a value that came out of a JSON column. Numbers are doubles there, as in a browser."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return quoted(value)
    if _is_plain(value):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return rfc8785.dumps(_doubles(value)).decode()


def _is_plain(value: Any) -> bool:
    """Does json.dumps write it as RFC 8785 would? It differs in fractions, big integers and the order of rare keys."""
    if value is None or isinstance(value, str | bool):
        return True
    if isinstance(value, int):
        return -SAFE_INTEGER <= value <= SAFE_INTEGER
    if isinstance(value, dict):
        return all(key.isascii() and _is_plain(item) for key, item in value.items())
    return isinstance(value, list) and all(map(_is_plain, value))


def _doubles(value: Any) -> Any:
    """Numbers as JavaScript reads them: an integer beyond 2^53 is rounded, one beyond all doubles is null."""
    if isinstance(value, dict):
        return {key: _doubles(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_doubles(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int) and -SAFE_INTEGER <= value <= SAFE_INTEGER:
        return value
    try:
        double = float(value)
    except OverflowError:
        return None
    return double if abs(double) != float("inf") else None


@dataclass(frozen=True, slots=True)
class SealedRow:
    """What the database holds of one event. `texts`: (value, salt) in the order of FIELDS; no salt: erased."""

    id: int
    at: datetime
    team: str
    actor_id: int | None
    via: str
    key_id: str
    request_id: str
    action: str
    target_kind: str
    target_id: str
    target_digest: str
    subjects: Sequence[str]
    texts: Sequence[tuple[Any, UUID | None]]

    def commitments(self) -> list[bytes | None]:
        """SHA-256 of salt and canonical value per text; None where it was erased."""
        return [
            hashlib.sha256(salt.bytes + canonical(value).encode()).digest() if salt else None
            for value, salt in self.texts
        ]

    def leaf(self, commitments: Sequence[bytes]) -> bytes:
        """The leaf's data: canonical JSON in UTF-8."""
        sealed = ",".join(f'"{name}":"{value.hex()}"' for name, value in zip(FIELDS, commitments, strict=True))
        return (
            f'{{"action":{quoted(self.action)},"actor_id":{"null" if self.actor_id is None else self.actor_id},'
            f'"at":"{moment(self.at)}","commitments":{{{sealed}}},"id":{self.id},"key_id":{quoted(self.key_id)},'
            f'"request_id":{quoted(self.request_id)},"subjects":[{",".join(quoted(one or "") for one in self.subjects)}],'
            f'"target_digest":{quoted(self.target_digest)},"target_id":{quoted(self.target_id)},'
            f'"target_kind":{quoted(self.target_kind)},"team":{quoted(self.team)},"v":1,"via":{quoted(self.via)}}}'
        ).encode()

    def openings(self) -> dict[str, dict[str, Any] | None]:
        """What reveals the texts behind the commitments; None where one was erased."""
        return {
            name: {"salt": salt.hex, "value": value} if salt else None
            for name, (value, salt) in zip(FIELDS, self.texts, strict=True)
        }


def moment(at: datetime) -> str:
    """RFC 3339 with microseconds, in UTC."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


# One SELECT for sealer, proofs and exports, so that they build the same leaf out of the same columns.
COLUMNS = (
    "e.id, e.at, e.team, e.actor_id, e.via, e.key_id, e.request_id, e.action, e.target_kind, e.target_id, "
    "e.target_digest, e.subjects, " + ", ".join(f"t.{name}, t.salt_{name}" for name in FIELDS)
)
COLUMN_COUNT = 12 + 2 * len(FIELDS)


def sealed_row(row: Sequence[Any]) -> SealedRow:
    """The first COLUMN_COUNT columns of a row that was selected as COLUMNS."""
    pairs = row[12:COLUMN_COUNT]
    texts = [
        (_parsed(pairs[2 * i]) if name in ("after", "before") else pairs[2 * i], pairs[2 * i + 1])
        for i, name in enumerate(FIELDS)
    ]
    event = SealedRow(*row[:12], texts=texts)  # type: ignore[misc]  # twelve columns, twelve fields
    return event


def _parsed(text: str | None) -> Any:
    """A JSON column (Django hands it out as text). What is nested beyond all reason counts as a text: it is sealed too, and
    must not bring the sealer down."""
    if text is None or (text.count("{") + text.count("[") > MOST_NESTED and _depth(text) > MOST_NESTED):
        return text
    return json.loads(text)


def _depth(text: str) -> int:
    depth = deepest = 0
    for letter in text:
        if letter in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "}]":
            depth -= 1
    return deepest
