"""Typed inputs: what a prompt's variables are, checked where they are declared and where they are filled in."""

import difflib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import regex

from prompts import patterns
from prompts.findings import Findings, said, text_problem

TYPES = ("string", "number", "integer", "boolean", "array", "object", "messages")
_KEYS = (
    "name", "type", "description", "default", "example", "required", "enum", "minimum", "maximum", "min_length",
    "max_length", "pattern", "items",
)  # fmt: skip
_NOUNS = {
    "string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false", "array": "a list",
    "object": "an object", "messages": "a list of messages",
}  # fmt: skip
NESTED = ("array", "object", "messages")
MAX_INPUTS = 200
MAX_NAME = 200
MAX_PATTERN = 500
MAX_ENUM = 500
PATTERN_S = 0.2
PATTERNS_S = 1.0  # for all patterns of a prompt together
_MAX_UNKNOWN = 20
_NAME = regex.compile(r"[^\W\d][\w-]*")
# Which constraints belong to which types.
_FOR = {
    "minimum": ("number", "integer"), "maximum": ("number", "integer"), "min_length": ("string", "array", "messages"),
    "max_length": ("string", "array", "messages"), "pattern": ("string",), "items": ("array",),
    "enum": ("string", "number", "integer", "boolean"),
}  # fmt: skip


@dataclass(frozen=True)
class Input:
    """A variable of a prompt. `implicit`: the template uses it and nobody declared it; it takes any value."""

    name: str
    type: str
    declared: Mapping[str, Any]
    implicit: bool = False

    @property
    def has_default(self) -> bool:
        return "default" in self.declared

    @property
    def required(self) -> bool:
        """Must a caller give it? One with a default never; else as declared, and by what the template needs."""
        return not self.has_default and self.declared.get("required", True) is not False

    @property
    def description(self) -> str:
        return str(self.declared.get("description") or "")


class Clock:
    """The time that is left for all patterns of a prompt."""

    def __init__(self) -> None:
        self._left = PATTERNS_S

    def found(self, pattern: str, text: str) -> bool:
        """Is the pattern in the text? TimeoutError where there is no time to tell."""
        began = time.monotonic()
        try:
            return patterns.compiled(pattern).search(text, timeout=max(min(PATTERN_S, self._left), 0.001)) is not None
        finally:
            self._left -= time.monotonic() - began


def declared_in(inputs: Any) -> list[Input]:
    """The declarations, as far as they make sense; nothing raises."""
    rows = [row for row in inputs if isinstance(row, dict) and isinstance(row.get("name"), str)] if inputs else []
    return [Input(row["name"], row["type"] if row.get("type") in TYPES else "string", row) for row in rows]


def nested_in(inputs: Any) -> frozenset[str]:
    """The names of those that hold other names: lists and objects."""
    return frozenset(row.name for row in declared_in(inputs) if row.type in NESTED)


def all_inputs(inputs: Any, variables: Sequence[str], placeholders: Sequence[str] = ()) -> list[Input]:
    """Those declared, in the author's order, then the variables that nobody declared: texts, and messages for placeholders."""
    found = declared_in(inputs)
    names = {row.name for row in found}
    implicit = [name for name in sorted({*variables, *placeholders}) if name not in names]
    return found + [Input(n, "messages" if n in placeholders else "string", {}, implicit=True) for n in implicit]


