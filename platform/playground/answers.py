"""Judging answers: is it in the format that was asked for, and is it what was expected?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import regex
from jsonschema import SchemaError, ValidationError
from jsonschema.validators import extend, validator_for
from referencing import Registry

_LONGEST = 400
_PATTERN_S = 0.5


def schema_problem(response_format: Mapping[str, Any] | None, output: str) -> str | None:
    """What the answer lacks of its format; '' when it fits, None where none was asked for. References that lead out of the
    schema are not followed."""
    if not response_format or response_format.get("type") not in ("json_object", "json_schema"):
        return None
    try:
        value = json.loads(output)
    except ValueError as error:
        return f"No JSON: {error}"[:_LONGEST]
    except RecursionError:
        return "JSON that is nested too deeply."
    if response_format["type"] == "json_object":
        return "" if isinstance(value, dict) else "JSON, but no object."
    given = response_format.get("json_schema")
    schema = given.get("schema") if isinstance(given, Mapping) else None
    if not isinstance(schema, Mapping | bool):
        return ""
    try:
        if "patternProperties" in json.dumps(schema):
            return "The schema has patternProperties, which are not checked here."
        validator = validator_for(schema)
        validator.check_schema(schema)
        validator = extend(validator, {"pattern": _pattern})
        found = next(iter(sorted(validator(schema, registry=Registry()).iter_errors(value), key=_depth)), None)
    except SchemaError as wrong:
        return f"The schema itself is wrong: {wrong.message}"[:_LONGEST]
    except Exception as problem:
        # A reference that leads nowhere, a pattern that is none: what a schema may hold is not ours to list.
        return f"The schema can't be applied: {type(problem).__name__}: {problem}"[:_LONGEST]
    return f"{found.json_path}: {found.message}"[:_LONGEST] if found else ""


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """With an end to it: a pattern can take for ever, and a worker waits."""
    if not isinstance(instance, str):
        return
    try:
        if not regex.search(pattern, instance, timeout=_PATTERN_S):
            yield ValidationError(f"{instance[:80]!r} does not match {pattern[:80]!r}")
    except TimeoutError:
        yield ValidationError(f"the pattern {pattern[:80]!r} takes too long on this text")


def _depth(error: ValidationError) -> int:
    return len(error.absolute_path)


def matches(output: str, expected: str | None) -> bool | None:
    """None where nothing is expected. JSON is compared as values, so that spacing doesn't count."""
    if expected is None:
        return None
    if output.strip() == expected.strip():
        return True
    try:
        return bool(json.loads(output) == json.loads(expected))
    except (ValueError, RecursionError):
        return False
