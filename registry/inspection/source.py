"""What every parser of a format stands on: bytes that are asked for by place, tensors as they are listed, and the one error.

Parsers take a Source and trust no length that a file states: what is asked for beyond the end is Malformed before memory is taken.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple

from accounts.errors import Invalid

# Nothing that a parser wants at once is larger; more is a lying length.
MAX_TAKE = 64 << 20
MAX_DIMENSIONS = 16
MAX_TENSORS = 1_000_000
_BUFFER = 256 << 10

# Bits of one element, by the names that safetensors gives them; other formats are shown by the same names.
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64,
    "C128": 128, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "I4": 4, "U4": 4, "I2": 2, "U2": 2,
}  # fmt: skip


class Malformed(Invalid):
    """A file does not hold what its format says. `offset`: the byte at which that was seen, where one can be named."""

    def __init__(
        self, path: str, what: str, *, offset: int | None = None, remedy: str = "Save it again and upload it.",
        code: str = "invalid_file",
    ) -> None:  # fmt: skip
        where = f"{path}, byte {offset}" if offset is not None else path
        super().__init__("files", f"{where}: {what} {remedy}".strip(), code=code)
        self.path, self.offset = path, offset


class NotRead(Exception):
    """A file that may be sound but is not looked into, with the reason in a sentence: a warning, no refusal."""


class Tensor(NamedTuple):
    """One tensor of a file. size: bytes (0: unknown); at: the byte in the file where its data begin (-1: not contiguous there)."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size: int
    at: int = -1

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@dataclass
class Parsed:
    """What a file says of itself: small facts, and its tensors in the order of the file."""

    facts: dict[str, Any] = field(default_factory=dict)
    tensors: list[Tensor] = field(default_factory=list)


class Source:
    """A file's bytes by place. Small reads are served from a buffer; the position moves as it is read."""

    def __init__(self, path: str, stream: BinaryIO, size: int, order: str = "<") -> None:
        self.path, self.size, self.at, self.order = path, size, 0, order
        self._stream = stream
        self._begin, self._buffer = 0, b""

    def take(self, length: int) -> bytes:
        """Exactly this many bytes from here on."""
        if length < 0 or length > self.size - self.at:
            raise self.wrong(f"{length} bytes are announced here, and the file ends after {self.size - self.at}.")
        if length > MAX_TAKE:
            raise self.wrong(f"{length} bytes are announced here; at most {MAX_TAKE} are believed.")
        offset = self.at - self._begin
        if not 0 <= offset <= len(self._buffer) - length:
            self._fill(length)
            offset = 0
        self.at += length
        return self._buffer[offset : offset + length]

    def skip(self, length: int) -> None:
        if length < 0 or length > self.size - self.at:
            raise self.wrong(f"{length} bytes are announced here, and the file ends after {self.size - self.at}.")
        self.at += length

    def seek(self, at: int) -> None:
        if not 0 <= at <= self.size:
            raise self.wrong(f"it points at byte {at}, and the file has {self.size}.")
        self.at = at

    def number(self, letter: str) -> int:
        """One whole number; `letter` as in struct: B, H, I, Q, i, q."""
        value: int = struct.unpack(self.order + letter, self.take(struct.calcsize("<" + letter)))[0]
        return value

    def wrong(self, what: str, remedy: str = "Save it again and upload it.") -> Malformed:
        return Malformed(self.path, what, offset=self.at, remedy=remedy)

    def _fill(self, length: int) -> None:
        self._stream.seek(self.at)
        wanted, blocks = min(max(length, _BUFFER), self.size - self.at), []
        while wanted > 0 and (block := self._stream.read(min(wanted, 1 << 20))):
            blocks.append(block)
            wanted -= len(block)
        self._begin, self._buffer = self.at, b"".join(blocks)
        if len(self._buffer) < length:
            raise self.wrong("the file in the storage is shorter than it should be.", "Upload it again.")


def plain(text: Any, limit: int = 200) -> str:
    """A short text that database and pages can hold: no NUL, no half of a surrogate pair; '' for anything else than text."""
    return text[:limit].encode("utf-8", "replace").decode().replace("\0", "") if isinstance(text, str) else ""


def bytes_of(dtype: str, count: int) -> int:
    """What so many elements need; 0 where the type is not known."""
    return (count * BITS[dtype] + 7) // 8 if dtype in BITS else 0


def is_shape(shape: Any) -> bool:
    """Few dimensions, each a whole number, and a product that a machine could count."""
    return (
        isinstance(shape, list | tuple)
        and len(shape) <= MAX_DIMENSIONS
        and all(type(n) is int and 0 <= n < 2**63 for n in shape)
        and math.prod(shape) < 2**63
    )