def check(inputs: Any, findings: Findings) -> list[dict[str, Any]]:
    """The declarations, checked; what is wrong goes to `findings`."""
    if inputs is None or inputs == []:
        return []
    if not isinstance(inputs, list):
        findings.add("inputs", 'Inputs are a list: [{"name": "tone", "type": "string", "default": "friendly"}].')
        return []
    if len(inputs) > MAX_INPUTS:
        findings.add("inputs", f"At most {MAX_INPUTS} inputs, here {len(inputs)}.")
        return []
    seen: set[str] = set()
    clock = Clock()
    for index, row in enumerate(inputs):
        where = f"inputs[{index}]"
        if not isinstance(row, dict):
            findings.add(where, f'An input is an object with "name" and "type", not {said(row)}.')
            continue
        name = row.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > MAX_NAME:
            findings.add(
                f"{where}.name", f"A name has letters, digits and '_', at most {MAX_NAME}: {said(name)} won't do."
            )
        elif name in seen:
            findings.add(f"{where}.name", f"'{name}' is declared twice.")
        else:
            seen.add(name)
        _check_row(where, row, findings, clock)
    return [{**row, "type": row.get("type", "string")} for row in inputs if isinstance(row, dict)]


def _check_row(where: str, row: dict[str, Any], findings: Findings, clock: Clock) -> None:
    for key in sorted(row.keys() - set(_KEYS), key=str)[:_MAX_UNKNOWN]:
        near = difflib.get_close_matches(str(key)[:MAX_NAME], _KEYS, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"Use {', '.join(_KEYS)}."
        findings.add(f"{where}.{str(key)[:MAX_NAME]}", f"An input has no '{str(key)[:MAX_NAME]}': {hint}")
    kind = row.get("type", "string")
    if kind not in TYPES:
        findings.add(f"{where}.type", f"Use one of {', '.join(TYPES)}, not {said(kind)}.")
        return
    before = len(findings.errors)
    if "description" in row and not isinstance(row["description"], str):
        findings.add(f"{where}.description", "A description is text.")
    if "required" in row and not isinstance(row["required"], bool):
        findings.add(f"{where}.required", "Use true or false.")
    _check_constraints(where, row, kind, findings)
    if len(findings.errors) > before:
        return
    for key in ("default", "example"):
        if key in row and (wrong := problem_of(Input(str(row.get("name")), kind, row), row[key], clock)):
            findings.add(f"{where}.{key}", f"It does not fit the input itself: {wrong}")
    if row.get("required") is True and "default" in row:
        findings.warn(f"{where}.required", "With a default it is never missing, so 'required' has no effect.")


def _check_constraints(where: str, row: dict[str, Any], kind: str, findings: Findings) -> None:
    for key, kinds in _FOR.items():
        if key in row and kind not in kinds:
            findings.add(f"{where}.{key}", f"'{key}' is for {' and '.join(kinds)}, and this is of the type {kind}.")
    for key in ("minimum", "maximum"):
        if key in row and not _is_number(row[key]):
            findings.add(f"{where}.{key}", f"This is a number, not {said(row[key])}.")
    for key in ("min_length", "max_length"):
        if key in row and not (isinstance(row[key], int) and not isinstance(row[key], bool) and row[key] >= 0):
            findings.add(f"{where}.{key}", f"This is a whole number from 0, not {said(row[key])}.")
    for low, high in (("minimum", "maximum"), ("min_length", "max_length")):
        if _is_number(row.get(low)) and _is_number(row.get(high)) and row[low] > row[high]:
            findings.add(f"{where}.{low}", f"'{low}' is above '{high}': no value fits.")
    if "enum" in row and not (isinstance(row["enum"], list) and 0 < len(row["enum"]) <= MAX_ENUM):
        findings.add(f"{where}.enum", f"This is a list of 1 to {MAX_ENUM} values.")
    elif "enum" in row and kind in _NOUNS:
        for value in row["enum"]:
            if wrong := _type_problem(kind, value):
                findings.add(f"{where}.enum", wrong)
                break
    if "items" in row and not (isinstance(row["items"], dict) and row["items"].get("type") in TYPES[:6]):
        findings.add(f"{where}.items", f'This is {{"type": one of {", ".join(TYPES[:6])}}}.')
    if "pattern" in row:
        _check_pattern(f"{where}.pattern", row["pattern"], findings)


def _check_pattern(where: str, pattern: Any, findings: Findings) -> None:
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN:
        findings.add(where, f"A pattern is a regular expression of at most {MAX_PATTERN} characters.")
        return
    try:
        patterns.compiled(pattern)
    except ValueError as error:
        findings.add(where, str(error))


def _is_number(value: Any) -> bool:
    # isfinite() makes a float of it, and a whole number may be too large for one.
    return (isinstance(value, float) and math.isfinite(value)) or (
        isinstance(value, int) and not isinstance(value, bool)
    )


_FITS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _type_problem(kind: str, value: Any) -> str:
    if kind == "messages":
        return messages_problem(value)
    return "" if _FITS[kind](value) else f"Expected {_NOUNS[kind]}, got {said(value)}."


def messages_problem(value: Any) -> str:
    """Why this can't stand for a placeholder; empty when it can."""
    if not isinstance(value, list):
        return f"Expected a list of messages, got {said(value)}."
    for index, message in enumerate(value):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            return (
                f'Expected messages such as {{"role": "user", "content": "…"}}; number {index + 1} is {said(message)}.'
            )
        if not isinstance(message.get("content"), str | list | None):
            return (
                f"The content of message {index + 1} is {said(message['content'])}: expected text or a list of parts."
            )
    return ""


def problem_of(row: Input, value: Any, clock: Clock | None = None) -> str:
    """Why this value does not fit this input; empty when it does."""
    if row.implicit and row.type != "messages":
        return ""
    if wrong := _type_problem(row.type, value):
        return wrong
    if isinstance(value, str) and (wrong := text_problem(value)):
        return wrong
    return _constraint_problem(row.declared, value, clock or Clock())


def _constraint_problem(given: Mapping[str, Any], value: Any, clock: Clock) -> str:
    if "enum" in given and value not in given["enum"]:
        choices = ", ".join(json.dumps(choice, ensure_ascii=False) for choice in given["enum"][:20])
        return f"Expected one of {choices}, got {said(value)}."
    if "minimum" in given and value < given["minimum"]:
        return f"Expected at least {given['minimum']}, got {said(value)}."
    if "maximum" in given and value > given["maximum"]:
        return f"Expected at most {given['maximum']}, got {said(value)}."
    if "min_length" in given and len(value) < given["min_length"]:
        return f"Expected a length of at least {given['min_length']}, got {len(value)}."
    if "max_length" in given and len(value) > given["max_length"]:
        return f"Expected a length of at most {given['max_length']}, got {len(value)}."
    if "pattern" in given:
        try:
            if not clock.found(given["pattern"], value):
                return f"Expected a text that matches {given['pattern']}, got {said(value)}."
        except TimeoutError:
            return f"The pattern {given['pattern']} takes too long on this value: write a simpler one."
    if "items" in given:
        for index, item in enumerate(value):
            if wrong := _type_problem(given["items"]["type"], item):
                return f"Item {index + 1}: {wrong}"
    return ""


def fill(rows: Sequence[Input], given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values with defaults, and what is wrong with them by name. Values for other names are left alone."""
    values, wrong, clock = dict(given), {}, Clock()
    for row in rows:
        if row.name in values:
            if text := problem_of(row, values[row.name], clock):
                wrong[row.name] = text
        elif row.has_default:
            values[row.name] = row.declared["default"]
        elif not row.implicit and row.required:
            wrong[row.name] = f"Give a value for '{row.name}': {_NOUNS[row.type]}."
    return values, wrong


def as_text(value: Any) -> str:
    """A value as `from_text` reads it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def from_text(row: Input, text: str) -> Any:
    """What somebody typed into a form's field, as the input's type; what does not read so stays text, for `fill` to name."""
    if row.type == "string" and not (row.implicit and text.lstrip()[:1] in ("[", "{")):
        return text
    if row.type == "boolean" and text.strip().lower() in ("true", "yes", "on", "false", "no", "off"):
        return text.strip().lower() in ("true", "yes", "on")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
