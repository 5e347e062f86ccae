"""Native REST: filling in variables, and looking a text over before it is saved."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Actor, get_team
from accounts.errors import Invalid
from accounts.rest import ApiView
from prompts import serializers as shapes
from prompts import uses
from prompts.api.common import raw_field
from prompts.api.composition import version_asked
from prompts.checks import Content, check_content, examine
from prompts.findings import ERROR
from prompts.models import Prompt, PromptVersion
from prompts.reads import get_prompt
from prompts.rendering import render_version


class RenderIn(serializers.Serializer[Any]):
    variables = serializers.DictField(required=False, default=dict, help_text="A value for each variable.")
    placeholders = serializers.DictField(
        required=False, default=dict, help_text="Messages for each placeholder; they may stand among the variables too."
    )


class UsedOut(serializers.Serializer[Any]):
    prompt = serializers.CharField()
    version = serializers.IntegerField()
    digest = serializers.CharField()


class RenderOut(serializers.Serializer[Any]):
    type = serializers.CharField()
    rendered = serializers.JSONField(help_text="text: a string; chat: a list of messages.")
    tools = serializers.JSONField()
    response_format = serializers.JSONField(allow_null=True)
    model = serializers.CharField()
    parameters = serializers.JSONField()
    version = serializers.IntegerField(allow_null=True, help_text="None for a text that is not saved.")
    digest = serializers.CharField()
    used = UsedOut(many=True, help_text="The prompts that it includes, as they were taken.")


def render_answer(version: PromptVersion | Content, given: dict[str, Any], by: Actor) -> Response:
    """The rendering as REST shows it."""
    done = render_version(version, given["variables"], by=by, placeholders=given["placeholders"])
    return Response(
        {
            "type": done.type,
            "rendered": done.rendered,
            "tools": done.tools,
            "response_format": done.response_format,
            "model": done.model,
            "parameters": done.parameters,
            "version": None if isinstance(version, Content) else version.number,
            "digest": version.digest,
            "used": [
                {"prompt": str(prompt), "version": used.number, "digest": used.digest} for prompt, used in done.used
            ],
        }
    )


class LabelRenderIn(RenderIn):
    version = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1, max_value=2**31 - 1)
    label = serializers.CharField(  # type: ignore[assignment]  # declared fields are taken off the class
        required=False, default="latest", help_text="Where no version is given."
    )


class ContentIn(shapes.VersionIn):
    """What a version would say, not saved; the template is read as it was sent."""

    message = None  # type: ignore[assignment]  # takes the inherited field away
    prompt = serializers.CharField(
        required=False, allow_blank=True, default="", help_text="The prompt that it is to be a version of."
    )


class ContentRenderIn(ContentIn, RenderIn):
    pass


class FindingOut(serializers.Serializer[Any]):
    field = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)
    column = serializers.IntegerField(allow_null=True)
    message = serializers.CharField()
    severity = serializers.CharField(help_text="error or warning.")


class CheckOut(serializers.Serializer[Any]):
    problems = FindingOut(many=True)
    variables = serializers.ListField(child=serializers.CharField())
    includes = serializers.ListField(child=serializers.CharField())
    digest = serializers.CharField(allow_null=True, help_text="Null while there is an error.")


class RenderLabel(ApiView):
    @extend_schema(operation_id="prompts_render", request=LabelRenderIn, responses=RenderOut)
    def post(self, request: Request, team: str, name: str) -> Response:
        """Fill in the variables of the version at a label or number."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        given = self.read(LabelRenderIn)
        version = version_asked(self, prompt, given["version"], given["label"])
        answer = render_answer(version, given, self.by)
        uses.note_by(self.by, version.pk, "" if given["version"] else given["label"])
        return answer


class RenderContent(ApiView):
    @extend_schema(operation_id="prompts_render_unsaved", request=ContentRenderIn, responses=RenderOut)
    def post(self, request: Request, team: str) -> Response:
        """Fill in the variables of a text that is not saved."""
        given = self.read(ContentRenderIn)
        fields, where = _content(self, request, given, team)
        return render_answer(check_content(**fields, **where), given, self.by)


class Check(ApiView):
    @extend_schema(operation_id="prompts_check", request=ContentIn, responses=CheckOut)
    def post(self, request: Request, team: str) -> Response:
        """All that is wrong, or looks so, with a text that is not saved, each with line and column."""
        fields, where = _content(self, request, self.read(ContentIn), team)
        content, findings = examine(fields, **where)
        return Response(
            {
                "problems": [asdict(p) for p in sorted(findings.problems, key=lambda p: p.severity != ERROR)],
                "variables": content.variables,
                "includes": [edge.name for edge in content.includes],
                "digest": None if findings.errors else content.digest,
            }
        )


def _content(
    view: ApiView, request: Request, given: dict[str, Any], name: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of a version, and where they belong."""
    team = get_team(view.by, name)
    prompt: Prompt | None = None
    if given["prompt"]:
        prompt = get_prompt(view.by, given["prompt"] if "/" in given["prompt"] else f"{team.name}/{given['prompt']}")
        if prompt.team_id != team.pk:
            raise Invalid("prompt", f"This is not a prompt of {team.name}.")
    names = ("type", "format", "inputs", "tools", "response_format", "model", "parameters")
    fields = {name: given[name] for name in names} | {"template": raw_field(request, "template")}
    return fields, {"team": team, "prompt": prompt, "by": view.by}
