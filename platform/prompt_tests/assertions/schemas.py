"""JSON in outputs, and JSON schemas that people write: nothing is fetched for them, and their patterns have a time limit."""

import json
import re
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import jsonschema
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from prompt_tests.assertions.patterns import PatternTooSlow, compiled, search
from prompt_tests.assertions.patterns import wrong_with as wrong_pattern

MAX_SCHEMA = 100_000  # characters
MAX_OUTPUT = 1_000_000
SECONDS = 5.0
_FENCE = re.compile(r"\s*```[a-zA-Z]*[ \t]*\n(.*?)\n?```\s*", re.DOTALL)


class NotJson(Exception):
    """The text says why."""


def _pattern(validator: Any, wanted: str, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if not isinstance(instance, str):
        return
    try:
        if search(compiled(wanted), instance) is None:
            yield jsonschema.ValidationError(f"{instance[:80]!r} does not match {wanted[:80]!r}")
    except PatternTooSlow as slow:
        yield jsonschema.ValidationError(str(slow))


class _TooSlow(Exception):
    """It followed its references for longer than it may."""


_until: ContextVar[float] = ContextVar("when looking has to end")


def _reference(of: Any) -> Any:
    """A schema whose parts refer to each other twice doubles its work with each of them."""

    def followed(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
        if time.monotonic() > _until.get():
            raise _TooSlow
        yield from of(validator, wanted, instance, schema)

    return followed


def _unique(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    """By what each says as JSON: the library holds each against every other."""
    listed = instance if wanted and isinstance(instance, list) else []
    if len({json.dumps(_plain(one), sort_keys=True) for one in listed}) < len(listed):
        yield jsonschema.ValidationError("Some of its items are the same.")


def _plain(value: Any) -> Any:
    """1.0 is 1 to JSON Schema."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


_KEYWORDS = jsonschema.Draft202012Validator.VALIDATORS
_Checked: type[Validator] = extend(
    jsonschema.Draft202012Validator,
    {
        "pattern": _pattern,
        "uniqueItems": _unique,
        **{name: _reference(_KEYWORDS[name]) for name in ("$ref", "$dynamicRef")},
    },
)


def wrong_with(schema: Any) -> str:
    """What is wrong with a schema, in words; '' when nothing is."""
    if not isinstance(schema, dict | bool):
        return "A JSON schema is an object."
    if len(json.dumps(schema)) > MAX_SCHEMA:
        return f"A schema has at most {MAX_SCHEMA:,} characters."
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        place = "/".join(str(part) for part in error.absolute_path)
        return f"This is no JSON schema{f', at {place}' if place else ''}: {error.message[:300]}"
    except RecursionError:
        return "This is nested too deeply."
    return next(_wrong_patterns(schema), "")


def _wrong_patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for name, value in schema.items():
            if name == "pattern" and isinstance(value, str) and (text := wrong_pattern(value)):
                yield text
            elif name == "patternProperties":
                # The library searches names by itself, without a limit on the time.
                yield "patternProperties is not supported here: name the properties, or use additionalProperties."
            yield from _wrong_patterns(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _wrong_patterns(value)


def parsed(text: str) -> Any:
    """A text as JSON; None for what is none."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return None


def read(output: str) -> Any:
    """The JSON that an output is, a fence around it aside. Raises NotJson."""
    if len(output) > MAX_OUTPUT:
        raise NotJson(f"The output has {len(output):,} characters, more than {MAX_OUTPUT:,}.")
    fenced = _FENCE.fullmatch(output)
    try:
        return json.loads(fenced[1] if fenced else output)
    except ValueError as error:
        raise NotJson(f"The output is no JSON: {error}.") from None
    except RecursionError:
        raise NotJson("The output is JSON that is nested too deeply.") from None


def lacking(value: Any, schema: Any) -> str:
    """What a value lacks of a schema, the outermost first; '' when it is valid."""
    validator: Any = _Checked(schema, registry=Registry())  # type: ignore[call-arg]  # an empty one: nothing is fetched
    token = _until.set(time.monotonic() + SECONDS)
    try:
        error = next(iter(sorted(validator.iter_errors(value), key=lambda found: len(found.absolute_path))), None)
    except Unresolvable as missing:
        return f"The schema refers to something that is not in it: {str(missing)[:200]}"
    except RecursionError:
        return "The schema refers to itself without end."
    except _TooSlow:
        return f"The schema was followed for longer than {SECONDS:g} s: its parts refer to each other too often."
    finally:
        _until.reset(token)
    if error is None:
        return ""
    place = "/".join(str(part) for part in error.absolute_path)
    return f"{f'At {place}: ' if place else ''}{error.message[:300]}"


def decide(output: str, schema: Any) -> tuple[bool, str]:
    """Is it JSON, and valid by the schema where there is one?"""
    try:
        value = read(output)
    except NotJson as problem:
        return False, str(problem)
    if schema is None:
        return True, "It is JSON."
    problem_found = lacking(value, schema)
    return not problem_found, problem_found or "It is valid by the schema."
