"""What a suite is: read out of JSON with every mistake named, and written back in one way, so that its digest says whether it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from accounts.errors import Problem
from governance.digests import digest_of
from governance.rules.reading import Errors, Reader
from prompt_tests.assertions import Assertion, Judge, Similarity, read_assertion
from prompt_tests.assertions.kinds import MAX_TEXT, MODEL, MODEL_HELP

MAX_CASES = 500
MAX_ROWS = 5_000  # of a dataset
MAX_TESTS = 20_000  # cases x models x repeats
MAX_ASSERTIONS = 30
MAX_MODELS = 20
MAX_REPEATS = 20
MAX_BYTES = 1024 * 1024
_DATASET = r"[a-z0-9._-]{1,96}/[a-z0-9._-]{1,96}"
_ALIAS = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_COLUMN = 200


class InvalidSuite(Problem):
    title = "These tests can't be kept"


@dataclass(frozen=True)
class Case:
    """Written by hand: values of the variables, what is expected, and assertions beside those of the suite."""

    name: str
    variables: dict[str, Any]
    placeholders: dict[str, Any]
    expected: str
    assertions: tuple[Assertion, ...]

    def as_json(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"variables": self.variables}
        if self.name:
            entry["name"] = self.name
        if self.placeholders:
            entry["placeholders"] = self.placeholders
        if self.expected:
            entry["expected"] = self.expected
        if self.assertions:
            entry["assertions"] = [one.as_json() for one in self.assertions]
        return entry


@dataclass(frozen=True)
class Rows:
    """Cases out of a dataset: its newest registered version, the pinned one, or where an alias points. A variable takes the column of
    its own name unless `mapping` names another."""

    dataset: str
    version: int | None
    alias: str
    mapping: dict[str, str]
    expected_column: str
    limit: int | None

    def as_json(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"dataset": self.dataset, "expected_column": self.expected_column}
        if self.version:
            entry["version"] = self.version
        if self.alias:
            entry["alias"] = self.alias
        if self.mapping:
            entry["mapping"] = self.mapping
        if self.limit:
            entry["limit"] = self.limit
        return entry


@dataclass(frozen=True)
class SuiteContent:
    """`models` empty: the version's own. `threshold`: the share of tests that must pass for the run to be green."""

    assertions: tuple[Assertion, ...] = ()
    cases: tuple[Case, ...] = ()
    rows: Rows | None = None
    models: tuple[str, ...] = ()
    repeats: int = 1
    threshold: float = 1.0
    run_on_save: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "assertions": [one.as_json() for one in self.assertions],
            "cases": [case.as_json() for case in self.cases],
            "rows": self.rows.as_json() if self.rows else None,
            "models": list(self.models),
            "repeats": self.repeats,
            "threshold": self.threshold,
            "run_on_save": self.run_on_save,
        }

    @property
    def digest(self) -> str:
        """Of what is tested: when it runs is no part of it."""
        return digest_of({name: value for name, value in self.as_json().items() if name != "run_on_save"})

    @property
    def judges(self) -> list[str]:
        """The models that assertions ask, each once."""
        every = [*self.assertions, *(one for case in self.cases for one in case.assertions)]
        return sorted({one.model for one in every if isinstance(one, Judge | Similarity) and one.model})


def parse(given: Any) -> SuiteContent:
    """Read a suite. Raises InvalidSuite, naming every mistake by its field."""
    errors: Errors = {}
    if not isinstance(given, Mapping):
        raise InvalidSuite("Tests are a JSON object.", errors={"body": ["Send a JSON object."]})
    read = Reader(given, "", errors)
    found = SuiteContent(
        assertions=_assertions(read.value("assertions", []), "assertions", errors),
        cases=_cases(read.value("cases", []), errors),
        rows=_rows(read.value("rows"), errors),
        models=_models(read),
        repeats=read.whole("repeats", 1, MAX_REPEATS, "repeats", default=1) or 1,
        threshold=_threshold(read),
        run_on_save=read.flag("run_on_save", default=False),
    )
    read.end()
    if not errors:
        _check_whole(found, errors)
    if errors:
        field, texts = next(iter(errors.items()))
        raise InvalidSuite(f"{field}: {texts[0]}", errors=errors)
    return found


