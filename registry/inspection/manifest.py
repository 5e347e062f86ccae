"""A manifest with its files' contents, as the checks read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from accounts.errors import Invalid
from registry import storage

MAX_JSON_BYTES = 64 << 20


class Manifest:
    """The files of a version by path. Contents are opened when they are asked for."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self._entries = {entry["path"]: entry for entry in entries}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, path: object) -> bool:
        return path in self._entries

    def size(self, path: str) -> int:
        return int(self._entries[path]["size"])

    def sha256(self, path: str) -> str:
        return str(self._entries[path]["sha256"])

    def open(self, path: str) -> BinaryIO:
        try:
            return storage.open_blob(self._entries[path]["sha256"])
        except FileNotFoundError:
            raise Invalid("files", f"{path}: its bytes are not in the storage. Upload it again.") from None

    def text(self, path: str, limit: int = MAX_JSON_BYTES) -> str:
        """A small file as text; Invalid when it is larger than `limit` bytes or not UTF-8."""
        if self.size(path) > limit:
            raise Invalid("files", f"{path}: it has {self.size(path)} bytes; at most {limit} are read of such a file.")
        with self.open(path) as stream:
            content = _read_all(stream)
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise Invalid(
                "files", f"{path}, line {line}: not UTF-8 text. Save it as UTF-8 and upload it again."
            ) from None

    def json(self, path: str) -> Any:
        """A JSON file's value; Invalid names file, line and column where it is not JSON."""
        try:
            return json.loads(self.text(path), parse_constant=_no_constant)
        except json.JSONDecodeError as error:
            raise Invalid(
                "files",
                f"{path}, line {error.lineno}, column {error.colno}: not JSON ({error.msg}). Upload a valid file.",
            ) from None
        except _NotJson as error:
            raise Invalid("files", f"{path}: {error} is not JSON. Upload a valid file.") from None
        except RecursionError:
            raise Invalid("files", f"{path}: nested too deeply. Upload a valid file.") from None
        except ValueError:
            raise Invalid("files", f"{path}: a number has too many digits. Upload a valid file.") from None


class _NotJson(Exception):
    pass


def _no_constant(text: str) -> None:
    raise _NotJson(text)


def _read_all(stream: BinaryIO) -> bytes:
    blocks = []
    while block := stream.read(storage.BLOCK):
        blocks.append(block)
    return b"".join(blocks)
