"""The tests of a run, one by one: each case, asked of each model, as often as the suite says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from accounts.errors import Invalid
from prompt_tests.assertions import Assertion
from prompt_tests.models import SuiteRun
from prompt_tests.suites import Rows, SuiteContent, rfc8785_or_empty
from registry import datasets
from registry.models import Version


@dataclass(frozen=True)
class Unit:
    """One test: `index` is its place in the run, `key` what the same test of another version is known by."""

    index: int
    key: str
    label: str
    row: int | None
    model: str
    repeat: int
    variables: dict[str, Any]
    placeholders: dict[str, Any]
    expected: str
    assertions: tuple[Assertion, ...]


@dataclass(frozen=True)
class _Given:
    """A case without its model: by hand, or a row."""

    label: str
    row: int | None
    variables: dict[str, Any]
    placeholders: dict[str, Any]
    expected: str
    assertions: tuple[Assertion, ...]


def units(run: SuiteRun, suite: SuiteContent, *, variables: Collection[str], done: Collection[int]) -> Iterator[Unit]:
    """Those that have no result yet, in order; rows that are done with are not read. Invalid names a row that can't be asked."""
    models, repeats = run.model_names, suite.repeats
    per_case = len(models) * repeats
    start = next((place for place in range(run.rows) if not _all_done(place, per_case, done)), run.rows)
    for place, given in _cases(run, suite, variables, start):
        if _all_done(place, per_case, done):
            continue
        for number, model in enumerate(models):
            for repeat in range(repeats):
                index = place * per_case + number * repeats + repeat
                if index not in done:
                    key = _key(given, model, repeat)
                    yield Unit(
                        index, key, given.label, given.row, model, repeat,
                        given.variables, given.placeholders, given.expected, given.assertions,
                    )  # fmt: skip


def _all_done(place: int, per_case: int, done: Collection[int]) -> bool:
    return all(place * per_case + step in done for step in range(per_case))


def _key(given: _Given, model: str, repeat: int) -> str:
    what = [given.variables, given.placeholders, given.expected, model, repeat]
    return hashlib.sha256((rfc8785_or_empty(what) or repr(what)).encode()).hexdigest()


def _cases(run: SuiteRun, suite: SuiteContent, variables: Collection[str], start: int) -> Iterator[tuple[int, _Given]]:
    """Cases from place `start` on: first those written by hand, then the rows."""
    by_hand = len(suite.cases)
    for place, case in enumerate(suite.cases[start:], start):
        label = case.name or f"case {place + 1}"
        both = (*suite.assertions, *case.assertions)
        yield place, _Given(label, None, case.variables, case.placeholders, case.expected, both)
    if suite.rows is None or run.dataset_version is None:
        return
    first = max(0, start - by_hand)
    for row, (where, values) in enumerate(rows_of(run.dataset_version, first, run.rows - by_hand - first), first):
        given, expected = filled(suite.rows, values, variables, where)
        yield by_hand + row, _Given(f"row {row + 1}", row, given, {}, expected, suite.assertions)


def rows_of(version: Version, start: int, limit: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows, each with where it stands, for a person."""
    for path, number, row in datasets.located_rows(version, start, limit):
        yield f"{path}, row {number}", row


def filled(rows: Rows, values: dict[str, Any], variables: Collection[str], where: str) -> tuple[dict[str, Any], str]:
    """A row as values of the prompt's variables, and what is expected. A variable without a column stays out: it may have a default."""
    found: dict[str, Any] = {}
    for name in variables:
        column = rows.mapping.get(name, name)
        if column in values:
            if values[column] is not None:
                found[name] = json.loads(json.dumps(values[column], default=str))
        elif name in rows.mapping:
            there = ", ".join(f"'{field}'" for field in list(values)[:8]) or "none"
            raise Invalid(f"rows.mapping.{name}", f"{where}: there is no column '{column}'; it has {there}.")
    expected = values.get(rows.expected_column)
    if expected is None:
        return found, ""
    text = expected if isinstance(expected, str) else json.dumps(expected, ensure_ascii=False, default=str)
    return found, text.replace("\0", "\ufffd")
