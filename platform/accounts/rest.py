"""What every native REST view shares: the base view, problem details (RFC 9457) and keyset pages."""

import base64
import http
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DataError
from django.db.models import BooleanField, DateTimeField, Field, IntegerField, Model, QuerySet
from django.http import Http404
from django.utils.dateparse import parse_datetime
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from accounts import refusals
from accounts.access import Actor
from accounts.authentication import actor_of
from accounts.errors import Invalid, Problem, TooLarge

logger = logging.getLogger(__name__)
M = TypeVar("M", bound=Model)
PAGE = 50
MAX_PAGE = 200


class ApiView(APIView):
    """A native REST view: authenticated, translating to actions and back."""

    @property
    def by(self) -> Actor:
        return actor_of(self.request._request)

    def read(self, serializer: type[BaseSerializer[Any]]) -> dict[str, Any]:
        """The body, checked; a problem names each field that is wrong."""
        checked = serializer(data=self.request.data)
        checked.is_valid(raise_exception=True)
        data: dict[str, Any] = checked.validated_data
        return data


def unstorable(error: DataError) -> Problem:
    """What the database refused to hold and no field's own check had caught: the caller's mistake, and a gap to close."""
    logger.warning("A value reached the database that it can't hold: %s", str(error).splitlines()[0])
    return Problem("A number is out of range, or a text is too long or holds a NUL character. Use a smaller one.")


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: everything a caller can cause becomes application/problem+json."""
    headers: dict[str, str] = {}
    body: dict[str, Any]
    if request := context.get("request"):
        refusals.note(getattr(request, "_request", request), error)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, RequestDataTooBig):
        error = TooLarge(
            f"A JSON body has at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes. Upload files as files."
        )
    elif isinstance(error, DataError):
        error = unstorable(error)
    if isinstance(error, Problem):
        code = error.status
        body = {
            "type": f"urn:countersign:problem:{error.code}",
            "title": error.title,
            "status": code,
            "detail": storable(error.detail),
        }
        if error.errors:
            body["errors"] = {
                storable(field): [storable(text) for text in texts] for field, texts in error.errors.items()
            }
        if error.link:
            body["link"] = error.link
        if permission := getattr(error, "permission", ""):
            body["permission"] = permission
        if code == status.HTTP_401_UNAUTHORIZED:
            headers["WWW-Authenticate"] = 'Bearer realm="countersign"'
    elif isinstance(error, exceptions.APIException):
        code = error.status_code
        slug = str(error.default_code)
        body = {"type": f"urn:countersign:problem:{slug}", "title": http.HTTPStatus(code).phrase, "status": code}
        if isinstance(error, exceptions.ValidationError):
            body["title"] = "Invalid input"
            body["errors"] = _flatten(error.detail)
            body["detail"] = "; ".join(f"{field}: {texts[0]}" for field, texts in body["errors"].items())
        else:
            body["detail"] = str(error.detail)
        if header := getattr(error, "auth_header", None):
            headers["WWW-Authenticate"] = header
        if wait := getattr(error, "wait", None):
            headers["Retry-After"] = str(int(wait))
    else:
        return None
    return Response(body, status=code, headers=headers, content_type="application/problem+json")


def storable(text: str) -> str:
    """The text with what no UTF-8 holds replaced: an error may quote what was wrong with the input."""
    return text.encode("utf-8", "replace").decode()


def _flatten(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    """DRF's nested error structure as {dotted.field: [texts]}."""
    if isinstance(detail, dict):
        found: dict[str, list[str]] = {}
        for key, value in detail.items():
            found |= _flatten(value, f"{prefix}.{key}" if prefix else str(key))
        return found
    if isinstance(detail, list) and any(isinstance(item, dict) for item in detail):
        found = {}
        for index, item in enumerate(detail):
            if item:
                found |= _flatten(item, f"{prefix}[{index}]")
        return found
    texts = detail if isinstance(detail, list) else [detail]
    return {prefix.removesuffix(".non_field_errors") or "body": [storable(str(text)) for text in texts]}


class Cursor:
    """An opaque place in a list: the values of the ordering columns of the last row shown."""

    @staticmethod
    def write(values: Sequence[Any]) -> str:
        text = json.dumps([value.isoformat() if hasattr(value, "isoformat") else value for value in values])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @staticmethod
    def read(text: str, length: int) -> list[Any]:
        try:
            values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (ValueError, RecursionError):
            values = None
        if (
            not isinstance(values, list)
            or len(values) != length
            or not all(isinstance(v, str | int | float) for v in values)
        ):
            raise not_a_cursor()
        return values


def not_a_cursor() -> Invalid:
    return Invalid("cursor", "This is not a cursor of this list. Leave it out to begin at the first page.")


def _fits(field: "Field[Any, Any]", value: Any) -> bool:
    """Can this value of a cursor stand in this column? Cursors come back from callers, who may have written them."""
    if isinstance(field, BooleanField):
        return isinstance(value, bool)
    if isinstance(field, IntegerField):
        return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
        return not isinstance(field, DateTimeField) or parse_datetime(value) is not None
    except ValueError:
        return False


def keyset_page(
    rows: QuerySet[M], *, order: Sequence[str], cursor: str = "", limit: int = PAGE
) -> tuple[list[M], str | None]:
    """One page of `rows` in `order` (all ascending or all descending; the last column unique), and the next page's cursor."""
    descending = order[0].startswith("-")
    names = [name.removeprefix("-") for name in order]
    if cursor:
        values = Cursor.read(cursor, len(names))
        fields = [rows.model._meta.get_field(name) for name in names]
        if not all(_fits(field, value) for field, value in zip(fields, values, strict=True)):  # type: ignore[arg-type]
            raise not_a_cursor()
        rows = rows.extra(  # noqa: S610  names come from the model, values are parameters; a row comparison: one index range, which the ORM cannot say
            where=[_row_comparison(rows, names, "<" if descending else ">")], params=values
        )
    found = list(rows.order_by(*order)[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return found, Cursor.write([getattr(found[-1], name) for name in names]) if more else None


def _row_comparison(rows: QuerySet[Any], names: Sequence[str], sign: str) -> str:
    meta = rows.model._meta
    columns = ", ".join(f'"{meta.db_table}"."{meta.get_field(name).column}"' for name in names)  # type: ignore[union-attr]
    return f"({columns}) {sign} ({', '.join(['%s'] * len(names))})"


def page_arguments(request: Request) -> tuple[str, int]:
    """`cursor` and `limit` of a list's query string."""
    text = request.query_params.get("limit", str(PAGE))
    if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= MAX_PAGE:
        raise Invalid("limit", f"Use a whole number between 1 and {MAX_PAGE}.")
    return request.query_params.get("cursor", ""), int(text)


def page_response(request: Request, rows: QuerySet[M], *, order: Sequence[str], show: Callable[[M], Any]) -> Response:
    """A list's answer: {"results": [...], "next": cursor or null}."""
    cursor, limit = page_arguments(request)
    found, following = keyset_page(rows, order=order, cursor=cursor, limit=limit)
    return Response({"results": [show(row) for row in found], "next": following})
