"""A template with what it includes put in its place: clients of other products know nothing of our includes."""

import re
from collections.abc import Iterable
from typing import Any

from accounts.access import Actor
from accounts.errors import TooLarge
from prompts.composition import Edge, Tree
from prompts.models import PromptVersion
from prompts.rendering import tree_of

MAX_CHARACTERS = 4 * 1024 * 1024
# Each is read in one pass: a megabyte of almost an include keeps nobody waiting.
_INCLUDES = {
    PromptVersion.Format.MUSTACHE: re.compile(r"\{\{>\s*+(?P<written>[^{}\n]+)\}\}"),
    PromptVersion.Format.JINJA: re.compile(
        r"\{%[-+]?\s*+include\s++([\"'])(?P<written>[^\"'\n]{1,500}+)\1[^%]{0,50}%\}"
    ),
}


def whole(version: PromptVersion, *, by: Actor) -> tuple[Any, Tree]:
    """The template, and all that it includes. Raises as rendering does where something is gone or may not be seen."""
    tree = tree_of(version, by)
    if not tree.edges:
        return version.template, tree
    expander = _Expander(tree)
    return each_text(version.template, lambda text: expander.expand(text, version.format, tree.edges)), tree


def each_text(template: Any, change: Any) -> Any:
    """The template with each text in it changed; everything else as it is."""
    if isinstance(template, str):
        return change(template)
    if isinstance(template, list):
        return [_message(message, change) for message in template]
    return template


def _message(message: Any, change: Any) -> Any:
    if not isinstance(message, dict) or "content" not in message:
        return message
    content = message["content"]
    if isinstance(content, str):
        return {**message, "content": change(content)}
    if isinstance(content, list):
        pieces = [
            {**piece, "text": change(piece["text"])}
            if isinstance(piece, dict) and isinstance(piece.get("text"), str)
            else piece
            for piece in content
        ]
        return {**message, "content": pieces}
    return message


class _Expander:
    """Puts included texts in place, each of them worked out once."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._done: dict[int, str] = {}

    def expand(self, text: str, form: str, edges: Iterable[Edge]) -> str:
        held = {edge.written: version for edge in edges if (version := self.tree.follow(edge))}
        found: list[str] = []
        place = size = 0
        for match in _INCLUDES[PromptVersion.Format(form)].finditer(text):
            version = held.get(match["written"].strip())
            if version is None:
                continue
            found += [text[place : match.start()], self._of(version)]
            place, size = match.end(), size + len(found[-1])
            if size > MAX_CHARACTERS:
                raise TooLarge(f"With what it includes the prompt has more than {MAX_CHARACTERS:,} characters.")
        return "".join([*found, text[place:]])

    def _of(self, version: PromptVersion) -> str:
        if version.pk not in self._done:
            below = self.tree.below.get(version.pk, [])
            self._done[version.pk] = self.expand(str(version.template), version.format, below)
        return self._done[version.pk]
