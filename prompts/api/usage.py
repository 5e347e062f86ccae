"""Native REST: who uses which version."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import ApiView
from prompts.api.common import number_of
from prompts.reads import get_prompt
from prompts.serializers_usage import UsageOut, show_usage
from prompts.usage import read_since, usage_of


class UsageView(ApiView):
    @extend_schema(
        operation_id="prompt_usage",
        parameters=[
            OpenApiParameter("version", int, description="Of this version alone."),
            OpenApiParameter("since", str, description="The first day (2026-01-31); without one, 30 days ago."),
        ],
        responses=UsageOut,
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        """Fetches by version, consumer, label and day: 'who still uses version 3?'. A few seconds behind."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        version = number_of(request, "version") if request.query_params.get("version") else None
        since = read_since(request.query_params.get("since", ""))
        return Response(show_usage(str(prompt), usage_of(self.by, prompt, since=since, version=version)))
