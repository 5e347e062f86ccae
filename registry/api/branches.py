"""Branches: lines of versions beside `main`."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Invalid, NotFound
from accounts.rest import page_response
from registry import actions, reads, revisions
from registry.api.base import PAGE, PROBLEMS, RegistryView
from registry.models import Asset, Branch, Version
from registry.serializers import In, page_of


class BranchOut(In):
    name = serializers.CharField()
    version = serializers.IntegerField(allow_null=True, help_text="The version that it stands at; null: at none yet.")
    digest = serializers.CharField(help_text="Of that version; empty where there is none.")
    commit = serializers.CharField(help_text="What git-like clients call it.")
    created_at = serializers.DateTimeField(allow_null=True, help_text="Null for main, which is always there.")
    created_by = serializers.CharField(allow_null=True)


class BranchIn(In):
    name = serializers.CharField(max_length=96)
    start = serializers.CharField(
        required=False,
        default=revisions.MAIN,
        help_text="Where it begins: a version's number, an alias, another branch or a commit; `main` without it.",
    )


def branch_json(asset: Asset, name: str, head: Version | None, row: Branch | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "version": head.number if head else None,
        "digest": head.digest if head else "",
        "commit": head.commit if head else revisions.empty_commit(asset),
        "created_at": row.created_at if row else None,
        "created_by": row.created_by.email if row else None,
    }


class Branches(RegistryView):
    operations = {"get": "branch_list", "post": "branch_create"}

    @extend_schema(
        summary="List branches by name",
        description="`main` stands ahead of the first page: it is always there.",
        parameters=PAGE,
        responses={200: page_of(BranchOut), 404: PROBLEMS[404]},
    )
    def get(self, request: Request, kind: str, team: str, name: str) -> Response:
        asset = self.asset(kind, team, name)
        answer = page_response(request, reads.branches_of(asset), order=["name"], show=lambda row: row)
        heads = reads.heads_of(asset, answer.data["results"])
        answer.data["results"] = [
            branch_json(asset, row.name, heads.get(row.name), row) for row in answer.data["results"]
        ]
        if not request.query_params.get("cursor"):
            main = revisions.head_of(asset, revisions.MAIN)
            answer.data["results"].insert(0, branch_json(asset, revisions.MAIN, main))
        return answer

    @extend_schema(
        summary="Make a branch",
        description="It begins at a registered version. Commits over the Hugging Face door go on from there.",
        request=BranchIn,
        responses={201: BranchOut, **PROBLEMS},
    )
    def post(self, request: Request, kind: str, team: str, name: str) -> Response:
        asset = self.asset(kind, team, name)
        given = self.read(BranchIn)
        try:
            start = revisions.resolve(asset, str(given["start"])).version
        except NotFound as error:
            raise Invalid("start", error.detail) from None
        row = actions.create_branch(asset=asset, name=str(given["name"]), start=start, by=self.by)
        return Response(
            branch_json(asset, row.name, start, row),
            status=201,
            headers={"Location": f"/api/v1{asset.get_absolute_url()}/branches/{row.name}"},
        )


class BranchDetail(RegistryView):
    operations = {"get": "branch_read", "delete": "branch_delete"}

    @extend_schema(summary="Read a branch", responses={200: BranchOut, 404: PROBLEMS[404]})
    def get(self, request: Request, kind: str, team: str, name: str, branch: str) -> Response:
        asset = self.asset(kind, team, name)
        row = None if branch == revisions.MAIN else revisions.find_branch(asset, branch)
        return Response(branch_json(asset, branch, revisions.head_of(asset, branch), row))

    @extend_schema(
        summary="Delete a branch",
        description="What was committed to it stays, by number, commit and alias. `main` is always there.",
        request=None,
        responses={204: OpenApiResponse(None, "Deleted."), **PROBLEMS},
    )
    def delete(self, request: Request, kind: str, team: str, name: str, branch: str) -> Response:
        actions.delete_branch(asset=self.asset(kind, team, name), name=branch, by=self.by)
        return Response(status=204)
