"""REST: the lineage of a version."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Invalid
from home.lineage.graph import MAX_DEPTH, MAX_NODES, lineage_of
from registry.api.base import PROBLEMS, RegistryView


class LineageNodeOut(serializers.Serializer[dict[str, object]]):
    id = serializers.CharField()
    kind = serializers.CharField(help_text="version, asset, outside, run, evaluation, request, deployment or hidden.")
    label = serializers.CharField()  # type: ignore[assignment]  # a field, which the metaclass takes out of the class
    href = serializers.CharField(allow_null=True, help_text="Its page.")
    state = serializers.CharField(help_text="Its own state; of a hidden one, how many there are.")


class LineageEdgeOut(serializers.Serializer[dict[str, object]]):
    to = serializers.CharField()
    relation = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[object, object, object, object]]:
        return {"from": serializers.CharField(), **super().get_fields()}  # 'from' is no name in Python


class LineageOut(serializers.Serializer[dict[str, object]]):
    start = serializers.CharField(help_text="The node of this version.")
    nodes = LineageNodeOut(many=True)
    edges = LineageEdgeOut(many=True)
    hidden = serializers.IntegerField(help_text="Things that belong here and that you can't see.")
    cut_off = serializers.BooleanField(help_text="There is more than depth and the number of nodes let in.")


class Lineage(RegistryView):
    operations = {"get": "version_lineage"}

    @extend_schema(
        summary="Where a version comes from and where it leads",
        description=f"Versions, runs, evaluations, requests and deployments, at most {MAX_NODES}.",
        parameters=[OpenApiParameter("depth", int, description=f"Steps up and down, 1 to {MAX_DEPTH}.")],
        responses={200: LineageOut, 400: PROBLEMS[400], 404: PROBLEMS[404]},
    )
    def get(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        text = request.query_params.get("depth", str(MAX_DEPTH))
        if text not in {str(depth) for depth in range(1, MAX_DEPTH + 1)}:
            raise Invalid("depth", f"Use a whole number between 1 and {MAX_DEPTH}.")
        graph = lineage_of(self.version(kind, team, name, number), self.by, depth=int(text))
        return Response(graph.as_json())
