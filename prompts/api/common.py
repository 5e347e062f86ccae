"""What the views share."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request

from accounts.access import Actor
from accounts.errors import Invalid
from prompts.models import PromptVersion
from prompts.resolved import resolved_fields

PAGE = [
    OpenApiParameter("cursor", str, description="`next` of the page before."),
    OpenApiParameter("limit", int, description="Rows per page, 1 to 200."),
]


def page_of(shape: type) -> dict[int, type]:
    """A page's shape: {"results": [...], "next": cursor or null}."""
    return {
        200: inline_serializer(  # type: ignore[dict-item]
            f"{shape.__name__}Page",
            {"results": shape(many=True), "next": serializers.CharField(allow_null=True)},
        )
    }


def raw_field(request: Request, field: str) -> object:
    """The field as it was sent: DRF's JSONField would read a text that looks like JSON as JSON."""
    return request.data.get(field) if isinstance(request.data, dict) else None


def number_of(request: Request, field: str) -> int:
    text = request.query_params.get(field, "")
    if not text.isdecimal() or len(text) > 9:
        raise Invalid(field, "Give a version's number.")
    return int(text)


RESOLVE = OpenApiParameter(
    "resolve", bool, description="1: with the texts of what it includes, for clients that fill it in themselves."
)


def resolved_where_asked(request: Request, version: PromptVersion, by: Actor) -> dict[str, Any] | None:
    """The fields that `?resolve=1` adds."""
    asked = request.query_params.get("resolve", "")
    if asked not in ("", "0", "1", "true", "false"):
        raise Invalid("resolve", "Use 1 or 0.")
    return resolved_fields(version, by) if asked in ("1", "true") else None
