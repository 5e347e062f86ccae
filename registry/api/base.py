"""What the registry's REST views share."""

from typing import Any, cast

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request

from accounts.errors import Invalid
from accounts.rest import ApiView
from registry import reads
from registry.models import Asset, Version
from registry.serializers import ProblemOut

PROBLEMS = {
    400: OpenApiResponse(ProblemOut, "A field is wrong: `errors` names it and the remedy."),
    401: OpenApiResponse(ProblemOut, "The key is missing, wrong, expired or revoked."),
    403: OpenApiResponse(ProblemOut, "A permission is missing, or the alias is protected."),
    404: OpenApiResponse(ProblemOut, "It does not exist, or you may not see it."),
    409: OpenApiResponse(
        ProblemOut, "The state of the thing does not allow this: a name is taken, a version is registered."
    ),
}
PAGE = [
    OpenApiParameter("cursor", str, description="`next` of the page before."),
    OpenApiParameter("limit", int, description="How many, 1 to 200; 50 without it."),
]


def archived_of(request: Request) -> bool:
    """`archived` of a list's query string."""
    text = request.query_params.get("archived", "false").lower()
    if text not in ("true", "false"):
        raise Invalid("archived", "Use true or false.")
    return text == "true"


class RegistrySchema(AutoSchema):
    """The same views stand under /models and /datasets: operations are named after section and verb."""

    def get_operation_id(self) -> str:
        section = self.path.removeprefix("/api/v1/").split("/")[0].rstrip("s")
        operation: str = cast("RegistryView", self.view).operations[self.method.lower()]
        return f"{section}_{operation}"


class RegistryView(ApiView):
    """`kind` comes with the address; `operations` names what each method does in the OpenAPI document."""

    schema = RegistrySchema()
    operations: dict[str, str] = {}

    def asset(self, kind: str, team: str, name: str) -> Asset:
        return reads.get_asset(self.by, kind, f"{team}/{name}")

    def version(self, kind: str, team: str, name: str, number: int) -> Version:
        return reads.get_version(self.by, self.asset(kind, team, name), number)


class AnyContent(BaseContentNegotiation):
    """For files: what they are is not negotiable, and errors are JSON whatever a client accepts."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type
