"""Versions, and the rows of datasets."""

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Invalid
from accounts.rest import Cursor, page_arguments, page_response
from registry import actions, datasets, gates, reads, revisions
from registry.api.base import PAGE, PROBLEMS, RegistryView, archived_of
from registry.api.lifecycle import reason_of
from registry.hot import json_answer
from registry.models import VersionTag
from registry.representations import version_json
from registry.serializers import AssetVersionIn, AssetVersionOut, ReasonIn, RowsOut, VersionPatch, page_of


class Versions(RegistryView):
    operations = {"get": "version_list", "post": "version_create"}

    @extend_schema(
        summary="List versions, newest first",
        parameters=[
            OpenApiParameter("tag", str, many=True, description="Only those with this tag: `key` or `key:value`."),
            OpenApiParameter("branch", str, description="Only those that were committed to this branch."),
            OpenApiParameter("archived", bool, description="`true`: the archived ones instead."),
            *PAGE,
        ],
        responses={200: page_of(AssetVersionOut), 404: PROBLEMS[404]},
    )
    def get(self, request: Request, kind: str, team: str, name: str) -> Response:
        asset = self.asset(kind, team, name)
        rows = asset.versions.live().filter(archived_at__isnull=not archived_of(request))
        if branch := request.query_params.get("branch"):
            rows = rows.filter(revisions.line_of(asset, branch))
        for tag in request.query_params.getlist("tag"):
            rows = rows.filter(reads.tagged(VersionTag, "version", tag))
        rows = rows.select_related("asset__team", "created_by", "registered_by").prefetch_related("tags")
        return page_response(request, rows, order=["-number"], show=version_json)

    @extend_schema(
        summary="Begin a version",
        description="A draft with the next number. Put files into it, then register it.",
        request=AssetVersionIn,
        responses={201: AssetVersionOut, **PROBLEMS},
    )
    def post(self, request: Request, kind: str, team: str, name: str) -> Response:
        asset = self.asset(kind, team, name)
        given = self.read(AssetVersionIn)
        version = actions.create_version(
            asset=asset, message=given["message"], source_run_id=given["source_run"], by=self.by
        )
        return Response(version_json(version), status=201, headers={"Location": f"/api/v1{version.get_absolute_url()}"})


class VersionDetail(RegistryView):
    operations = {"get": "version_read", "patch": "version_describe", "delete": "version_discard"}

    @extend_schema(
        summary="Read a version",
        description="With an ETag; `If-None-Match` is answered by 304.",
        responses={200: AssetVersionOut, 404: PROBLEMS[404]},
    )
    def get(self, request: Request, kind: str, team: str, name: str, number: int) -> HttpResponse:
        return json_answer(request._request, version_json(self.version(kind, team, name, number)))

    @extend_schema(summary="Describe a version", request=VersionPatch, responses={200: AssetVersionOut, **PROBLEMS})
    def patch(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        version = self.version(kind, team, name, number)
        description = self.read(VersionPatch)["description"]
        return Response(version_json(actions.describe_version(version=version, description=description, by=self.by)))

    @extend_schema(
        summary="Discard a draft, delete a registered version",
        description="A draft goes at once. A registered version goes into the bin for a grace period; 409 names what still refers to it.",
        request=ReasonIn,
        responses={204: None, **PROBLEMS},
    )
    def delete(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        version = self.version(kind, team, name, number)
        if version.is_registered:
            actions.delete_version(version=version, reason=reason_of(self), by=self.by)
        else:
            actions.discard_version(version=version, by=self.by)
        return Response(status=204)


class Register(RegistryView):
    operations = {"post": "version_register"}

    @extend_schema(
        summary="Register a version",
        description="Checks the files, fixes the manifest and its digest for ever. A file that does not hold what it should is named.",
        request=None,
        responses={200: AssetVersionOut, **PROBLEMS},
    )
    def post(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        version = self.version(kind, team, name, number)
        return Response(version_json(actions.register_version(version=version, by=self.by)))


class Rows(RegistryView):
    operations = {"get": "rows"}

    @extend_schema(
        summary="Rows of a registered dataset version",
        description="The rows of its .jsonl, .csv and .parquet files, in the order of paths and lines.",
        parameters=PAGE,
        responses={200: RowsOut, 404: PROBLEMS[404], 409: PROBLEMS[409]},
    )
    def get(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        version = self.version(kind, team, name, number)
        cursor, limit = page_arguments(request)
        start = Cursor.read(cursor, 1)[0] if cursor else 0
        if not isinstance(start, int) or start < 0:
            raise Invalid("cursor", "This is not a cursor of this list. Leave it out to begin at the first page.")
        gates.check_read(self.by, version.asset)
        rows = list(datasets.rows(version, start, limit))
        actions.record_download(version=version, what={"first_row": start + 1, "rows": len(rows)}, by=self.by)
        total = datasets.count(version)
        following = Cursor.write([start + limit]) if start + limit < total else None
        return Response({"results": rows, "next": following, "total": total})
