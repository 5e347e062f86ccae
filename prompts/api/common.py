"""What the views share."""

from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request

from accounts.errors import Invalid

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