def _check_whole(found: SuiteContent, errors: Errors) -> None:
    if not found.cases and found.rows is None:
        errors["cases"] = ["Write a case, or take the rows of a dataset."]
    if not found.assertions:
        if found.rows is not None:
            errors["assertions"] = ["Assert something: else the rows of the dataset would pass whatever came."]
        for index, case in enumerate(found.cases):
            if not case.assertions:
                errors[f"cases[{index}].assertions"] = [
                    "Assert something here, or for every case: else this one would pass whatever came."
                ]
    try:
        size = len(rfc8785.dumps(found.as_json()))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        errors["body"] = [f"This can't be kept exactly: {error}"]
        return
    if size > MAX_BYTES:
        errors["body"] = [f"At most {MAX_BYTES:,} bytes, here {size:,}: put cases into a dataset."]


def _models(read: Reader) -> tuple[str, ...]:
    if read.entry.get("models") == []:
        read.read.add("models")
        return ()
    return read.texts("models", MODEL, MODEL_HELP, most=MAX_MODELS) or ()


def _threshold(read: Reader) -> float:
    value = read.number("threshold")
    if value is not None and not 0 < value <= 1:
        read.fail("threshold", "Use a share above 0 and up to 1 (all of them).")
    return 1.0 if value is None else value


def _assertions(given: Any, field: str, errors: Errors) -> tuple[Assertion, ...]:
    if not isinstance(given, list) or len(given) > MAX_ASSERTIONS:
        errors[field] = [f"Give a list of at most {MAX_ASSERTIONS} assertions."]
        return ()
    found = [read_assertion(entry, f"{field}[{index}]", errors) for index, entry in enumerate(given)]
    return tuple(one for one in found if one is not None)


def _cases(given: Any, errors: Errors) -> tuple[Case, ...]:
    if not isinstance(given, list) or len(given) > MAX_CASES:
        errors["cases"] = [f"Give a list of at most {MAX_CASES} cases; more of them go into a dataset."]
        return ()
    return tuple(_case(entry, f"cases[{index}]", errors) for index, entry in enumerate(given))


def _case(entry: Any, field: str, errors: Errors) -> Case:
    if not isinstance(entry, Mapping):
        errors[field] = ["A case is an object with `variables` and, where it helps, `expected` and `assertions`."]
        return Case("", {}, {}, "", ())
    read = Reader(entry, field, errors)
    name, expected = read.value("name", ""), read.value("expected", "")
    if not isinstance(name, str) or len(name) > 100 or "\0" in name:
        read.fail("name", "A name is a text of at most 100 characters.")
        name = ""
    if not isinstance(expected, str) or len(expected) > MAX_TEXT or "\0" in expected:
        read.fail("expected", f"What is expected is a text of at most {MAX_TEXT:,} characters.")
        expected = ""
    case = Case(
        name.strip(),
        _object(read, "variables", 'Values by name, such as {"customer": "Ann"}.'),
        _object(read, "placeholders", 'Messages by the name of their placeholder, such as {"history": []}.'),
        expected,
        _assertions(read.value("assertions", []), f"{field}.assertions", errors),
    )
    read.end()
    return case


def _object(read: Reader, name: str, help_text: str) -> dict[str, Any]:
    value = read.value(name, {})
    if not isinstance(value, dict) or "\\u0000" in str(rfc8785_or_empty(value)):
        read.fail(name, help_text)
        return {}
    return value


def rfc8785_or_empty(value: Any) -> str:
    """Canonical JSON as a text; '' for what has none, which is refused as a whole later."""
    try:
        return rfc8785.dumps(value).decode()
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError):
        return ""


def _rows(given: Any, errors: Errors) -> Rows | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        errors["rows"] = ['Give an object, such as {"dataset": "team/name"}, or leave it out.']
        return None
    read = Reader(given, "rows", errors)
    dataset = read.text("dataset", _DATASET, "Name the dataset as team/name.")
    if not dataset and not read.failed:
        read.fail("dataset", "Name the dataset as team/name.")
    mapping = read.value("mapping", {})
    texts = isinstance(mapping, dict) and all(
        isinstance(value, str) and 0 < len(value) <= _COLUMN and "\0" not in value for value in mapping.values()
    )
    if not texts:
        read.fail("mapping", 'Name a column for each variable, such as {"customer": "name"}.')
    expected = read.value("expected_column", "expected")
    if not isinstance(expected, str) or len(expected) > _COLUMN or "\0" in expected:
        read.fail("expected_column", "Name a column, or leave it out for 'expected'.")
        expected = "expected"
    alias = read.text("alias", _ALIAS, "Name an alias of the dataset, such as golden.") or ""
    version = read.whole("version", 1, 2**31 - 1, "the version")
    if alias and version:
        read.fail("alias", "Name a version or an alias, not both.")
    found = Rows(
        dataset,
        version,
        alias,
        dict(mapping) if texts else {},
        expected,
        read.whole("limit", 1, MAX_ROWS, "rows"),
    )
    read.end()
    return found
