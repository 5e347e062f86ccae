"""Judging answers: is it in the format that was asked for, and is it what was expected?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from prompt_tests.assertions import schemas

_LONGEST = 400


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
    if not isinstance(schema, dict | bool):
        return ""
    if wrong := schemas.wrong_with(schema):
        return f"The schema can't be applied. {wrong}"[:_LONGEST]
    return schemas.lacking(value, schema)[:_LONGEST]


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
