"""Tags of assets and of versions."""

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import page_response
from registry import actions
from registry.api.base import PAGE, PROBLEMS, RegistryView
from registry.models import AssetTag, VersionTag
from registry.serializers import TagIn, TagOut, page_of


def tag_json(tag: AssetTag | VersionTag) -> dict[str, str]:
    return {"key": tag.key, "value": tag.value}


class AssetTags(RegistryView):
    operations = {"get": "tag_list"}

    @extend_schema(summary="List tags by key", parameters=PAGE, responses={200: page_of(TagOut), 404: PROBLEMS[404]})
    def get(self, request: Request, kind: str, team: str, name: str) -> Response:
        return page_response(request, self.asset(kind, team, name).tags.all(), order=["key"], show=tag_json)


class AssetTagDetail(RegistryView):
    operations = {"put": "tag_set", "delete": "tag_remove"}

    @extend_schema(
        summary="Set a tag",
        request=TagIn,
        responses={200: OpenApiResponse(TagOut, "Set; twice is once."), **PROBLEMS},
    )
    def put(self, request: Request, kind: str, team: str, name: str, key: str) -> Response:
        asset = self.asset(kind, team, name)
        tag = actions.set_tag(asset=asset, key=key, value=self.read(TagIn)["value"], by=self.by)
        return Response(tag_json(tag))

    @extend_schema(summary="Remove a tag", request=None, responses={204: None, **PROBLEMS})
    def delete(self, request: Request, kind: str, team: str, name: str, key: str) -> Response:
        actions.delete_tag(asset=self.asset(kind, team, name), key=key, by=self.by)
        return Response(status=204)


class VersionTags(RegistryView):
    operations = {"get": "version_tag_list"}

    @extend_schema(summary="List tags by key", parameters=PAGE, responses={200: page_of(TagOut), 404: PROBLEMS[404]})
    def get(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        return page_response(request, self.version(kind, team, name, number).tags.all(), order=["key"], show=tag_json)


class VersionTagDetail(RegistryView):
    operations = {"put": "version_tag_set", "delete": "version_tag_remove"}

    @extend_schema(
        summary="Set a tag of a version",
        description="At any time: tags are no part of what was registered.",
        request=TagIn,
        responses={200: OpenApiResponse(TagOut, "Set; twice is once."), **PROBLEMS},
    )
    def put(self, request: Request, kind: str, team: str, name: str, number: int, key: str) -> Response:
        version = self.version(kind, team, name, number)
        tag = actions.set_tag(version=version, key=key, value=self.read(TagIn)["value"], by=self.by)
        return Response(tag_json(tag))

    @extend_schema(summary="Remove a tag of a version", request=None, responses={204: None, **PROBLEMS})
    def delete(self, request: Request, kind: str, team: str, name: str, number: int, key: str) -> Response:
        actions.delete_tag(version=self.version(kind, team, name, number), key=key, by=self.by)
        return Response(status=204)
