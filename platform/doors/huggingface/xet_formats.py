"""Reading what hf_xet sends: packs of compressed chunks (xorbs) and lists of which chunks make which file (shards). Pure; whatever
is not in order raises Malformed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa

from accounts.errors import Invalid

MAX_XORB = 80 * 1024**2  # the client makes them of at most 64 MiB
MAX_SHARD = 256 * 1024**2
MAX_CHUNK = 2 * 1024**2  # the client's are of at most 128 KiB
MAX_CHUNKS = 65_536
_TAG = b"HFRepoMetaData\x00" + bytes([85, 105, 103, 69, 106, 123, 129, 87, 131, 165, 189, 217, 92, 205, 209, 74, 169])
_RECORD = 48
_END = b"\xff" * 32
_VERIFIED, _DESCRIBED = 1 << 31, 1 << 30
_LZ4 = pa.Codec("lz4")


@dataclass(frozen=True)
class Segment:
    """Chunks `start` to `end` (exclusive) of a pack; `size` bytes once they are unpacked."""

    xorb: str
    start: int
    end: int
    size: int


@dataclass(frozen=True)
class Made:
    """A file: its SHA-256, its size and the segments that it is made of, in order."""

    sha256: str
    size: int
    segments: tuple[Segment, ...]


class Malformed(Invalid):
    code = "malformed_xet"


def broken(what: str) -> Malformed:
    return Malformed("body", f"This is not what hf_xet sends: {what}.")


def name_of(raw: bytes) -> str:
    """32 bytes as Xet writes them: each eight of them the other way round."""
    return "".join(raw[at : at + 8][::-1].hex() for at in range(0, 32, 8))


def files_of(shard: bytes) -> list[Made]:
    """The files that a shard tells of."""
    if len(shard) < _RECORD or shard[:32] != _TAG:
        raise broken("the shard has no header")
    version, _footer = struct.unpack_from("<QQ", shard, 32)
    if version != 2:
        raise broken(f"shards of version {version} are not known here")
    found: list[Made] = []
    place = _RECORD
    while True:
        record = _record(shard, place)
        place += _RECORD
        if record[:32] == _END:
            return found
        flags, count = struct.unpack_from("<II", record, 32)
        segments = tuple(_segment(_record(shard, place + n * _RECORD)) for n in range(_bounded(count, shard)))
        place += count * _RECORD * (2 if flags & _VERIFIED else 1)
        if not flags & _DESCRIBED:
            raise broken("a file comes without its SHA-256")
        described = _record(shard, place)
        place += _RECORD
        found.append(Made(name_of(described[:32]), sum(segment.size for segment in segments), segments))


def _record(shard: bytes, place: int) -> bytes:
    record = shard[place : place + _RECORD]
    if len(record) < _RECORD:
        raise broken("the shard ends in the middle")
    return record


def _bounded(count: int, shard: bytes) -> int:
    if count > len(shard) // _RECORD:
        raise broken("it announces more than it holds")
    return count


def _segment(record: bytes) -> Segment:
    _flags, size, start, end = struct.unpack_from("<IIII", record, 32)
    if not start < end <= MAX_CHUNKS:
        raise broken("a file's part has no chunks")
    return Segment(name_of(record[:32]), start, end, size)


class Pack:
    """A stored xorb, read chunk by chunk: a header of 8 bytes, then the chunk, packed in one of three ways."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._size = stream, size
        self._places = [0]  # where each chunk's header begins, as far as it was looked

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        for number in range(start, end):
            place = self._place(number)
            scheme, packed, size = self._header(place)
            self._stream.seek(place + 8)
            raw = self._exactly(packed)
            yield _unpacked(raw, scheme, size)

    def _place(self, number: int) -> int:
        while len(self._places) <= number:
            place = self._places[-1]
            _, packed, _ = self._header(place)
            self._places.append(place + 8 + packed)
        return self._places[number]

    def _header(self, place: int) -> tuple[int, int, int]:
        if place + 8 > self._size:
            raise broken("a pack has fewer chunks than a file needs")
        self._stream.seek(place)
        raw = self._exactly(8)
        version, packed, scheme, size = raw[0], raw[1:4], raw[4], raw[5:8]
        lengths = int.from_bytes(packed, "little"), int.from_bytes(size, "little")
        if version != 0 or scheme > 2 or max(lengths) > MAX_CHUNK:
            raise broken("a chunk has a header of another kind")
        return scheme, *lengths

    def _exactly(self, count: int) -> bytes:
        parts: list[bytes] = []
        while count > 0 and (part := self._stream.read(count)):
            parts.append(part)
            count -= len(part)
        if count:
            raise broken("a pack ends in the middle of a chunk")
        return b"".join(parts)


def _unpacked(raw: bytes, scheme: int, size: int) -> bytes:
    if scheme == 0:
        found = raw
    else:
        try:
            found = _LZ4.decompress(raw, decompressed_size=size, asbytes=True) if size else b""
        except (pa.ArrowException, OSError, ValueError):
            raise broken("a chunk can't be unpacked") from None
        if scheme == 2:
            found = _regrouped(found)
    if len(found) != size:
        raise broken("a chunk has another size than it says")
    return found


def _regrouped(raw: bytes) -> bytes:
    """Undo the grouping of every fourth byte: first all of the first bytes, then all of the second …"""
    out, place = bytearray(len(raw)), 0
    for lane in range(4):
        count = (len(raw) - lane + 3) // 4
        out[lane::4] = raw[place : place + count]
        place += count
    return bytes(out)
