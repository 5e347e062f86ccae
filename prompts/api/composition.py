"""Native REST: what includes what, and what a moved label would touch."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Conflict, Invalid
from accounts.numbers import whole
from accounts.rest import ApiView
from prompts import composition
from prompts.composition import CompositionProblem
from prompts.models import Prompt, PromptVersion
from prompts.reads import get_prompt, get_version, resolve_label


class ImpactRowOut(serializers.Serializer[Any]):
    prompt = serializers.CharField()
    version = serializers.IntegerField()
    digest = serializers.CharField()
    labels = serializers.ListField(child=serializers.CharField(), help_text="What points at it, `latest` among them.")
    depth = serializers.IntegerField(help_text="1: it includes this prompt itself.")
    includes = serializers.CharField(help_text="What it includes on the way here.")


class ImpactOut(serializers.Serializer[Any]):
    results = ImpactRowOut(many=True)
    others = serializers.IntegerField(help_text="Versions that nothing points at.")
    hidden = serializers.IntegerField(help_text="Versions in use that you can't see.")
    cut_off = serializers.BooleanField(help_text="There are more.")


class NodeOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # declared fields are taken off the class
    href = serializers.CharField(allow_null=True)
    state = serializers.CharField(help_text="Its labels; 'missing' for what is not there any more.")
    layer = serializers.IntegerField(help_text="0 is the version asked about; below it what it includes.")


class EdgeOut(serializers.Serializer[Any]):
    to = serializers.CharField()
    at = serializers.CharField(help_text="The label or number.")

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.CharField(), **super().get_fields()}  # 'from' is no name in Python


class GraphOut(serializers.Serializer[Any]):
    start = serializers.CharField()
    nodes = NodeOut(many=True)
    edges = EdgeOut(many=True)
    hidden = serializers.IntegerField()
    cut_off = serializers.BooleanField()


class ImpactView(ApiView):
    @extend_schema(
        operation_id="prompts_impact",
        parameters=[OpenApiParameter("label", str, description="The label that is to move; without it any.")],
        responses=ImpactOut,
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        """The versions whose text depends on this prompt, directly or through others."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        found = composition.impact_of(prompt, request.query_params.get("label") or None, self.by)
        return Response(
            {
                "results": [row.as_json() for row in found.rows],
                "others": found.others,
                "hidden": found.hidden,
                "cut_off": found.cut_off,
            }
        )


class GraphView(ApiView):
    @extend_schema(
        operation_id="prompts_graph",
        parameters=[
            OpenApiParameter("version", int, description="Without it the newest."),
            OpenApiParameter("label", str, description="Instead of a number."),
        ],
        responses=GraphOut,
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        """What a version includes, and what includes it."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        asked = request.query_params
        version = version_asked(self, prompt, asked.get("version") or None, asked.get("label") or "latest")
        try:
            return Response(composition.graph_of(version, self.by).as_json())
        except CompositionProblem as problem:
            raise Conflict(problem.message, code="include_cycle") from None


def version_asked(view: ApiView, prompt: Prompt, number: Any, label: str) -> PromptVersion:
    """The version at a number, which comes before the label."""
    if number is None:
        return resolve_label(view.by, str(prompt), label)
    found = number if isinstance(number, int) else whole(str(number))
    if found is None or not 0 < found < 2**31:
        raise Invalid("version", "Give a version's number.")
    return get_version(view.by, prompt, found)
