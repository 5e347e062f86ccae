"""Models and datasets."""

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_team
from accounts.errors import Invalid
from accounts.rest import page_arguments
from registry import actions, gates, reads, search
from registry.api.base import PAGE, PROBLEMS, RegistryView
from registry.api.lifecycle import reason_of
from registry.models import Asset
from registry.representations import asset_json
from registry.search.sizes import TITLES
from registry.serializers import AssetIn, AssetOut, AssetPatch, AssetSearchPage, FacetsOut, ReasonIn

SEARCH = [
    OpenApiParameter("q", str, description="Words, or the beginnings of words; 'team/name' works."),
    OpenApiParameter("search", str, description="The same, as older clients say it."),
    OpenApiParameter("team", str, many=True, description="Only this team's."),
    OpenApiParameter("task", str, many=True, description="Only models for this task.", enum=Asset.Task.values),
    OpenApiParameter("stage", str, many=True, description="Only those that have this alias, such as production."),
    OpenApiParameter("alias", str, description="The same, as older clients say it."),
    OpenApiParameter("licence", str, many=True, description="As the card says it, such as apache-2.0."),
    OpenApiParameter("language", str, many=True, description="As the card says it, such as en."),
    OpenApiParameter("library", str, many=True, description="As the card says it, such as transformers."),
    OpenApiParameter("size", str, many=True, description="A class of parameters or rows.", enum=list(TITLES)),
    OpenApiParameter("tag", str, many=True, description="'key' or 'key:value'."),
    OpenApiParameter("archived", bool, description="Those that are archived, instead of those that are not."),
    OpenApiParameter("sort", str, enum=[search.BEST, *search.SORTS], description="Best fits first where there are words."),
]  # fmt: skip


def read_query(request: Request) -> search.Query:
    sort = request.query_params.get("sort", "")
    if sort and sort != search.BEST and sort not in search.SORTS:
        raise Invalid("sort", f"Use one of {', '.join((search.BEST, *search.SORTS))}.")
    return search.Query.read(request._request.GET)


class Assets(RegistryView):
    operations = {"get": "list", "post": "create"}

    @extend_schema(
        summary="Search and list",
        description="With words the best fits first: the exact name, names that begin so, words of names, tags, descriptions and "
        "cards. `corrected` says what was taken for mistyped. A facet may stand several times: any of its values (of `tag`, all).",
        parameters=[*SEARCH, *PAGE],
        responses={200: AssetSearchPage, 400: PROBLEMS[400], 401: PROBLEMS[401]},
    )
    def get(self, request: Request, kind: str) -> Response:
        query = read_query(request)
        cursor, limit = page_arguments(request)
        rows = reads.visible_assets(self.by, kind)
        found = search.find(rows, query, cursor=cursor, limit=limit)
        return Response(
            {"results": [asset_json(row) for row in found.rows], "next": found.next, "corrected": found.corrected}
        )

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


class AssetFacets(RegistryView):
    operations = {"get": "facets"}

    @extend_schema(
        summary="How many there are of each licence, language, size …",
        description=f"Among what is found. `more`: there are more than {search.BOUND}, and the counts are of the first of them.",
        parameters=SEARCH,
        responses={200: FacetsOut, 400: PROBLEMS[400], 401: PROBLEMS[401]},
    )
    def get(self, request: Request, kind: str) -> Response:
        counted = search.count(reads.visible_assets(self.by, kind), read_query(request))
        facets = {
            name: [{"value": one.value, "title": one.title, "count": one.count} for one in values]
            for name, values in counted.values.items()
        }
        return Response({"total": counted.total, "more": counted.more, "facets": facets})


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
