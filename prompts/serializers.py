"""The shapes of the REST API."""

from typing import Any

from rest_framework import serializers

from prompts.models import Label, LabelMove, Prompt, PromptVersion


class PromptIn(serializers.Serializer[Any]):
    team = serializers.CharField(help_text="The team's name.")
    name = serializers.CharField(help_text="Letters, digits, spaces, '.', '_', '-', and '/' between folders.")
    description = serializers.CharField(required=False, allow_blank=True, default="")


class PromptPatch(serializers.Serializer[Any]):
    """What is left out stays as it is."""

    description = serializers.CharField(required=False, allow_blank=True)
    name = serializers.CharField(required=False, help_text="Another name, with its folders: the prompt moves there.")
    archived = serializers.BooleanField(required=False)


class PromptOut(serializers.Serializer[Any]):
    team = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    latest_version = serializers.IntegerField(help_text="0: it has none yet.")
    labels = serializers.DictField(child=serializers.IntegerField(), help_text="Version number by label.")
    tags = serializers.DictField(
        child=serializers.CharField(allow_blank=True), help_text="Value by key; plain words have none."
    )
    archived_at = serializers.DateTimeField(allow_null=True)
    deleted_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    updated_by = serializers.CharField()
    url = serializers.CharField()


class VersionIn(serializers.Serializer[Any]):
    type = serializers.CharField(help_text="text or chat.")
    format = serializers.CharField(required=False, default="jinja2", help_text="jinja2 or mustache.")
    template = serializers.JSONField(
        help_text='text: a string; chat: a list of {"role", "content"} and {"type": "placeholder", "name"}.'
    )
    inputs = serializers.JSONField(
        required=False, default=None, help_text='What the variables are: [{"name", "type", "default", "example", …}].'
    )
    tools = serializers.JSONField(required=False, default=None, help_text="Functions, as OpenAI's API takes them.")
    response_format = serializers.JSONField(
        required=False, default=None, allow_null=True, help_text="As OpenAI's API takes it, with a JSON schema."
    )
    model = serializers.CharField(
        required=False, allow_blank=True, default="", help_text="The model it is written for."
    )
    parameters = serializers.JSONField(required=False, default=dict, help_text="Model parameters, a JSON object.")
    message = serializers.CharField(required=False, allow_blank=True, default="", help_text="What changed, and why.")
    branch = serializers.CharField(
        required=False, default="main", help_text="An open branch; its head is what this follows."
    )


class VersionOut(serializers.Serializer[Any]):
    prompt = serializers.CharField()
    number = serializers.IntegerField()
    type = serializers.CharField()
    format = serializers.CharField()
    template = serializers.JSONField()
    inputs = serializers.JSONField()
    tools = serializers.JSONField()
    response_format = serializers.JSONField(allow_null=True)
    model = serializers.CharField()
    parameters = serializers.JSONField()
    branch = serializers.CharField()
    variables = serializers.ListField(child=serializers.CharField())
    digest = serializers.CharField()
    message = serializers.CharField()
    labels = serializers.ListField(child=serializers.CharField(), required=False)
    includes = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        help_text="With ?resolve=1: the key in `included` by what the template calls it.",
    )
    included = serializers.DictField(
        child=serializers.JSONField(),
        required=False,
        help_text='With ?resolve=1: {"prompt", "number", "digest", "format", "template", "inputs", "includes"} by key.',
    )
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()


class MoveIn(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=1)
    reason = serializers.CharField(required=False, allow_blank=True, default="")
    expected = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="The version you saw there (null: nothing); 409 where the label has moved on since. If-Match does the same.",
    )


class LabelOut(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]  # declared fields are taken off the class
    version = serializers.IntegerField()
    digest = serializers.CharField()
    updated_at = serializers.DateTimeField()
    updated_by = serializers.CharField()


class MoveOut(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]  # declared fields are taken off the class
    before = serializers.IntegerField(allow_null=True)
    after = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    request = serializers.IntegerField(allow_null=True, help_text="The approval request that allowed it.")
    moved_at = serializers.DateTimeField()
    moved_by = serializers.CharField()


class PieceOut(serializers.Serializer[Any]):
    op = serializers.CharField(help_text="equal, insert or delete.")
    text = serializers.CharField()


class MessageChangeOut(serializers.Serializer[Any]):
    op = serializers.CharField(help_text="same, changed, added, removed or moved.")
    role_before = serializers.CharField(allow_null=True)
    role_after = serializers.CharField(allow_null=True)
    number_before = serializers.IntegerField(allow_null=True)
    number_after = serializers.IntegerField(allow_null=True)
    pieces = PieceOut(many=True)


class KeyChangeOut(serializers.Serializer[Any]):
    key = serializers.CharField()
    op = serializers.CharField(help_text="changed, added or removed.")
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class DifferenceOut(serializers.Serializer[Any]):
    messages = MessageChangeOut(many=True, help_text="A text prompt is one message without a role.")
    parameters = KeyChangeOut(many=True)
    variables_added = serializers.ListField(child=serializers.CharField())
    variables_removed = serializers.ListField(child=serializers.CharField())
    inputs = KeyChangeOut(many=True, help_text="By the variable's name.")
    tools = KeyChangeOut(many=True, help_text="By the function's name.")
    settings = KeyChangeOut(many=True, help_text="Format, model and response format.")
    same = serializers.BooleanField()


# Written out by hand, for speed: a serializer's machinery costs more than the query.


def show_prompt(prompt: Prompt) -> dict[str, Any]:
    return {
        "team": prompt.team.name,
        "name": prompt.name,
        "description": prompt.description,
        "latest_version": prompt.last_number,
        "labels": {label.name: label.version.number for label in prompt.labels.all()},
        "tags": {tag.key: tag.value for tag in prompt.tags.all()},
        "archived_at": prompt.archived_at,
        "deleted_at": prompt.deleted_at,
        "created_at": prompt.created_at,
        "updated_at": prompt.updated_at,
        "updated_by": prompt.updated_by.email,
        "url": prompt.get_absolute_url(),
    }


def show_version(version: PromptVersion, labels: list[str] | None = None) -> dict[str, Any]:
    shown = {
        "prompt": str(version.prompt),
        "number": version.number,
        "type": version.type,
        "format": version.format,
        "template": version.template,
        "inputs": version.inputs,
        "tools": version.tools,
        "response_format": version.response_format,
        "model": version.model,
        "parameters": version.parameters,
        "branch": version.branch,
        "variables": version.variables,
        "digest": version.digest,
        "message": version.message,
        "created_at": version.created_at,
        "created_by": version.created_by.email,
    }
    return shown if labels is None else {**shown, "labels": labels}


def show_label(label: Label) -> dict[str, Any]:
    return {
        "label": label.name,
        "version": label.version.number,
        "digest": label.version.digest,
        "updated_at": label.updated_at,
        "updated_by": label.updated_by.email,
    }


def show_move(move: LabelMove) -> dict[str, Any]:
    return {
        "label": move.name,
        "before": move.before.number if move.before else None,
        "after": move.after.number if move.after else None,
        "reason": move.reason,
        "request": move.request_id,
        "moved_at": move.moved_at,
        "moved_by": move.moved_by.email,
    }
