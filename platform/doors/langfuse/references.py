"""Prompts inside of prompts. Langfuse writes `@@@langfusePrompt:name=x|label=y@@@`; here it is mustache's `{{> x@y}}`."""

import re
from typing import Any

from accounts.access import Actor
from doors.prompt_texts import each_text, whole
from prompts.models import PromptVersion

_THEIRS = re.compile(r"@@@langfusePrompt:(.*?)@@@")
_OURS = re.compile(r"\{\{>\s*+([^@:{}\n]++)(?:@([^@:{}\s]++)|:([1-9][0-9]{0,8}+))\s*+\}\}")


def incoming(template: Any) -> Any:
    """Langfuse's references as includes. What is not whole stays as it is, as with Langfuse."""
    return each_text(template, lambda text: _THEIRS.sub(_include, text) if "@@@" in text else text)


def raw(version: PromptVersion) -> Any:
    """The template as a Langfuse client writes it."""
    if version.format != PromptVersion.Format.MUSTACHE:
        return version.template
    return each_text(version.template, lambda text: _OURS.sub(_tag, text) if "{{>" in text else text)


def _include(match: re.Match[str]) -> str:
    parts: list[str] = match[1].split("|")
    said: dict[str, str] = {part.partition("=")[0]: part.partition("=")[2] for part in parts}
    name, label, number = (said.get(key, "").strip() for key in ("name", "label", "version"))
    if not name or bool(label) == bool(number):
        return str(match[0])
    return "{{> " + name + (f"@{label}" if label else f":{number}") + "}}"


def _tag(match: re.Match[str]) -> str:
    name, label, number = match[1].strip(), match[2], match[3]
    return f"@@@langfusePrompt:name={name}|{f'label={label}' if label else f'version={number}'}@@@"


def resolved(version: PromptVersion, *, by: Actor) -> tuple[Any, dict[str, Any] | None]:
    """The template with what it includes put in place, and Langfuse's graph of it (None where it includes nothing)."""
    template, tree = whole(version, by=by)
    if not tree.edges:
        return template, None
    below = {version.pk: tree.edges, **tree.below}
    held = {one.pk: one for one in [version, *tree.versions.values()]}
    graph = {
        "root": _node(version),
        "dependencies": {
            str(pk): [_node(found) for edge in edges if (found := tree.follow(edge))]
            for pk, edges in below.items()
            if edges and pk in held
        },
    }
    return template, graph


def _node(version: PromptVersion) -> dict[str, Any]:
    return {"id": str(version.pk), "name": version.prompt.name, "version": version.number}
