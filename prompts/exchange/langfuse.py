"""Langfuse's prompts, as its export and its API write them: a JSON array with one object for each version.

{"name", "version", "type": "text"|"chat", "prompt", "config", "labels", "tags", "commitMessage"}. Its templates are mustache.
"""

from collections.abc import Sequence
from typing import Any

from prompts.exchange.entries import Entry, Unreadable
from prompts.models import PromptVersion


def read(where: str, document: Any) -> list[Entry]:
    """The versions of an export, those of one prompt from the oldest on. `latest` is nobody's to set and left out."""
    rows = document.get("data", document.get("prompts", [document])) if isinstance(document, dict) else document
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unreadable(where, "", "Langfuse's export is a JSON list of prompts.")
    found = [_entry(f"{where}[{index}]", row) for index, row in enumerate(rows)]
    order = {entry.name: index for index, entry in reversed(list(enumerate(found)))}
    numbers = [row.get("version") for row in rows]
    ages = [number if isinstance(number, int) else index for index, number in enumerate(numbers)]
    return [
        entry
        for _, _, entry in sorted(
            zip((order[one.name] for one in found), ages, found, strict=True), key=lambda row: row[:2]
        )
    ]


def _entry(where: str, row: dict[str, Any]) -> Entry:
    name, template, config = row.get("name"), row.get("prompt"), row.get("config")
    if not isinstance(name, str) or not name:
        raise Unreadable(where, "name", "This is missing.")
    kind = row.get("type") or ("chat" if isinstance(template, list) else "text")
    if config is not None and not isinstance(config, dict):
        raise Unreadable(where, "config", 'Parameters are a JSON object here, such as {"temperature": 0}.')
    labels, tags = row.get("labels") or [], row.get("tags") or []
    for field, words in (("labels", labels), ("tags", tags)):
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise Unreadable(where, field, "This is a list of words.")
    message = row.get("commitMessage") or ""
    if not isinstance(message, str):
        raise Unreadable(where, "commitMessage", "This is a text.")
    fields = {
        "type": str(kind),
        "format": PromptVersion.Format.MUSTACHE.value,
        "template": without_marks(template),
        "parameters": config or {},
    }
    return Entry(
        where, name, fields, message, tags=dict.fromkeys(tags, ""), labels=[one for one in labels if one != "latest"]
    )


def without_marks(template: Any) -> Any:
    """Langfuse's JavaScript SDK marks each message with a type of its own, which no model's API takes: it stays with Langfuse."""
    if not isinstance(template, list):
        return template
    return [
        {key: value for key, value in one.items() if key != "type"}
        if isinstance(one, dict) and one.get("type") == "chatmessage"
        else one
        for one in template
    ]


def write(version: PromptVersion, *, labels: Sequence[str], tags: Sequence[str]) -> dict[str, Any]:
    """One version as Langfuse's import takes it. What its prompts have no place for goes into `config`."""
    config = dict(version.parameters)
    if version.model:
        config.setdefault("model", version.model)
    if version.tools:
        config.setdefault("tools", version.tools)
    if version.response_format:
        config.setdefault("response_format", version.response_format)
    return {
        "name": version.prompt.name,
        "version": version.number,
        "type": version.type,
        "prompt": version.template,
        "config": config,
        "labels": list(labels),
        "tags": list(tags),
        "commitMessage": version.message or None,
    }
