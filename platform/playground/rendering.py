"""From a frozen column and a row's values to what a model is asked. The one place that knows how prompts are rendered."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from accounts.access import Actor
from accounts.errors import Forbidden, Invalid
from accounts.models import Team
from playground.models import Cell
from prompts import rendering
from prompts.checks import Content, check_content
from prompts.inputs import Input
from prompts.models import PromptVersion
from prompts.reads import unseen

LONGEST = 256 * 1024  # characters of rendered messages


Source = PromptVersion | Content


def known_inputs(source: Source) -> list[Input]:
    """Every value that a prompt takes, declared ones first; lists of messages for its placeholders among them."""
    return rendering.inputs_of(source)


def source_of(column: Mapping[str, Any], team: Team, *, by: Actor) -> Source:
    """What a frozen column renders: the version, else its content, checked again as the actor sees what it includes."""
    if column["version_id"] is not None:
        return PromptVersion.objects.select_related("prompt__team").get(pk=column["version_id"])
    return check_content(**column["content"], team=team, by=by)


@dataclass(frozen=True)
class Asked:
    """What a model is asked. borrowed: the prompts of other teams whose text is in it."""

    messages: list[dict[str, Any]]
    borrowed: list[int]


def first_turn(source: Source, column: Mapping[str, Any], values: Mapping[str, Any], *, by: Actor) -> Asked:
    """The messages of a column's first turn. Values of variables that it hasn't got are other columns' and left out."""
    known = set(column["variables"])
    given = {name: value for name, value in values.items() if name in known}
    found = rendering.render_version(source, given, by=by)
    said = found.rendered
    messages = [{"role": "user", "content": said}] if isinstance(said, str) else [dict(message) for message in said]
    check_length(messages)
    return Asked(messages, found.borrowed)


def check_borrowed(cell: Cell, *, by: Actor) -> None:
    """Raise Forbidden for whoever would go on talking about a text that they don't see."""
    if unseen(by, cell.borrowed):
        raise Forbidden(
            "What was sent has text of another team's prompt, which you may not see. Ask there for asset.view.",
            permission="asset.view",
        )


def check_length(messages: list[dict[str, Any]]) -> None:
    size = sum(len(str(message.get("content") or "")) for message in messages)
    if size > LONGEST:
        raise Invalid("messages", f"At most {LONGEST:,} characters are sent from here; these are {size:,}.")


def body_of(column: Mapping[str, Any], messages: list[dict[str, Any]]) -> dict[str, Any]:
    """The request, in the protocol's words."""
    content = column["content"]
    body: dict[str, Any] = {"model": column["model"], "messages": messages, **column["parameters"]}
    if content.get("tools"):
        body["tools"] = content["tools"]
    if content.get("response_format"):
        body["response_format"] = content["response_format"]
    return body


def digest_of(body: Mapping[str, Any]) -> str:
    """Of the rendered request (RFC 8785): the same digest, the same question."""
    return f"sha256:{hashlib.sha256(rfc8785.dumps(dict(body))).hexdigest()}"
