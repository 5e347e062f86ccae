"""The editor of tests: what stands in its inputs, as the JSON that prompt_tests.suites reads, and back. Adding and removing lines are
buttons of the form, so that all of it works without JavaScript."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from accounts.numbers import whole
from prompt_tests.suites import MAX_ASSERTIONS, MAX_CASES

Row = dict[str, str]
NAMES = {
    "contains": "Contains",
    "not_contains": "Does not contain",
    "equals": "Equals",
    "regex": "Matches a pattern",
    "json": "JSON",
    "similarity": "Similar",
    "judge": "Judge",
    "latency": "Latency",
    "tokens": "Tokens",
    "cost": "Cost",
    "tool_call": "Calls a tool",
}
_ASSERTION = re.compile(r"(?:c-(\d{1,3})-)?a-(\d{1,3})-([a-z_]+)")
_CASE = re.compile(r"c-(\d{1,3})-(name|expected|placeholders)")
_VALUE = re.compile(r"c-(\d{1,3})-(v|j):(.{1,200})", re.DOTALL)
_TOP = ("models", "repeats", "threshold", "dataset", "version", "limit", "expected_column")
_FIELDS = {
    "contains": ("value",),
    "not_contains": ("value",),
    "equals": ("value",),
    "regex": ("pattern",),
    "json": ("schema",),
    "similarity": ("minimum", "model"),
    "judge": ("rubric", "model", "minimum"),
    "latency": ("maximum_ms",),
    "tokens": ("maximum",),
    "cost": ("maximum",),
    "tool_call": ("name", "arguments"),
}


@dataclass
class CaseRow:
    """One case as it stands in the form. `structured`: variables whose values are JSON rather than text."""

    name: str = ""
    expected: str = ""
    placeholders: str = ""
    values: Row = field(default_factory=dict)
    structured: set[str] = field(default_factory=set)
    assertions: list[Row] = field(default_factory=list)

    def shown(self, variables: Sequence[str]) -> list[dict[str, Any]]:
        names = [*variables, *(name for name in self.values if name not in variables)]
        return [
            {"name": name, "value": self.values.get(name, ""), "structured": name in self.structured} for name in names
        ]


@dataclass
class Editor:
    """The inputs as texts. `errors` as InvalidSuite names them, by field."""

    top: Row = field(default_factory=lambda: {"repeats": "1", "threshold": "100", "expected_column": "expected"})
    mapping: Row = field(default_factory=dict)
    run_on_save: bool = False
    assertions: list[Row] = field(default_factory=list)
    cases: list[CaseRow] = field(default_factory=list)
    errors: dict[str, list[str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """What prompt_tests.suites reads; texts that are no numbers stay texts, so that it names them."""
        found: dict[str, Any] = {
            "assertions": [_assertion(row) for row in self.assertions],
            "cases": [self._case(row) for row in self.cases],
            "models": _listed(self.top.get("models", "")),
            "repeats": _number(self.top.get("repeats") or "1"),
            "threshold": _percent(self.top.get("threshold") or "100"),
            "run_on_save": self.run_on_save,
        }
        if self.top.get("dataset"):
            rows: dict[str, Any] = {
                "dataset": self.top["dataset"],
                "mapping": {name: column for name, column in self.mapping.items() if column},
                "expected_column": self.top.get("expected_column") or "expected",
            }
            rows |= {name: _number(self.top[name]) for name in ("version", "limit") if self.top.get(name)}
            if isinstance(rows.get("version"), str):
                rows["alias"] = rows.pop("version")
            found["rows"] = rows
        return found

    def _case(self, row: CaseRow) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, text in row.values.items():
            if name in row.structured:
                if text.strip():
                    values[name] = _json(text)
            elif text:
                values[name] = text
        case: dict[str, Any] = {
            "name": row.name,
            "variables": values,
            "expected": row.expected,
            "assertions": [_assertion(one) for one in row.assertions],
        }
        return case | ({"placeholders": _json(row.placeholders)} if row.placeholders else {})

    def numbered_assertions(self) -> list[dict[str, Any]]:
        return self._numbered(self.assertions, "a", "assertions")

    def _numbered(self, rows: Sequence[Row], prefix: str, name: str) -> list[dict[str, Any]]:
        return [
            {
                "row": row,
                "prefix": f"{prefix}-{index}",
                "title": NAMES.get(row.get("type", ""), row.get("type", "")),
                "errors": self._errors(f"{name}[{index}]"),
            }
            for index, row in enumerate(rows)
        ]

    def numbered_cases(self, variables: Sequence[str]) -> list[dict[str, Any]]:
        return [
            {
                "row": row,
                "index": index,
                "values": row.shown(variables),
                "assertions": self._numbered(row.assertions, f"c-{index}-a", f"cases[{index}].assertions"),
                "errors": [
                    text
                    for name, texts in self.errors.items()
                    if name.startswith(f"cases[{index}]") and not name.startswith(f"cases[{index}].assertions[")
                    for text in texts
                ],
            }
            for index, row in enumerate(self.cases)
        ]

    @property
    def other_errors(self) -> list[str]:
        """Those of no line."""
        return [
            f"{name.replace('_', ' ').replace('.', ', ').capitalize()}: {text}"
            for name, texts in self.errors.items()
            if not name.startswith(("assertions[", "cases["))
            for text in texts
        ]

    def _errors(self, name: str) -> list[str]:
        return [
            text
            for key, texts in self.errors.items()
            if key == name or key.startswith(f"{name}.")
            for text in texts
        ]  # fmt: skip

    def change(self, do: str) -> None:
        """A button of the form: add-case, add-contains, add-contains-2 (to case 2), remove-case-1, remove-a-0, remove-c-1-a-0."""
        verb, _, rest = do.partition("-")
        if verb == "add" and rest == "case":
            if len(self.cases) < MAX_CASES:
                self.cases.append(CaseRow())
        elif verb == "add":
            kind, _, number = rest.partition("-")
            index = whole(number, below=len(self.cases)) if number else None
            lines = self.assertions if not number else self.cases[index].assertions if index is not None else None
            if kind in NAMES and lines is not None and len(lines) < MAX_ASSERTIONS:
                lines.append({"type": kind})
        elif verb == "remove":
            self._remove(rest)

    def _remove(self, rest: str) -> None:
        parts = rest.split("-")
        numbers = [number for part in parts if (number := whole(part, below=1_000)) is not None]
        if parts[0] == "case" and len(numbers) == 1 and numbers[0] < len(self.cases):
            self.cases.pop(numbers[0])
        elif parts[0] == "a" and len(numbers) == 1 and numbers[0] < len(self.assertions):
            self.assertions.pop(numbers[0])
        elif parts[0] == "c" and len(numbers) == 2 and numbers[0] < len(self.cases):
            lines = self.cases[numbers[0]].assertions
            if numbers[1] < len(lines):
                lines.pop(numbers[1])


def show(content: Mapping[str, Any]) -> Editor:
    """Tests as they stand, in the inputs."""
    rows = content.get("rows") or {}
    return Editor(
        top={
            "models": ", ".join(content.get("models", [])),
            "repeats": str(content.get("repeats", 1)),
            "threshold": f"{100 * content.get('threshold', 1):g}",
            "dataset": rows.get("dataset", ""),
            "version": str(rows.get("version") or rows.get("alias", "")),
            "limit": str(rows.get("limit", "")),
            "expected_column": rows.get("expected_column", "expected"),
        },
        mapping=dict(rows.get("mapping", {})),
        run_on_save=bool(content.get("run_on_save")),
        assertions=[_row(one) for one in content.get("assertions", [])],
        cases=[_case_row(case) for case in content.get("cases", [])],
    )


def read(data: QueryDict) -> Editor:
    """The form as it was sent."""
    every: dict[int | None, dict[int, Row]] = {}
    cases: dict[int, CaseRow] = {}
    mapping: Row = {}
    for key, value in data.items():
        if not isinstance(value, str):
            continue
        if match := _ASSERTION.fullmatch(key):
            case = int(match[1]) if match[1] else None
            every.setdefault(case, {}).setdefault(int(match[2]), {})[match[3]] = value
            if case is not None:
                cases.setdefault(case, CaseRow())
        elif match := _CASE.fullmatch(key):
            setattr(cases.setdefault(int(match[1]), CaseRow()), match[2], value)
        elif match := _VALUE.fullmatch(key):
            row = cases.setdefault(int(match[1]), CaseRow())
            if match[2] == "j":
                row.structured.add(match[3])
            else:
                row.values[match[3]] = value
        elif key.startswith("map:"):
            mapping[key.removeprefix("map:")] = value.strip()
    for number, row in cases.items():
        row.assertions = _ordered(every.get(number, {}))
    return Editor(
        top={name: data.get(name, "").strip() for name in _TOP},
        mapping=mapping,
        run_on_save="run_on_save" in data,
        assertions=_ordered(every.get(None, {})),
        cases=[cases[number] for number in sorted(cases)],
    )


def _ordered(rows: Mapping[int, Row]) -> list[Row]:
    return [rows[number] for number in sorted(rows)]


def _case_row(case: Mapping[str, Any]) -> CaseRow:
    values = case.get("variables", {})
    placeholders = case.get("placeholders")
    return CaseRow(
        case.get("name", ""),
        case.get("expected", ""),
        json.dumps(placeholders, ensure_ascii=False) if placeholders else "",
        {name: value if isinstance(value, str) else _shown(value) for name, value in values.items()},
        {name for name, value in values.items() if not isinstance(value, str)},
        [_row(one) for one in case.get("assertions", [])],
    )


def _row(assertion: Mapping[str, Any]) -> Row:
    row: Row = {}
    for name, value in assertion.items():
        if name == "ignore_case":
            row[name] = "on"
        elif isinstance(value, str):
            row[name] = value
        else:
            row[name] = f"{value:.12g}" if isinstance(value, float) else _shown(value)
    return row


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2 if isinstance(value, dict | list) else None)


def _assertion(row: Mapping[str, str]) -> dict[str, Any]:
    kind = row.get("type", "")
    entry: dict[str, Any] = {"type": kind}
    for name in _FIELDS.get(kind, ()):
        text = row.get(name, "")
        if not text.strip():
            continue
        if name in ("schema", "arguments"):
            entry[name] = _json(text)
        elif name in ("minimum", "maximum", "maximum_ms"):
            entry[name] = _number(text.strip())
        else:
            entry[name] = text.strip() if name in ("model", "name") else text
    if row.get("ignore_case"):
        entry["ignore_case"] = True
    return entry


def _json(text: str) -> Any:
    """The value that a text writes; else the text, which is then refused where an object is needed."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _number(text: str) -> Any:
    found = whole(text)
    if found is not None:
        return found
    try:
        number = float(text)
    except ValueError:
        return text
    return number


def _percent(text: str) -> Any:
    number = _number(text)
    return round(number / 100, 6) if isinstance(number, int | float) else number


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
