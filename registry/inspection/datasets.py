"""Reading rows of datasets: every row is checked at registration, and read again a page at a time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from accounts.errors import Invalid
from registry import paths
from registry.inspection import parquet
from registry.inspection.manifest import MAX_JSON_BYTES, Manifest

MAX_LINE_BYTES = 16 << 20
MAX_COLUMNS = 1_000
_INDEX_ENTRIES = 512
_DATA = (".jsonl", ".csv", ".parquet", ".json")
csv.field_size_limit(MAX_LINE_BYTES)


def check(files: Manifest) -> tuple[dict[str, Any], dict[str, Any]]:
    """Facts (rows, columns) and the row index of a dataset; Invalid names the file, the line and the column."""
    columns: dict[str, None] = {}
    index: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    schema: dict[str, str] = {}
    warnings: list[str] = []
    for path in files:
        lowered = path.lower()
        if paths.is_rows(path):
            with files.open(path) as stream:
                rows = _check_rows(path, stream, columns)
            index[path] = {
                "rows": rows.count,
                "step": rows.step,
                "at": rows.at,
                **({"columns": rows.header} if rows.header else {}),
            }
        elif lowered.endswith(".parquet"):
            with files.open(path) as stream:
                found = parquet.look(path, stream, files.size(path))
            index[path] = {"rows": found.rows, "groups": found.groups}
            schema |= found.schema
            columns.update(dict.fromkeys(found.schema))
            facts["row_groups"] = facts.get("row_groups", 0) + len(found.groups)
        elif lowered.endswith(".json"):
            _check_json(files, path, facts, warnings)
    if index:
        facts |= {"rows": sum(entry["rows"] for entry in index.values()), "columns": list(columns)[:MAX_COLUMNS]}
        facts["formats"] = sorted({path.rpartition(".")[2].lower() for path in index})
    if schema:
        facts["schema"] = schema
    if not any(path.lower().endswith(_DATA) for path in files):
        warnings.append(
            "There are no rows among the files (.jsonl, .csv or .parquet), so nothing can be evaluated on it."
        )
    return facts | ({"warnings": warnings} if warnings else {}), index


def _check_json(files: Manifest, path: str, facts: dict[str, Any], warnings: list[str]) -> None:
    if files.size(path) > MAX_JSON_BYTES:
        warnings.append(
            f"{path} is not looked into: it has more than {MAX_JSON_BYTES >> 20} MiB. Rows belong into .jsonl or .parquet."
        )
        return
    value = files.json(path)
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        facts["records"] = facts.get("records", 0) + len(value)


@dataclass
class _Rows:
    """How many rows a file has, and where every `step`-th begins."""

    count: int = 0
    step: int = 1
    at: list[int] = field(default_factory=list)
    header: list[str] = field(default_factory=list)

    def note(self, offset: int) -> None:
        if self.count % self.step == 0:
            if len(self.at) == _INDEX_ENTRIES:
                self.at, self.step = self.at[::2], self.step * 2
            if self.count % self.step == 0:
                self.at.append(offset)
        self.count += 1


def _check_rows(path: str, stream: BinaryIO, columns: dict[str, None]) -> _Rows:
    rows = _Rows()
    lines = _Lines(path, stream)
    if path.lower().endswith(".csv"):
        rows.header = read_header(path, lines)
        columns.update(dict.fromkeys(rows.header))
    for offset, row in read_rows(path, lines, rows.header):
        rows.note(offset)
        if not rows.header:
            columns.update(dict.fromkeys(row))
        if len(columns) > MAX_COLUMNS:
            raise Invalid(
                "files", f"{path}, line {lines.number}: there are more than {MAX_COLUMNS} different field names."
            )
    return rows


class _Lines:
    """Text lines of a binary stream, with the number of the last one (from 1) and the byte offset of the next."""

    def __init__(self, path: str, stream: BinaryIO, offset: int = 0) -> None:
        self.path, self.number, self.offset = path, 0, offset
        stream.seek(offset)
        self._stream = io.BufferedReader(stream, 1 << 20)  # type: ignore[type-var]  # an unbuffered file is a RawIOBase

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._stream.readline(MAX_LINE_BYTES + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > MAX_LINE_BYTES:
            raise Invalid("files", f"{self.path}, line {self.number}: longer than {MAX_LINE_BYTES} bytes. Split it.")
        if self.offset == 0:
            self.offset = len(line)
            line = line.removeprefix(b"\xef\xbb\xbf")
        else:
            self.offset += len(line)
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise Invalid(
                "files",
                f"{self.path}, line {self.number}, byte {error.start + 1}: not UTF-8 text. Save the file as UTF-8.",
            ) from None


def open_lines(path: str, stream: BinaryIO, offset: int = 0) -> _Lines:
    return _Lines(path, stream, offset)


def read_header(path: str, lines: _Lines) -> list[str]:
    """The column names in a CSV file's first line."""
    header = next(_csv_records(path, lines), (0, []))[1]
    if not header or not any(header):
        raise Invalid("files", f"{path}, line 1: there are no column names. Put them in the first line.")
    if any("\0" in name for name in header):
        raise Invalid("files", f"{path}, line 1: there is a NUL character in it.")
    if "" in header:
        raise Invalid("files", f"{path}, line 1, column {header.index('') + 1}: the column has no name.")
    double = next((name for name in header if header.count(name) > 1), None)
    if double is not None:
        raise Invalid("files", f"{path}, line 1: two columns are called '{double}'. Rename one.")
    return header


