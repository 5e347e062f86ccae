"""Native REST: prompts."""

from django.db.models import prefetch_related_objects
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_team
from accounts.rest import ApiView, page_response
from prompts import actions
from prompts import serializers as shapes
from prompts.api.common import PAGE, page_of
from prompts.models import Prompt
from prompts.reads import get_prompt, list_prompts


class Prompts(ApiView):
    """The prompts that the caller sees."""

    @extend_schema(
        operation_id="prompts_list",
        parameters=[OpenApiParameter("team", str, description="This team's only."), *PAGE],
        responses=page_of(shapes.PromptOut),
    )
    def get(self, request: Request) -> Response:
        """The prompts that you see, newest change first."""
        rows = list_prompts(self.by)
        if team := request.query_params.get("team"):
            rows = rows.filter(team=get_team(self.by, team))
        return page_response(request, rows, order=["-updated_at", "-id"], show=shapes.show_prompt)

    @extend_schema(operation_id="prompts_create", request=shapes.PromptIn, responses={201: shapes.PromptOut})
    def post(self, request: Request) -> Response:
        """Make a prompt. Needs asset.create."""
        data = self.read(shapes.PromptIn)
        prompt = actions.create_prompt(
            team=get_team(self.by, data["team"]), name=data["name"], description=data["description"], by=self.by
        )
        return Response(shapes.show_prompt(prompt), status=201)


class PromptView(ApiView):
    """One prompt."""

    @extend_schema(operation_id="prompts_get", responses=shapes.PromptOut)
    def get(self, request: Request, team: str, name: str) -> Response:
        """One prompt with its labels."""
        return Response(shapes.show_prompt(_with_labels(get_prompt(self.by, f"{team}/{name}"))))

    @extend_schema(operation_id="prompts_update", request=shapes.PromptPatch, responses=shapes.PromptOut)
    def patch(self, request: Request, team: str, name: str) -> Response:
        """Change the description. Needs asset.edit."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        prompt = actions.update_prompt(prompt=prompt, by=self.by, **self.read(shapes.PromptPatch))
        return Response(shapes.show_prompt(_with_labels(prompt)))


def _with_labels(prompt: Prompt) -> Prompt:
    prefetch_related_objects([prompt], "labels__version")
    return prompt
