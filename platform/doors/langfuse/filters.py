"""The `filter` of Langfuse's list of prompts: a JSON list of conditions on versions, all of which have to hold."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.lookups import Exact, PatternLookup
from django.utils.dateparse import parse_datetime

from accounts.errors import Invalid
from doors.langfuse.shapes import at_label
from prompts.models import PromptTag

MAX_CONDITIONS, MAX_VALUES, MAX_TEXT = 20, 100, 1_000
_TESTS = ("=", "contains", "does not contain", "starts with", "ends with")
_ORDER: Mapping[str, str] = {"=": "exact", ">": "gt", "<": "lt", ">=": "gte", "<=": "lte"}
_COLUMNS: Mapping[str, str] = {"id": "pk", "name": "prompt__name", "type": "type"}
_DATES: Mapping[str, str] = {"createdAt": "created_at", "updatedAt": "created_at"}


class ILike(PatternLookup):
    """SQL's ILIKE with the pattern as it is given."""

    lookup_name = "ilike"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        left, left_values = self.process_lhs(compiler, connection)
        right, right_values = compiler.compile(self.rhs)
        return f"{left}::text ILIKE {right}", [*left_values, *right_values]


def read(text: str) -> Q:
    """The condition on versions."""
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        raise _wrong("It is not JSON.") from None
    if not isinstance(rows, list) or len(rows) > MAX_CONDITIONS or not all(isinstance(row, dict) for row in rows):
        raise _wrong(f"Use a JSON list of at most {MAX_CONDITIONS} conditions.")
    found = Q()
    for row in rows:
        kind = _KINDS.get(row.get("type") if isinstance(row.get("type"), str) else "")
        if kind is None:
            raise _wrong(f"Use one of the types {', '.join(_KINDS)}.")
        found &= kind(row)
    return found


def _string(row: dict[str, Any]) -> Q:
    column, sign = _column(row, _COLUMNS), _sign(row, {*_TESTS, "is not empty"})
    if sign == "is not empty":
        return Q()
    value = _text(row)
    if column == "pk":
        if sign != "=":
            raise _wrong("An id is compared by '='.")
        return Q(pk=int(value)) if value.isascii() and value.isdecimal() and len(value) < 19 else Q(pk__in=[])
    return _like(F(column), sign, value)


def _like(column: Any, sign: str, value: str) -> Q:
    """`column`: an expression. In searches % and _ are patterns, and a backslash takes that back: PostgreSQL's own rule."""
    if sign == "=":
        return Q(Exact(column, Value(value)))
    if (len(value) - len(value.rstrip("\\"))) % 2:
        raise _wrong("A pattern can't end with a single backslash.")
    pattern = {"starts with": f"{value}%", "ends with": f"%{value}"}.get(sign, f"%{value}%")
    test = Q(ILike(column, Value(pattern)))
    return ~test if sign == "does not contain" else test


def _options(row: dict[str, Any]) -> Q:
    column, sign, values = _column(row, _COLUMNS), _sign(row, {"any of", "none of"}), _texts(row)
    if column == "pk":
        values = [value for value in values if value.isascii() and value.isdecimal() and len(value) < 19]
    test = Q(**{f"{column}__in": values})
    return ~test if sign == "none of" else test


def _number(row: dict[str, Any]) -> Q:
    column, sign, value = _column(row, {"version": "number"}), _sign(row, _ORDER), row.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or not -(2**31) < value < 2**31:
        raise _wrong("'value' of a number is a number.")
    return Q(**{f"{column}__{_ORDER[sign]}": value})


def _datetime(row: dict[str, Any]) -> Q:
    column, sign = _column(row, _DATES), _sign(row, set(_ORDER) - {"="})
    try:
        moment: datetime | None = parse_datetime(_text(row))
    except ValueError:
        moment = None
    if moment is None:
        raise _wrong("'value' of a datetime is a time such as 2026-05-03T10:00:00Z.")
    return Q(**{f"{column}__{_ORDER[sign]}": moment if moment.tzinfo else moment.replace(tzinfo=UTC)})


def _arrays(row: dict[str, Any]) -> Q:
    column, sign, values = row.get("column"), _sign(row, {"any of", "all of", "none of"}), _texts(row)
    if column not in ("labels", "tags"):
        raise _wrong("Lists are compared for the columns labels and tags.")
    each = [at_label(value) if column == "labels" else _tagged(value) for value in values]
    found = Q() if sign == "all of" else Q(pk__in=[])
    for one in each:
        found = found & one if sign == "all of" else found | one
    return ~found if sign == "none of" else found


def _tagged(word: str) -> Q:
    return Q(Exists(PromptTag.objects.filter(prompt=OuterRef("prompt"), key=word, value="")))


def _config(row: dict[str, Any]) -> Q:
    sign, key = _sign(row, {*_TESTS, "is set", "is not set"}), row.get("key")
    if row.get("column") != "config" or not isinstance(key, str) or not 0 < len(key) <= MAX_TEXT or "\0" in key:
        raise _wrong("A stringObject is the column config with a 'key'.")
    there = Q(parameters__has_key=key) | (~Q(model="") if key == "model" else Q(pk__in=[]))
    value = _text(row, empty=True)
    if sign == "is not set":
        return ~there
    if sign == "is set" or not value:
        return there
    return there & _like(F("model") if key == "model" else KeyTextTransform(key, "parameters"), sign, value)


_KINDS: Mapping[str, Callable[[dict[str, Any]], Q]] = {
    "string": _string, "stringOptions": _options, "number": _number, "datetime": _datetime, "arrayOptions": _arrays,
    "stringObject": _config,
}  # fmt: skip


def _column(row: dict[str, Any], known: Mapping[str, str]) -> str:
    column = row.get("column")
    if not isinstance(column, str) or column not in known:
        raise _wrong(f"The type {row.get('type')} has the columns {', '.join(known)}.")
    return known[column]


def _sign(row: dict[str, Any], known: Any) -> str:
    sign = row.get("operator")
    if not isinstance(sign, str) or sign not in known:
        raise _wrong(f"Use one of the operators {', '.join(sorted(known))} here.")
    return sign


def _text(row: dict[str, Any], *, empty: bool = False) -> str:
    value = row.get("value")
    if not isinstance(value, str) or len(value) > MAX_TEXT or "\0" in value or not (value or empty):
        raise _wrong(f"'value' is a text of at most {MAX_TEXT} characters here.")
    return value


def _texts(row: dict[str, Any]) -> list[str]:
    values = row.get("value")
    good = isinstance(values, list) and 0 < len(values) <= MAX_VALUES
    if not isinstance(values, list) or not good or not all(isinstance(v, str) and "\0" not in v for v in values):
        raise _wrong(f"'value' is a list of 1 to {MAX_VALUES} texts here.")
    return values


def _wrong(text: str) -> Invalid:
    return Invalid("filter", f"The filter can't be read. {text}")
