"""Prompts and their versions as MLflow writes them: registered models and model versions whose text stands in tags."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from accounts.access import Actor
from doors.mlflow.base import invalid
from doors.prompt_config import fields_of, model_config_of
from doors.prompt_texts import whole
from prompts.exchange.mlflow import IS_PROMPT, MODEL_CONFIG, RESPONSE_FORMAT, TEXT, TYPE, format_of
from prompts.exchange.mlflow import response_format as wrapped
from prompts.models import Label, Prompt, PromptTag, PromptVersion, PromptVersionTag

# What says what a version is: worked out of the version, never kept as a tag.
RESERVED = frozenset({IS_PROMPT, TEXT, TYPE, RESPONSE_FORMAT, MODEL_CONFIG})
SOURCE = "prompt-template"
_PLACEHOLDER = "placeholder"


def ms(moment: datetime) -> int:
    return int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000


def prompts_json(prompts: Sequence[Prompt]) -> list[dict[str, Any]]:
    """Prompts as registered models, without the texts of their versions. Two queries."""
    tags: dict[int, list[tuple[str, str]]] = {prompt.pk: [] for prompt in prompts}
    for pk, key, value in PromptTag.objects.filter(prompt__in=prompts).values_list("prompt_id", "key", "value"):
        tags[pk].append((key, value))
    labels: dict[int, list[tuple[str, int]]] = {}
    rows = Label.objects.filter(prompt__in=prompts).order_by("name").values_list("prompt_id", "name", "version__number")
    for pk, name, number in rows:
        labels.setdefault(pk, []).append((name, number))
    return [
        prompt_json(
            name=prompt.name, created=ms(prompt.created_at), updated=ms(prompt.updated_at), description=prompt.description,
            tags=tags[prompt.pk], labels=labels.get(prompt.pk, []),
        )
        for prompt in prompts
    ]  # fmt: skip


def prompt_json(
    *, name: str, created: int, updated: int, description: str, tags: Sequence[tuple[str, str]], labels: Sequence[tuple[str, int]]
) -> dict[str, Any]:  # fmt: skip
    """A prompt as a registered model: what was read of it; times in milliseconds since 1970."""
    body: dict[str, Any] = {
        "name": name,
        "creation_timestamp": created,
        "last_updated_timestamp": updated,
        "tags": _pairs([(IS_PROMPT, "true"), *tags]),
    }
    if description:
        body["description"] = description
    if labels:
        body["aliases"] = [{"alias": label, "version": str(number)} for label, number in labels]
    return body


def versions_json(versions: Sequence[PromptVersion], by: Actor) -> list[dict[str, Any]]:
    """Versions with their texts, whatever they include put in place. Two queries, and some for each that includes others."""
    tags: dict[int, list[tuple[str, str]]] = {}
    rows = PromptVersionTag.objects.filter(version__in=versions).values_list("version_id", "key", "value")
    for pk, key, value in rows:
        tags.setdefault(pk, []).append((key, value))
    labels: dict[int, list[str]] = {}
    for pk, name in Label.objects.filter(version__in=versions).order_by("name").values_list("version_id", "name"):
        labels.setdefault(pk, []).append(name)
    return [
        version_json(version, tags=tags.get(version.pk, []), labels=labels.get(version.pk, []), template=whole(version, by=by)[0])
        for version in versions
    ]  # fmt: skip


def version_json(
    version: PromptVersion, *, tags: Sequence[tuple[str, str]], labels: Sequence[str], template: Any
) -> dict[str, Any]:
    """A version as a model version: what was read of it; `template`: with what it includes in its place."""
    kept = [(key, value) for key, value in tags if key not in RESERVED]
    body: dict[str, Any] = {
        "name": version.prompt.name,
        "version": str(version.number),
        "creation_timestamp": ms(version.created_at),
        "last_updated_timestamp": ms(version.created_at),
        "user_id": version.created_by.email,
        "current_stage": "None",
        "description": version.message,
        "source": SOURCE,
        "run_id": "",
        "status": "READY",
        "run_link": "",
        "tags": _pairs([*_own_tags(version, template), *kept]),
    }
    if labels:
        body["aliases"] = list(labels)
    return body


def own_tags(version: PromptVersion, by: Actor) -> list[tuple[str, str]]:
    """The tags that say what the version is."""
    return _own_tags(version, whole(version, by=by)[0])


def _own_tags(version: PromptVersion, template: Any) -> list[tuple[str, str]]:
    text = template if isinstance(template, str) else json.dumps([_outgoing(message) for message in template])
    found = [(IS_PROMPT, "true"), (TYPE, version.type), (TEXT, text)]
    if version.response_format is not None:
        found.append((RESPONSE_FORMAT, json.dumps(_unwrapped(version.response_format))))
    if config := model_config_of(version):
        found.append((MODEL_CONFIG, json.dumps(config)))
    return found


def fields_in(tags: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a version out of the tags that a client sends."""
    if TEXT not in tags:
        raise invalid(f"A version of a prompt carries its text in the tag '{TEXT}'.")
    kind, text = tags.get(TYPE, PromptVersion.Type.TEXT.value), tags[TEXT]
    if kind not in set(PromptVersion.Type):
        raise invalid(f"Invalid value '{kind[:40]}' for the tag '{TYPE}': use text or chat.")
    template = text if kind == PromptVersion.Type.TEXT else _json(tags, TEXT)
    if isinstance(template, list):
        template = [_incoming(message) for message in template]
    return {
        "type": kind,
        "format": format_of(text),
        "template": template,
        "response_format": wrapped(_json(tags, RESPONSE_FORMAT)),
        **fields_of(_json(tags, MODEL_CONFIG), field="model_config", model="model_name"),
    }


def _json(tags: Mapping[str, str], key: str) -> Any:
    if key not in tags:
        return None
    try:
        return json.loads(tags[key])
    except (ValueError, RecursionError):
        raise invalid(f"The value of the tag '{key}' is not JSON.") from None


def _unwrapped(wanted: Mapping[str, Any]) -> Any:
    """A response format that was wrapped on its way in, as the bare schema that it was."""
    inner = wanted.get("json_schema")
    plain = isinstance(inner, dict) and set(inner) == {"name", "schema"} and inner["name"] == "answer"
    return inner["schema"] if isinstance(inner, dict) and plain and set(wanted) == {"type", "json_schema"} else wanted


def _outgoing(message: Any) -> Any:
    """MLflow has no placeholders for messages: it gets a message of the role 'placeholder' with the name as its variable."""
    if isinstance(message, dict) and message.get("type") == _PLACEHOLDER:
        return {"role": _PLACEHOLDER, "content": "{{" + str(message.get("name", "")) + "}}"}
    return message


def _incoming(message: Any) -> Any:
    if isinstance(message, dict) and set(message) == {"role", "content"} and message["role"] == _PLACEHOLDER:
        content = str(message["content"]).strip()
        if content.startswith("{{") and content.endswith("}}"):
            return {"type": _PLACEHOLDER, "name": content[2:-2].strip()}
    return message


def _pairs(tags: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags]
