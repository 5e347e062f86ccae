"""One version of a prompt, as it was fetched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from countersign.prompts import rendering


@dataclass(frozen=True)
class Prompt:
    """`number` and `digest` are 0 and '' of a fallback. `source`: where this copy comes from: 'site', 'disk' or 'fallback'."""

    address: str
    number: int
    type: str
    format: str
    template: str | list[dict[str, Any]]
    label: str = ""
    digest: str = ""
    inputs: list[dict[str, Any]] = field(default_factory=list)
    tools: list[dict[str, Any]] = field(default_factory=list)
    response_format: dict[str, Any] | None = None
    model: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    message: str = ""
    # What other prompts' texts stand for the includes of this one: {key: {"prompt", "number", "format", "template", "includes"}}.
    includes: dict[str, str] = field(default_factory=dict)
    included: dict[str, dict[str, Any]] = field(default_factory=dict)
    source: str = "site"

    @classmethod
    def read(cls, body: dict[str, Any], *, label: str = "", source: str = "site") -> Prompt:
        return cls(
            address=body["prompt"],
            number=body["number"],
            type=body["type"],
            format=body.get("format") or "jinja2",
            template=body["template"],
            label=label,
            digest=body["digest"],
            inputs=body.get("inputs") or [],
            tools=body.get("tools") or [],
            response_format=body.get("response_format"),
            model=body.get("model") or "",
            parameters=body.get("parameters") or {},
            message=body.get("message") or "",
            includes=body.get("includes") or {},
            included=body.get("included") or {},
            source=source,
        )

    @property
    def variables(self) -> list[str]:
        """The names of those that are declared."""
        return [str(one.get("name")) for one in self.inputs]

    def render(self, **variables: Any) -> str | list[dict[str, Any]]:
        """The text, or a chat's messages, filled in. RenderError names what is missing, unknown or of the wrong type. The messages
        that stand for a placeholder are given by its name."""
        return rendering.render(self, variables)

    def messages(self, **variables: Any) -> list[dict[str, Any]]:
        """As `render`, and always a list: a text is one message of the user."""
        found = self.render(**variables)
        return [{"role": "user", "content": found}] if isinstance(found, str) else found
