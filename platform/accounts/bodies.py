"""Bodies of REST requests: JSON of a bounded size, holding only what can be stored."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.utils import json

from accounts.errors import Invalid, TooLarge

_LARGEST = 2**63


class JsonParser(JSONParser):
    """DRF's parser, which reads a body of any size and lets through what PostgreSQL refuses later."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        content = stream.read(limit + 1)
        if len(content) > limit:
            raise TooLarge(f"A JSON body has at most {limit} bytes. Upload files as files.")
        try:
            data = json.loads(content.decode(), parse_constant=json.strict_constant)
        except RecursionError:
            raise Invalid("body", "This JSON is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}") from None
        check_values(data)
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
