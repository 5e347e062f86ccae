"""The rows of a registered dataset version, read from where they are wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from accounts.errors import Conflict
from registry import storage
from registry.inspection import parquet
from registry.inspection.datasets import open_lines, read_rows
from registry.models import Version


def count(version: Version) -> int:
    """How many rows the version has in its .jsonl, .csv and .parquet files."""
    return sum(int(entry["rows"]) for entry in version.row_index.values())


def rows(version: Version, start: int = 0, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """Rows `start` to `start + limit` (to the end without one), in the order of file paths and lines.

    The cost does not grow with `start`: at most 1/256 of a file is read to get there.
    """
    for _, _, row in located_rows(version, start, limit):
        yield row


def located_rows(
    version: Version, start: int = 0, limit: int | None = None
) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """The same, each with its file and its number in that file (from 1)."""
    if not version.is_registered:
        raise Conflict("The rows of a draft can't be read: register it first.")
    left = limit if limit is not None else count(version)
    hashes = dict(version.files.filter(path__in=list(version.row_index)).values_list("path", "blob_id"))
    skip = max(0, start)
    for path in sorted(version.row_index):
        entry = version.row_index[path]
        if skip >= entry["rows"]:
            skip -= entry["rows"]
            continue
        if left <= 0:
            return
        read = _parquet_rows if "groups" in entry else _file_rows
        for number, row in read(path, hashes[path], entry, skip):
            yield path, number, row
            left -= 1
            if left <= 0:
                return
        skip = 0


def _file_rows(path: str, sha256: str, entry: dict[str, Any], skip: int) -> Iterator[tuple[int, dict[str, Any]]]:
    place = skip // entry["step"]
    number = place * entry["step"]
    with storage.open_blob(sha256) as stream:
        lines = open_lines(path, stream, entry["at"][place])
        for _, row in read_rows(path, lines, entry.get("columns", [])):
            if number >= skip:
                yield number + 1, row
            number += 1


def _parquet_rows(path: str, sha256: str, entry: dict[str, Any], skip: int) -> Iterator[tuple[int, dict[str, Any]]]:
    with storage.open_blob(sha256) as stream:
        yield from enumerate(parquet.rows(path, stream, entry["groups"], skip), skip + 1)
