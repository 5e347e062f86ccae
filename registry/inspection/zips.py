"""The directory of a zip archive, read from its end: names and places of the entries. Nothing is unpacked."""

from __future__ import annotations

import struct
from typing import NamedTuple

from registry.inspection.source import Source

MAX_ENTRIES = 500_000
MAX_DIRECTORY = 64 << 20
_CUT = "The upload was cut short: send it again."
_STORED = 0
_NOT_HERE = 0xFFFFFFFF


class Entry(NamedTuple):
    """header: the byte where the entry's own header begins; size: bytes unpacked."""

    name: str
    method: int
    header: int
    packed: int
    size: int


def entries(source: Source) -> list[Entry]:
    """Every entry of the directory; Malformed where it is not whole or points outside."""
    at, size, count = _directory(source)
    if size > MAX_DIRECTORY or count > MAX_ENTRIES:
        raise source.wrong(f"its directory of {count} entries is larger than any that is read.")
    source.seek(at)
    end, found = at + size, []
    while source.at < end:
        if source.take(4) != b"PK\x01\x02":
            raise source.wrong("its directory is broken.")
        fixed = struct.unpack("<HHHHHHIIIHHHHHII", source.take(42))
        method, packed, unpacked, header = fixed[3], fixed[7], fixed[8], fixed[15]
        name, extra = source.take(fixed[9]), source.take(fixed[10])
        source.skip(fixed[11])
        unpacked, packed, header = _wide(extra, unpacked, packed, header)
        if header + 30 > source.size or packed > source.size - header:
            raise source.wrong("an entry of its directory points outside the file.", _CUT)
        found.append(Entry(name.decode("utf-8", "replace"), method, header, packed, unpacked))
        if len(found) > count:
            raise source.wrong("its directory has more entries than it says.")
    return found


def data_of(source: Source, entry: Entry) -> int:
    """The byte at which the entry's bytes begin."""
    source.seek(entry.header)
    if source.take(4) != b"PK\x03\x04":
        raise source.wrong("an entry of its directory points at no entry.")
    source.skip(22)
    name, extra = source.number("H"), source.number("H")
    begin = source.at + name + extra
    if begin + entry.packed > source.size:
        raise source.wrong("an entry is longer than the file.", _CUT)
    return begin


def content(source: Source, entry: Entry, limit: int) -> bytes:
    """The bytes of a small entry that is stored as it is."""
    begin = data_of(source, entry)
    if entry.method != _STORED or entry.packed != entry.size:
        raise source.wrong(f"the entry '{entry.name[-80:]}' is packed; PyTorch stores it as it is.")
    if entry.size > limit:
        raise source.wrong(f"the entry '{entry.name[-80:]}' has {entry.size} bytes; at most {limit} are looked into.")
    source.seek(begin)
    return source.take(entry.size)


def _directory(source: Source) -> tuple[int, int, int]:
    """(byte, bytes, entries) of the directory."""
    tail = min(source.size, 65_557)
    source.seek(source.size - tail)
    begin, text = source.at, source.take(tail)
    place = text.rfind(b"PK\x05\x06")
    if place < 0 or place + 22 > tail:
        raise source.wrong("it begins as an archive and has no directory at its end.", _CUT)
    count, size, at = struct.unpack("<HII", text[place + 10 : place + 20])
    locator = text[place - 20 : place] if place >= 20 else b""
    if locator.startswith(b"PK\x06\x07"):
        (wide,) = struct.unpack("<Q", locator[8:16])
        source.seek(min(wide, source.size))
        record = source.take(56)
        if not record.startswith(b"PK\x06\x06"):
            raise source.wrong("its directory is broken.")
        count, size, at = struct.unpack("<QQQ", record[32:56])
    if at + size > begin + place:
        source.at = begin + place
        raise source.wrong("its directory points outside the file.", _CUT)
    return at, size, count


def _wide(extra: bytes, *values: int) -> tuple[int, int, int]:
    """The sizes and place of an entry, from the field for what 32 bits can't say."""
    at = 0
    found = list(values)
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        field = extra[at + 4 : at + 4 + length]
        if kind == 1:
            for place, value in enumerate(found):
                if value == _NOT_HERE and len(field) >= 8:
                    (found[place],) = struct.unpack_from("<Q", field)
                    field = field[8:]
        at += 4 + length
    return found[0], found[1], found[2]
