"""Models and datasets."""

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_team
from accounts.rest import page_response
from registry import actions, gates, reads
from registry.api.base import PAGE, PROBLEMS, RegistryView, archived_of
from registry.api.lifecycle import reason_of
from registry.models import Asset
from registry.representations import asset_json
from registry.serializers import AssetIn, AssetOut, AssetPatch, ReasonIn, page_of


class Assets(RegistryView):
    operations = {"get": "list", "post": "create"}

    @extend_schema(
        summary="List, last changed first",
        parameters=[
            OpenApiParameter("search", str, description="Words in name or description."),
            OpenApiParameter("team", str, description="Only this team's."),
            OpenApiParameter("task", str, description="Only models for this task.", enum=Asset.Task.values),
            OpenApiParameter("alias", str, description="Only those that have this alias, such as production."),
            OpenApiParameter("tag", str, many=True, description="Only those with this tag: `key` or `key:value`."),
            OpenApiParameter("archived", bool, description="`true`: the archived ones instead."),
            *PAGE,
        ],
        responses={200: page_of(AssetOut), 401: PROBLEMS[401]},
    )
    def get(self, request: Request, kind: str) -> Response:
        asked = {name: request.query_params.get(name, "") for name in ("search", "team", "task", "alias")}
        rows = reads.search_assets(
            reads.visible_assets(self.by, kind),
            **asked,
            tags=request.query_params.getlist("tag"),
            archived=archived_of(request),
        )
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
    operations = {"get": "read", "patch": "update", "delete": "delete"}

    @extend_schema(summary="Read", responses={200: AssetOut, 401: PROBLEMS[401], 404: PROBLEMS[404]})
    def get(self, request: Request, kind: str, team: str, name: str) -> Response:
        asset = reads.visible_assets(self.by, kind).filter(team__name=team, name=name).first()
        return Response(asset_json(asset or gates.get_shown(self.by, kind, f"{team}/{name}")[0]))

    @extend_schema(
        summary="Change name, description, task, restriction, gate or visibility",
        request=AssetPatch,
        responses={200: AssetOut, **PROBLEMS},
    )
    @transaction.atomic
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
        if "name" in given:
            name = actions.rename_asset(asset=asset, name=given["name"], by=self.by).name
        return self.get(request, kind, team, name)

    @extend_schema(
        summary="Delete",
        description="Into the bin for a grace period, with its versions; its name is free at once. 409 names what still refers to it.",
        request=ReasonIn,
        responses={204: None, **PROBLEMS},
    )
    def delete(self, request: Request, kind: str, team: str, name: str) -> Response:
        actions.delete_asset(asset=self.asset(kind, team, name), reason=reason_of(self), by=self.by)
        return Response(status=204)
