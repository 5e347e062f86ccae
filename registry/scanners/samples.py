"""One file to look into, and what can be said of it."""

from __future__ import annotations

import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

HEAD = 1 << 16
TAIL = 1 << 16
UNSAFE, NOTE = "unsafe", "note"
# What the standard library's readers of archives raise for one that is damaged, or made to look so.
BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, struct.error,
    OSError, ValueError, LookupError, RuntimeError, NotImplementedError, EOFError,
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """`level`: unsafe (it stays out of protected stages) or note. `remedy`: what to do about it. `line`: of a text, from 1.
    `excerpt`: of a secret, masked: never the secret itself."""

    level: str
    kind: str
    text: str
    remedy: str = ""
    line: int | None = None
    excerpt: str = ""

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"level": self.level, "kind": self.kind, "text": printable(self.text)}
        if self.remedy:
            found["remedy"] = self.remedy
        if self.line is not None:
            found["line"] = self.line
        if self.excerpt:
            found["excerpt"] = printable(self.excerpt)
        return found


@dataclass
class Sample:
    """Bytes under a name. `form` as registry.scanners.forms says."""

    path: str
    form: str
    size: int
    stream: BinaryIO
    head: bytes = field(default=b"", init=False)
    tail: bytes = field(default=b"", init=False)

    def __post_init__(self) -> None:
        self.head = self.read(0, HEAD)
        self.tail = self.read(max(0, self.size - TAIL), TAIL)

    def read(self, start: int, most: int) -> bytes:
        self.stream.seek(start)
        return self.stream.read(most)

    def rewound(self) -> BinaryIO:
        self.stream.seek(0)
        return self.stream

    def windows(self, size: int = 1 << 20, overlap: int = 1 << 12) -> Iterator[tuple[int, bytes]]:
        """(offset, bytes) pieces that overlap, so that nothing is cut in two."""
        place = 0
        while place < self.size:
            block = self.read(place, size)
            if not block:
                return
            yield place, block
            if len(block) < size:
                return
            place += size - overlap

    @property
    def is_text(self) -> bool:
        """UTF-8 as far as the beginning tells."""
        if b"\0" in self.head:
            return False
        try:
            self.head.decode()
        except UnicodeDecodeError as error:
            return len(self.head) == HEAD and error.start > len(self.head) - 4
        return True

    def lines(self, most: int) -> Iterator[tuple[int, str]]:
        """Text lines, numbered from 1, of the first `most` bytes; a line is cut at 64 KiB."""
        reader = self.rewound()
        number, left = 0, most
        while left > 0 and (line := reader.readline(1 << 16)):
            left -= len(line)
            number += 1
            yield number, line.decode("utf-8", "replace")

    def text(self, most: int = 32 << 20) -> str | None:
        """All of it as text; None when it is larger or no text."""
        if self.size > most:
            return None
        try:
            return self.read(0, most).decode("utf-8-sig")
        except UnicodeDecodeError:
            return None


def printable(text: str) -> str:
    """What a page and a database can hold, at most 400 characters."""
    kept = "".join(character if character.isprintable() else "�" for character in text[:400])
    return kept.encode("utf-8", "replace").decode()