def read_rows(path: str, lines: _Lines, header: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row with the byte offset at which it begins; Invalid names file and line of a row that does not parse."""
    if not path.lower().endswith(".csv"):
        yield from _json_rows(path, lines)
        return
    for offset, record in _csv_records(path, lines):
        if len(record) != len(header):
            raise Invalid(
                "files",
                f"{path}, line {lines.number}: {len(record)} fields, but there are {len(header)} columns. "
                "Put fields that contain commas, quotes or line breaks in double quotes.",
            )
        row = dict(zip(header, record, strict=True))
        if any("\0" in text for text in record):
            raise Invalid("files", f"{path}, line {lines.number}: there is a NUL character in it.")
        yield offset, row


def _csv_records(path: str, lines: _Lines) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, strict=True)
    while True:
        offset = lines.offset
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Invalid("files", f"{path}, line {lines.number}: not CSV ({error}).") from None
        if record:
            yield offset, record


def _json_rows(path: str, lines: _Lines) -> Iterator[tuple[int, dict[str, Any]]]:
    offset = lines.offset
    for line in lines:
        if line.strip():
            yield offset, _json_row(path, lines.number, line)
        offset = lines.offset


def _json_row(path: str, number: int, line: str) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise Invalid("files", f"{path}, line {number}: {constant} is not JSON. Use null or a number.")

    try:
        row = json.loads(line, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise Invalid("files", f"{path}, line {number}, column {error.colno}: not JSON ({error.msg}).") from None
    except RecursionError:
        raise Invalid("files", f"{path}, line {number}: nested too deeply.") from None
    except ValueError:
        raise Invalid("files", f"{path}, line {number}: a number has too many digits.") from None
    if not isinstance(row, dict):
        raise Invalid("files", f'{path}, line {number}: each line must be a JSON object, such as {{"input": …}}.')
    if "\\u" in line:
        _check_storable(path, number, row)
    return row


def _check_storable(path: str, number: int, row: dict[str, Any]) -> None:
    """Escapes can spell what no database text holds: NUL, and halves of a surrogate pair."""
    text = json.dumps(row, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid(
            "files", f"{path}, line {number}: half of a surrogate pair (\\ud800 to \\udfff) stands alone."
        ) from None
    if "\\u0000" in text:
        raise Invalid("files", f"{path}, line {number}: there is a NUL character (\\u0000) in it.")
