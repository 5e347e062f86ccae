"""JSON that comes in, as the body of a request or written into a form: holding only what can be stored."""

import math
from collections.abc import Mapping
from json import JSONDecodeError
from typing import IO, Any

from django.core.exceptions import ValidationError
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.utils import json

from accounts.errors import Invalid

_LARGEST = 2**63


class JsonParser(JSONParser):
    """DRF's parser lets through what PostgreSQL refuses later, and nesting that ends Python."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            data = json.loads(stream.read().decode(), parse_constant=json.strict_constant)
        except RecursionError:
            raise Invalid("body", "This JSON is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}") from None
        check_values(data)
        return data


def read_written(text: str) -> Any:
    """JSON that somebody wrote into a form; ValidationError says where it is not JSON, or what in it can't be kept."""
    try:
        data = json.loads(text, parse_constant=json.strict_constant)
        check_values(data)
    except JSONDecodeError as error:
        raise ValidationError(f"This is not JSON: line {error.lineno}, column {error.colno}: {error.msg}.") from None
    except RecursionError:
        raise ValidationError("This JSON is nested too deeply.") from None
    except ValueError as error:
        raise ValidationError(f"This is not JSON: {error}.") from None
    except Invalid as problem:
        raise ValidationError(problem.detail) from None
    return data


def check_values(data: Any) -> None:
    """Raise Invalid, naming the field, for text and numbers that no column of the database holds."""
    left = [("", data)]
    while left:
        field, value = left.pop()
        if isinstance(value, str):
            _check_text(field or "body", value)
        elif isinstance(value, bool):
            continue
        elif isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
            raise Invalid(field or "body", "This number is too large: use one of at most 63 bits.")
        elif isinstance(value, float) and not math.isfinite(value):  # 1e999 reads as infinity
            raise Invalid(field or "body", "This number is too large.")
        elif isinstance(value, dict):
            for key, item in value.items():
                _check_text(field or "body", key)
                left.append((f"{field}.{key}" if field else key, item))
        elif isinstance(value, list):
            left.extend((f"{field}[{index}]", item) for index, item in enumerate(value))


def _check_text(field: str, text: str) -> None:
    if "\0" in text:
        raise Invalid(field.replace("\0", ""), "Take out the NUL character (\\u0000).")
    try:
        text.encode()
    except UnicodeEncodeError:
        clean = field.encode("utf-8", "replace").decode()
        raise Invalid(clean, "This holds half of a character (a lone surrogate): write the whole one.") from None
