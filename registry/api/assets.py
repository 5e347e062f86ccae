"""Models and datasets."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_team
from accounts.rest import page_response
from registry import actions, gates, reads
from registry.api.base import PAGE, PROBLEMS, RegistryView
from registry.models import Asset
from registry.representations import asset_json
from registry.serializers import AssetIn, AssetOut, AssetPatch, page_of


class Assets(RegistryView):
    operations = {"get": "list", "post": "create"}

    @extend_schema(
        summary="List, last changed first",
        parameters=[
            OpenApiParameter("search", str, description="Words in name or description."),
            OpenApiParameter("team", str, description="Only this team's."),
            OpenApiParameter("task", str, description="Only models for this task.", enum=Asset.Task.values),
            OpenApiParameter("alias", str, description="Only those that have this alias, such as production."),
            *PAGE,
        ],
        responses={200: page_of(AssetOut), 401: PROBLEMS[401]},
    )
    def get(self, request: Request, kind: str) -> Response:
        asked = {name: request.query_params.get(name, "") for name in ("search", "team", "task", "alias")}
        rows = reads.search_assets(reads.visible_assets(self.by, kind), **asked)
        return page_response(request, rows, order=["-updated_at", "-id"], show=asset_json)

    @extend_schema(summary="Create", request=AssetIn, responses={201: AssetOut, **PROBLEMS})
    def post(self, request: Request, kind: str) -> Response:
        given = self.read(AssetIn)
        asset = actions.create_asset(
            team=get_team(self.by, given["team"]),
            kind=kind,
            name=given["name"],
            description=given["description"],
            task=given["task"],
            restricted=given["restricted"],
            gated=given["gated"],
            visibility=given["visibility"],
            by=self.by,
        )
        return Response(asset_json(asset), status=201, headers={"Location": f"/api/v1{asset.get_absolute_url()}"})


class AssetDetail(RegistryView):
    operations = {"get": "read", "patch": "update"}

    @extend_schema(summary="Read", responses={200: AssetOut, 401: PROBLEMS[401], 404: PROBLEMS[404]})
    def get(self, request: Request, kind: str, team: str, name: str) -> Response:
        asset = reads.visible_assets(self.by, kind).filter(team__name=team, name=name).first()
        return Response(asset_json(asset or gates.get_shown(self.by, kind, f"{team}/{name}")[0]))

    @extend_schema(
        summary="Change description, task, restriction or gate",
        request=AssetPatch,
        responses={200: AssetOut, **PROBLEMS},
    )
    def patch(self, request: Request, kind: str, team: str, name: str) -> Response:
        asset = self.asset(kind, team, name)
        given = self.read(AssetPatch)
        actions.update_asset(
            asset=asset,
            description=given.get("description"),
            task=given.get("task"),
            restricted=given.get("restricted"),
            gated=given.get("gated"),
            visibility=given.get("visibility"),
            by=self.by,
        )
        return self.get(request, kind, team, name)
