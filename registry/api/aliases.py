"""Aliases and their history."""

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.moments import read_moment
from accounts.rest import page_response
from governance import gate
from registry import actions, reads
from registry.api.base import PAGE, PROBLEMS, RegistryView
from registry.hot import json_answer
from registry.models import Alias
from registry.representations import alias_at_json, alias_json, move_json
from registry.serializers import AliasAtOut, AliasIn, AliasMoveOut, AliasOut, AliasRemoval, page_of


class Aliases(RegistryView):
    operations = {"get": "alias_list"}

    @extend_schema(
        summary="List aliases by name", parameters=PAGE, responses={200: page_of(AliasOut), 404: PROBLEMS[404]}
    )
    def get(self, request: Request, kind: str, team: str, name: str) -> Response:
        asset = self.asset(kind, team, name)
        rows = asset.aliases.select_related("updated_by", "version", "version__created_by", "version__registered_by")
        rows = rows.prefetch_related("version__tags")
        return page_response(request, rows, order=["name"], show=lambda alias: alias_json(alias, asset))


class AliasDetail(RegistryView):
    operations = {"get": "alias_read", "put": "alias_move", "delete": "alias_remove"}

    @extend_schema(
        summary="The version that an alias points at",
        description="One quick request, with an ETag; `If-None-Match` is answered by 304. With `at`: what it pointed at then, "
        "who put it there and by which request.",
        parameters=[
            OpenApiParameter("at", str, description="A moment in RFC 3339, or a date: the end of that day (UTC).")
        ],
        responses={
            200: PolymorphicProxySerializer("AliasNowOrAt", [AliasOut, AliasAtOut], resource_type_field_name=None),
            404: PROBLEMS[404],
        },
    )
    def get(self, request: Request, kind: str, team: str, name: str, alias: str) -> HttpResponse:
        asset = self.asset(kind, team, name)
        if "at" in request.query_params:
            at = read_moment(request.query_params["at"])
            return Response(alias_at_json(asset, alias, at, reads.alias_at(asset, alias, at)))
        return json_answer(request._request, alias_json(reads.get_alias(asset, alias), asset))

    @extend_schema(
        summary="Move an alias",
        description="To a registered version. A protected alias (production, or what a policy names) answers 403: the approval "
        "request for it is open by then, and `link` leads to it (needs request.create).",
        request=AliasIn,
        responses={200: AliasOut, **PROBLEMS},
    )
    def put(self, request: Request, kind: str, team: str, name: str, alias: str) -> Response:
        asset = self.asset(kind, team, name)
        given = self.read(AliasIn)
        version = reads.get_version(self.by, asset, given["version"])
        done = actions.move_or_ask(asset=asset, name=alias, version=version, reason=given["reason"], by=self.by)
        if not isinstance(done, Alias):
            raise gate.asked(done)
        return Response(alias_json(done, asset))

    @extend_schema(summary="Remove an alias", request=AliasRemoval, responses={204: None, **PROBLEMS})
    def delete(self, request: Request, kind: str, team: str, name: str, alias: str) -> Response:
        asset = self.asset(kind, team, name)
        reason = self.read(AliasRemoval)["reason"] if request.META.get("CONTENT_LENGTH", "") not in ("", "0") else ""
        actions.remove_alias(asset=asset, name=alias, reason=reason, by=self.by)
        return Response(status=204)


class AliasHistory(RegistryView):
    operations = {"get": "alias_history"}

    @extend_schema(
        summary="Every move of an alias, newest first",
        parameters=PAGE,
        responses={200: page_of(AliasMoveOut), 404: PROBLEMS[404]},
    )
    def get(self, request: Request, kind: str, team: str, name: str, alias: str) -> Response:
        rows = reads.history_of(self.asset(kind, team, name), alias)
        return page_response(request, rows, order=["-id"], show=move_json)
