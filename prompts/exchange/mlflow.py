"""MLflow's prompts. A prompt there is a registered model whose versions carry the text in tags, and so it is exported:

{"registered_model": {"name", "description", "tags", "aliases"}, "model_versions": [{"version", "tags", "description", "aliases"}]},
one such object, a list of them, or what the tool mlflow-export-import writes ({"mlflow": {"registered_model": {…, "versions"}}}).
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from accounts.numbers import whole
from prompts.exchange.entries import Entry, Unreadable
from prompts.models import PromptTag, PromptVersion

IS_PROMPT, TEXT = "mlflow.prompt.is_prompt", "mlflow.prompt.text"
TYPE, RESPONSE_FORMAT, MODEL_CONFIG = (
    "_mlflow_prompt_type",
    "_mlflow_prompt_response_format",
    "_mlflow_prompt_model_config",
)
# What MLflow's own template is: names in double braces. Everything beyond is Jinja.
_JINJA = re.compile(r"\{%|\{#|\{\{(?!\s*[\w.]+\s*\}\})")


def read(where: str, document: Any) -> list[Entry]:
    """The versions of an export, each prompt's from the oldest on."""
    rows = document if isinstance(document, list) else [document]
    found: list[Entry] = []
    for index, row in enumerate(rows):
        place = f"{where}[{index}]" if isinstance(document, list) else where
        if not isinstance(row, dict):
            raise Unreadable(place, "", "MLflow's export is a JSON object with 'registered_model'.")
        row = row.get("mlflow", row)
        model = row.get("registered_model") if isinstance(row, dict) else None
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            raise Unreadable(place, "registered_model", "This is missing, or has no name.")
        versions = row.get("model_versions", model.get("versions", model.get("latest_versions")))
        if not isinstance(versions, list) or not all(isinstance(one, dict) for one in versions):
            raise Unreadable(place, "model_versions", "This is a list of versions.")
        aliases = _aliases(place, model)
        tags = {key: value for key, value in _tags(place, model).items() if not key.startswith(("mlflow.", "_mlflow"))}
        for one in sorted(versions, key=lambda each: whole(str(each.get("version"))) or 0):
            found.append(_entry(place, model, one, tags, aliases))
    return found


def _entry(
    place: str, model: Mapping[str, Any], row: Mapping[str, Any], tags: dict[str, str], aliases: Mapping[str, str]
) -> Entry:
    number = str(row.get("version") or "")
    where = f"{place} version {number}"
    said = _tags(where, row)
    if TEXT not in said:
        raise Unreadable(where, TEXT, "The version has no such tag, so it is no prompt.")
    kind, template = said.get(TYPE, "text"), said[TEXT]
    if kind == PromptVersion.Type.CHAT:
        template = _json(where, TEXT, said[TEXT])
    text = said[TEXT]
    own = row.get("aliases") or []
    if not isinstance(own, list):
        raise Unreadable(where, "aliases", "Aliases of a version are a list of names.")
    fields = {
        "type": kind,
        "format": format_of(text),
        "template": template,
        "response_format": response_format(_json(where, RESPONSE_FORMAT, said.get(RESPONSE_FORMAT, "null"))),
        "parameters": _json(where, MODEL_CONFIG, said.get(MODEL_CONFIG, "{}")),
    }
    description = model.get("description") if isinstance(model.get("description"), str) else None
    return Entry(
        where, str(model["name"]), fields,
        message=str(row.get("description") or ""),
        description=description,
        tags=tags,
        labels=sorted({name for name, at in aliases.items() if at == number} | {one for one in own if one and isinstance(one, str)}),
    )  # fmt: skip


def format_of(text: str) -> str:
    """Which of our formats a template of MLflow's is."""
    return (PromptVersion.Format.JINJA if _JINJA.search(text) else PromptVersion.Format.MUSTACHE).value


def response_format(schema: Any) -> Any:
    """MLflow keeps a bare JSON schema; OpenAI's API wants it wrapped."""
    if not isinstance(schema, dict) or "type" not in schema or schema["type"] in ("json_schema", "json_object", "text"):
        return schema
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def write(version: PromptVersion) -> dict[str, Any]:
    """One version as MLflow's REST API shows it."""
    chat = version.type == PromptVersion.Type.CHAT
    text = json.dumps(version.template, ensure_ascii=False) if chat else str(version.template)
    tags = {IS_PROMPT: "true", TYPE: version.type, TEXT: text}
    if version.response_format:
        tags[RESPONSE_FORMAT] = json.dumps(version.response_format, ensure_ascii=False)
    if version.parameters or version.model:
        config = {**({"model_name": version.model} if version.model else {}), **version.parameters}
        tags[MODEL_CONFIG] = json.dumps(config, ensure_ascii=False)
    return {
        "version": str(version.number),
        "description": version.message,
        "creation_timestamp": int(version.created_at.timestamp() * 1000),
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }


def prompt_details(pk: int) -> dict[str, Any]:
    """What a webhook of MLflow's says of a new prompt besides its event."""
    return {"tags": dict(PromptTag.objects.filter(prompt_id=pk).values_list("key", "value"))}


def version_details(pk: int) -> dict[str, Any]:
    """What a webhook of MLflow's says of a new version besides its event: its text, as the tag carries it."""
    version = PromptVersion.objects.select_related("prompt__team").get(pk=pk)
    tags = {row["key"]: row["value"] for row in write(version)["tags"]}
    template = tags.pop(TEXT)
    own = {key: value for key, value in tags.items() if key not in (IS_PROMPT, TYPE)}
    return {"template": template, "tags": own | dict(version.tags.values_list("key", "value"))}


def write_prompt(
    versions: Sequence[PromptVersion], *, labels: Mapping[str, int], tags: Mapping[str, str]
) -> dict[str, Any]:
    """A prompt with these versions of it."""
    prompt = versions[0].prompt
    return {
        "registered_model": {
            "name": prompt.name,
            "description": prompt.description,
            "tags": [
                {"key": IS_PROMPT, "value": "true"},
                *({"key": key, "value": value} for key, value in tags.items()),
            ],
            "aliases": [{"alias": name, "version": str(number)} for name, number in labels.items()],
        },
        "model_versions": [write(version) for version in versions],
    }


def _tags(where: str, row: Mapping[str, Any]) -> dict[str, str]:
    given = row.get("tags") or {}
    if isinstance(given, list) and all(isinstance(one, dict) and isinstance(one.get("key"), str) for one in given):
        given = {one["key"]: one.get("value") or "" for one in given}
    if not isinstance(given, dict) or not all(isinstance(one, str) for one in given.values()):
        raise Unreadable(where, "tags", 'Tags are {"key": "value"} or a list of {"key", "value"}.')
    return {str(key): value for key, value in given.items()}


def _aliases(where: str, model: Mapping[str, Any]) -> dict[str, str]:
    given = model.get("aliases") or {}
    if isinstance(given, list) and all(isinstance(one, dict) for one in given):
        given = {str(one.get("alias", "")): one.get("version", "") for one in given}
    if not isinstance(given, dict):
        raise Unreadable(where, "aliases", 'Aliases are {"name": "version"} or a list of {"alias", "version"}.')
    return {str(name): str(version) for name, version in given.items()}


def _json(where: str, tag: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable(where, tag, "The tag's value is not JSON.") from None
