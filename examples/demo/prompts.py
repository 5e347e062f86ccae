"""Three prompts as a team would keep them: each with its history of versions, and a label on the one in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .client import Client
from .workspace import TEAM, say


@dataclass(frozen=True)
class Version:
    type: str
    template: Any
    message: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Prompt:
    """`labels` says which version each label is on, and why."""

    name: str
    description: str
    versions: tuple[Version, ...]
    labels: dict[str, tuple[int, str]]


def _chat(system: str, user: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


PROMPTS = (
    Prompt(
        name="extract-dates",
        description="Finds the dates in a text, for acme/date-normaliser to rewrite",
        versions=(
            Version("text", "List every date in this text:\n\n{{ text }}", "First draft", {"temperature": 0}),
            Version(
                "text",
                "List every date in the text between the lines, one per line, just as it is written there.\n"
                "Write 'none' if it has none.\n---\n{{ text }}\n---",
                "Marks where the text begins and ends, and says what to do without a date",
                {"temperature": 0, "max_tokens": 200},
            ),
            Version(
                "text",
                "List every date in the {{ language }} text between the lines, one per line, just as it is written "
                "there.\nLeave out times of day. Write 'none' if it has no date.\n---\n{{ text }}\n---",
                "Names the language; times of day were listed as dates",
                {"temperature": 0, "max_tokens": 200},
            ),
        ),
        labels={
            "staging": (3, "Reads invoices in French better; being tried"),
            "development": (3, "The newest"),
        },
    ),
    Prompt(
        name="reply-to-customer",
        description="A first answer to a customer's message, for a person to check",
        versions=(
            Version(
                "chat",
                _chat("You answer customers of {{ company }}. Be brief and kind.", "{{ message }}"),
                "First draft",
                {"temperature": 0.4},
            ),
            Version(
                "chat",
                _chat(
                    "You answer customers of {{ company }}. Be brief and kind. Promise nothing about refunds or dates: "
                    "say that a colleague will confirm them.",
                    "{{ customer_name }} writes:\n\n{{ message }}",
                ),
                "No promises; greets by name",
                {"temperature": 0.2, "max_tokens": 300},
            ),
        ),
        labels={"staging": (2, "Version 1 promised a refund")},
    ),
    Prompt(
        name="summarise-incident",
        description="An incident report in five sentences, for the weekly letter",
        versions=(
            Version(
                "chat", _chat("You summarise incident reports.", "{{ report }}"), "First draft", {"temperature": 0.3}
            ),
            Version(
                "chat",
                _chat(
                    "You summarise incident reports for {{ audience }} in at most {{ sentences }} sentences: what broke, "
                    "who noticed, what it cost, what was done, what will change. Blame nobody.",
                    "{{ report }}",
                ),
                "For an audience, with a length, and without blame",
                {"temperature": 0.2, "max_tokens": 400},
            ),
        ),
        labels={"development": (2, "Without blame; for the weekly letter")},
    ),
)


def make_prompts(api: Client) -> None:
    """Create what is missing; versions are known by their number, since they are made in order."""
    for prompt in PROMPTS:
        address = f"/api/v1/prompts/{TEAM}/{prompt.name}"
        if api.find(address) is None:
            api.post("/api/v1/prompts", {"team": TEAM, "name": prompt.name, "description": prompt.description})
        there = sum(1 for _ in api.every(f"{address}/versions"))
        for version in prompt.versions[there:]:
            api.post(
                f"{address}/versions",
                {
                    "type": version.type,
                    "template": version.template,
                    "parameters": version.parameters,
                    "message": version.message,
                },
            )
        _set_labels(api, address, prompt)
    say(f"{len(PROMPTS)} prompts are there")


def _set_labels(api: Client, address: str, prompt: Prompt) -> None:
    for label, (number, reason) in prompt.labels.items():
        if api.find(f"{address}/labels/{label}") is None:
            api.put(f"{address}/labels/{label}", {"version": number, "reason": reason})
