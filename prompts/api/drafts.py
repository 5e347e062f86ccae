"""Native REST: the caller's own drafts."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Invalid, NotFound
from accounts.rest import ApiView, page_response
from prompts import actions
from prompts.api.common import PAGE, page_of, raw_field
from prompts.drafts import get_draft, list_drafts
from prompts.models import PromptDraft
from prompts.reads import get_prompt, get_version

_CONTENT = (
    "The fields of a version as they stand in the editor (`inputs`, `tools`, `response_format` and `parameters` as text, since "
    "they may be half written), `message`, and `values` to try it with."
)


class DraftIn(serializers.Serializer[Any]):
    content = serializers.JSONField(help_text=_CONTENT)
    revision = serializers.IntegerField(
        min_value=0, max_value=2**31 - 1, help_text="Of the draft as you read it; 0 when there was none."
    )
    base = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, help_text="The version that it started from."
    )


class DraftOut(serializers.Serializer[Any]):
    prompt = serializers.CharField()
    branch = serializers.CharField()
    base = serializers.IntegerField(allow_null=True)
    revision = serializers.IntegerField()
    saved_at = serializers.DateTimeField()


class DraftWholeOut(DraftOut):
    content = serializers.JSONField(help_text=_CONTENT)


class MyDrafts(ApiView):
    @extend_schema(operation_id="prompt_drafts_mine", parameters=PAGE, responses=page_of(DraftOut))
    def get(self, request: Request) -> Response:
        """Your drafts of all prompts, last saved first. Drafts are seen by nobody but their author."""
        return page_response(request, list_drafts(self.by), order=["-saved_at", "-id"], show=show_draft)


class Drafts(ApiView):
    @extend_schema(operation_id="prompt_drafts_list", parameters=PAGE, responses=page_of(DraftOut))
    def get(self, request: Request, team: str, name: str) -> Response:
        """Your drafts of this prompt, one for each branch."""
        rows = list_drafts(self.by).filter(prompt=get_prompt(self.by, f"{team}/{name}"))
        return page_response(request, rows, order=["-saved_at", "-id"], show=show_draft)


class DraftView(ApiView):
    @extend_schema(operation_id="prompt_drafts_get", responses=DraftWholeOut)
    def get(self, request: Request, team: str, name: str, branch: str) -> Response:
        """Your draft on a branch, with its content."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        draft = get_draft(self.by, prompt, branch)
        if draft is None:
            raise NotFound(f"You have no draft of {prompt} on '{branch}'.")
        return Response({**show_draft(draft), "content": draft.content})

    @extend_schema(operation_id="prompt_drafts_save", request=DraftIn, responses=DraftOut)
    def put(self, request: Request, team: str, name: str, branch: str) -> Response:
        """Save your draft. 409 when it was saved elsewhere since the revision that you name. Needs asset.edit."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        data = self.read(DraftIn)
        content = raw_field(request, "content")
        if not isinstance(content, dict):
            raise Invalid("content", "A draft is an object with the fields of a version.")
        base = get_version(self.by, prompt, data["base"]) if data["base"] else None
        draft = actions.save_draft(
            prompt=prompt, branch=branch, content=content, revision=data["revision"], base=base, by=self.by
        )
        return Response(show_draft(draft))

    @extend_schema(operation_id="prompt_drafts_discard", responses={204: None})
    def delete(self, request: Request, team: str, name: str, branch: str) -> Response:
        """Throw your draft away; 204 when there was none too. Needs asset.edit."""
        actions.discard_draft(prompt=get_prompt(self.by, f"{team}/{name}"), branch=branch, by=self.by)
        return Response(status=204)


def show_draft(draft: PromptDraft) -> dict[str, Any]:
    return {
        "prompt": str(draft.prompt),
        "branch": draft.branch,
        "base": draft.base.number if draft.base else None,
        "revision": draft.revision,
        "saved_at": draft.saved_at,
    }
