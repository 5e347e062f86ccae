"""Terms and postings: what an event is found by, in numbers.

A term is 64 bits of a hash (a clash is harmless: what is found is checked again). Ids fall into blocks of 8,192; a
posting holds the places in a block as a bitmap, or as 16-bit numbers when that is shorter. Two postings are joined by
one `&` of integers or sets, so that no combination of filters costs more than reading its terms' postings."""

import hashlib
import struct
from collections.abc import Iterator, Sequence

from governance.ledger.models import AuditEvent

BLOCK_BITS = 13
BLOCK = 1 << BLOCK_BITS
_SPARSE, _DENSE = 0, 1
_FEW = BLOCK // 8 // 2


def term(kind: str, value: object) -> int:
    digest = hashlib.sha256(f"{kind}\0{'' if value is None else value}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def facets_of(event: AuditEvent) -> Iterator[tuple[str, object]]:
    """Everything that an event is found by, exactly."""
    yield "team", event.team
    yield "actor", event.actor_id
    yield "action", event.action
    yield "door", event.via
    if event.key_id:
        yield "key", event.key_id
    if event.request_id:
        yield "request", event.request_id
    if event.target_digest:
        yield "digest", event.target_digest
    for subject in event.subjects:
        yield "about", subject


def trigrams(text: str) -> set[str]:
    """Every three letters in a row of a lowered text: a name that contains the text has them all."""
    return {text[at : at + 3] for at in range(len(text) - 2)}


def pack(places: Sequence[int]) -> bytes:
    """Places in a block (0 to 8,191, each once) as bytes."""
    if len(places) < _FEW:
        return struct.pack(f"<B{len(places)}H", _SPARSE, *places)
    bitmap = bytearray(BLOCK // 8)
    for place in places:
        bitmap[place >> 3] |= 1 << (place & 7)
    return bytes([_DENSE]) + bytes(bitmap)


Places = frozenset[int] | int


def unpack(data: bytes | memoryview) -> Places:
    """The places: a set where they are few, else an integer whose bits they are."""
    if data[0] == _DENSE:
        return int.from_bytes(data[1:], "little")
    return frozenset(struct.unpack(f"<{(len(data) - 1) // 2}H", data[1:]))


def both(one: Places, other: Places) -> Places:
    """Places in both."""
    if isinstance(one, int) and isinstance(other, int):
        return one & other
    if isinstance(one, int):
        one, other = other, one
    assert not isinstance(one, int)
    if isinstance(other, int):
        bits = other.to_bytes(BLOCK // 8, "little")
        return frozenset(place for place in one if bits[place >> 3] >> (place & 7) & 1)
    return one & other


def either(one: Places, other: Places) -> Places:
    """Places in one of them."""
    if not isinstance(one, int) and not isinstance(other, int):
        return one | other
    return _bits(one) | _bits(other)


def _bits(places: Places) -> int:
    if isinstance(places, int):
        return places
    bitmap = bytearray(BLOCK // 8)
    for place in places:
        bitmap[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(bitmap, "little")


def ids_in(places: Places, block: int, *, ascending: bool) -> Iterator[int]:
    first = block << BLOCK_BITS
    if not isinstance(places, int):
        yield from (first + place for place in sorted(places, reverse=not ascending))
        return
    while places:
        place = (places & -places).bit_length() - 1 if ascending else places.bit_length() - 1
        yield first + place
        places ^= 1 << place
