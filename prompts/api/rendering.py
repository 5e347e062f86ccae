"""Native REST: filling in variables, and looking a text over before it is saved."""

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from accounts.access import Actor
from prompts.checks import Content
from prompts.models import PromptVersion
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
