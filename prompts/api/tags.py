"""Native REST: tags of prompts and of versions, and versions that were deleted."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import NotFound
from accounts.rest import ApiView, page_response
from prompts import actions
from prompts import serializers as shapes
from prompts.api.common import PAGE, page_of
from prompts.models import PromptTag, PromptVersionTag
from prompts.reads import get_prompt, get_version, labels_of
from prompts.serializers_history import RestoreVersion, TagIn, TagOut


def _show(tag: PromptTag | PromptVersionTag) -> dict[str, str]:
    return {"key": tag.key, "value": tag.value}


class Tags(ApiView):
    @extend_schema(operation_id="prompt_tags_list", parameters=PAGE, responses=page_of(TagOut))
    def get(self, request: Request, team: str, name: str) -> Response:
        """Tags by key."""
        return page_response(request, get_prompt(self.by, f"{team}/{name}").tags.all(), order=["key"], show=_show)


class TagView(ApiView):
    @extend_schema(operation_id="prompt_tags_set", request=TagIn, responses=TagOut)
    def put(self, request: Request, team: str, name: str, key: str) -> Response:
        """Set a tag; without a value it is a plain word. Needs asset.edit."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        return Response(_show(actions.set_tag(prompt=prompt, key=key, value=self.read(TagIn)["value"], by=self.by)))

    @extend_schema(operation_id="prompt_tags_remove", responses={204: None})
    def delete(self, request: Request, team: str, name: str, key: str) -> Response:
        """Take a tag away. Needs asset.edit."""
        actions.delete_tag(prompt=get_prompt(self.by, f"{team}/{name}"), key=key, by=self.by)
        return Response(status=204)


class VersionTags(ApiView):
    @extend_schema(operation_id="prompt_version_tags_list", parameters=PAGE, responses=page_of(TagOut))
    def get(self, request: Request, team: str, name: str, number: int) -> Response:
        """Tags of a version by key."""
        version = get_version(self.by, get_prompt(self.by, f"{team}/{name}"), number)
        return page_response(request, version.tags.all(), order=["key"], show=_show)


class VersionTagView(ApiView):
    @extend_schema(operation_id="prompt_version_tags_set", request=TagIn, responses=TagOut)
    def put(self, request: Request, team: str, name: str, number: int, key: str) -> Response:
        """Set a tag of a version, at any time: tags are no part of what it says. Needs asset.edit."""
        version = get_version(self.by, get_prompt(self.by, f"{team}/{name}"), number)
        return Response(_show(actions.set_tag(version=version, key=key, value=self.read(TagIn)["value"], by=self.by)))

    @extend_schema(operation_id="prompt_version_tags_remove", responses={204: None})
    def delete(self, request: Request, team: str, name: str, number: int, key: str) -> Response:
        """Take a tag of a version away. Needs asset.edit."""
        version = get_version(self.by, get_prompt(self.by, f"{team}/{name}"), number)
        actions.delete_tag(version=version, key=key, by=self.by)
        return Response(status=204)


class VersionRestore(ApiView):
    @extend_schema(operation_id="prompt_versions_restore", request=RestoreVersion, responses=shapes.VersionOut)
    def post(self, request: Request, team: str, name: str, number: int) -> Response:
        """Bring a deleted version back under its number. Needs asset.edit."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        version = prompt.versions.select_related("created_by").filter(number=min(number, 2**31 - 1)).first()
        if version is None:
            raise NotFound(f"{prompt} has no version {number}.")
        version.prompt = prompt
        version = actions.restore_version(version=version, reason=self.read(RestoreVersion)["reason"], by=self.by)
        return Response(shapes.show_version(version, labels_of([version]).get(version.pk, [])))
