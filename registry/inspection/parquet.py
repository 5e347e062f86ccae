"""Parquet files: schema, rows and row groups out of the footer alone, and rows from a place that is asked for."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, BinaryIO

import pyarrow
import pyarrow.parquet

from registry.inspection.source import Malformed, plain

MAX_FOOTER = 32 << 20
MAX_COLUMNS = 1_000
MAX_GROUPS = 100_000
# A row group is read column by column; what would unpack to more than this is not shown row by row.
MAX_GROUP_BYTES = 2 << 30
_BATCH = 64
_CUT = "If the upload was cut short, send it again."
_LIMITS = {"thrift_string_size_limit": 16 << 20, "thrift_container_size_limit": 1_000_000}
# Everything that pyarrow raises for bytes that are no Parquet file.
_ERRORS = (pyarrow.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError, UnicodeDecodeError)


@dataclass(frozen=True)
class Found:
    """rows; how many rows each group has; column -> type."""

    rows: int
    groups: list[int]
    schema: dict[str, str] = field(default_factory=dict)


def look(path: str, stream: BinaryIO, size: int) -> Found:
    """Read the footer and check that what it says fits into the file."""
    _check_frame(path, stream, size)
    try:
        metadata = _open(stream).metadata
        schema = metadata.schema.to_arrow_schema()
        groups = [metadata.row_group(place) for place in range(min(metadata.num_row_groups, MAX_GROUPS + 1))]
        counts = [int(group.num_rows) for group in groups]
        _check_groups(path, metadata, groups, counts, size)
        names = {plain(one.name): plain(str(one.type)) for one in schema}
    except _ERRORS as error:
        raise Malformed(path, f"not a whole Parquet file ({plain(str(error), 120)}).", remedy=_CUT) from None
    if len(names) > MAX_COLUMNS:
        raise Malformed(path, f"it has {len(names)} columns; at most {MAX_COLUMNS} are possible.", remedy="Split it.")
    return Found(sum(counts), counts, names)


def _check_frame(path: str, stream: BinaryIO, size: int) -> None:
    stream.seek(0)
    begin = stream.read(4)
    stream.seek(max(0, size - 8))
    end = stream.read(8)
    if begin != b"PAR1" or end[4:] != b"PAR1" or size < 12:
        raise Malformed(path, "not a whole Parquet file.", remedy=_CUT)
    footer = int.from_bytes(end[:4], "little")
    if footer > min(MAX_FOOTER, size - 12):
        raise Malformed(path, f"a footer of {footer} bytes is announced.", offset=size - 8, remedy=_CUT)


def _check_groups(path: str, metadata: Any, groups: list[Any], counts: list[int], size: int) -> None:
    if len(groups) > MAX_GROUPS:
        raise Malformed(path, f"it has {metadata.num_row_groups} row groups.", remedy="Write larger ones.")
    if any(count < 0 for count in counts) or sum(counts) != metadata.num_rows or sum(counts) > 2**53:
        raise Malformed(path, "its row groups don't have the rows that it says.")
    for group in groups:
        for place in range(group.num_columns):
            column = group.column(place)
            offsets = [column.data_page_offset]
            if column.has_dictionary_page and column.dictionary_page_offset:
                offsets.append(column.dictionary_page_offset)
            begin, length = min(offsets), column.total_compressed_size
            if begin < 0 or length < 0 or begin + length > size:
                raise Malformed(path, "a column points outside the file.", offset=max(0, begin), remedy=_CUT)


def _open(stream: BinaryIO) -> Any:
    stream.seek(0)
    return pyarrow.parquet.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 20, **_LIMITS)


def rows(path: str, stream: BinaryIO, groups: list[int], skip: int) -> Iterator[dict[str, Any]]:
    """Rows from number `skip` on. Groups before it are not read; memory is a batch, however large the file."""
    try:
        file = _open(stream)
        for place, count in enumerate(groups):
            if skip >= count:
                skip -= count
                continue
            if file.metadata.row_group(place).total_byte_size > MAX_GROUP_BYTES:
                raise Malformed(path, f"row group {place + 1} is too large to be shown.", remedy="Write smaller ones.")
            for batch in file.iter_batches(
                batch_size=_BATCH if skip < _BATCH else 8192, row_groups=[place], use_threads=False
            ):
                if skip >= batch.num_rows:
                    skip -= batch.num_rows
                    continue
                for row in batch.slice(skip).to_pylist():
                    yield {plain(name): as_json(value) for name, value in row.items()}
                skip = 0
    except _ERRORS as error:
        raise Malformed(path, f"its rows can't be read ({plain(str(error), 120)}).", remedy="Write it again.") from None


def as_json(value: Any) -> Any:
    """A value as JSON, database and pages can hold it; bytes as base64."""
    if isinstance(value, str):
        return plain(value, len(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, dict):
        return {plain(str(name)): as_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(inner) for inner in value]
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return base64.b64encode(value[: 1 << 20]).decode()
    return str(value) if isinstance(value, Decimal) else plain(str(value), 1000)
