"""Prompts as a team would keep them: each with its history of versions, labels on those in use, folders, typed inputs, one that
includes another, and tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .client import Client
from .workspace import TEAM, say


@dataclass(frozen=True)
class Version:
    type: str
    template: Any
    message: str
    parameters: dict[str, Any]
    more: dict[str, Any] = field(default_factory=dict)  # inputs, model, response_format …


@dataclass(frozen=True)
class Prompt:
    """`labels` says which versions each label was moved to, one after the other, and why."""

    name: str
    description: str
    versions: tuple[Version, ...]
    labels: dict[str, tuple[tuple[int, str], ...]]
    tags: dict[str, str] = field(default_factory=dict)
    tests: dict[str, Any] = field(default_factory=dict)


def _chat(system: str, user: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def _input(name: str, description: str, example: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "string", "description": description, "example": example, **more}


_REPLY_INPUTS = {
    "inputs": [
        _input("company", "As customers know it", "Acme", default="Acme"),
        _input("message", "The customer's last message", "Where is my parcel?", required=True, max_length=4000),
    ]
}


def _reply(question: str) -> list[dict[str, str]]:
    system = 'You answer customers of {{ company }}. {% include "shared/house-style:2" %}'
    return [
        {"role": "system", "content": system},
        {"type": "placeholder", "name": "history"},
        {"role": "user", "content": question},
    ]


# What other prompts include comes before them.
PROMPTS = (
    Prompt(
        name="shared/house-style",
        description="How we write to people outside; included by other prompts",
        versions=(
            Version("text", "Be brief and kind. Write as you would speak.", "First draft", {}),
            Version(
                "text",
                "Be brief and kind. Write as you would speak. Promise nothing about refunds or dates: say that a "
                "colleague will confirm them.",
                "No promises, in every prompt that includes this",
                {},
            ),
        ),
        labels={"staging": ((2, "Read by the support team"),)},
        tags={"audience": "customers"},
    ),
    Prompt(
        name="support/first-reply",
        description="A first answer in our house style, for a person to check",
        versions=(
            Version(
                "chat",
                _reply("{{ message }}"),
                "Takes the house style from its own prompt, and the conversation so far",
                {"temperature": 0.2, "max_tokens": 300},
                _REPLY_INPUTS,
            ),
            Version(
                "chat",
                _reply("{{ message }}\n\nAsk for the order number if it is missing."),
                "Asks for the order number at once",
                {"temperature": 0.2, "max_tokens": 300},
                _REPLY_INPUTS,
            ),
        ),
        labels={"development": ((1, "Being tried"), (2, "Fewer questions back"))},
        tags={"audience": "customers"},
    ),
    Prompt(
        name="dates/normalise",
        description="What acme/date-normaliser is asked: a date as it is written, to be answered in ISO form",
        versions=(
            Version(
                "chat",
                [{"role": "user", "content": "{{ input }}"}],
                "The model was trained on the bare date",
                {"temperature": 0, "max_tokens": 16},
                {
                    "model": "acme/date-normaliser",
                    "inputs": [
                        _input(
                            "input", "A date as people write it", "the 3rd of March 2021", required=True, max_length=100
                        )
                    ],
                },
            ),
        ),
        labels={"staging": ((1, "Tried on the held-back dates"),)},
        tests={
            "assertions": [{"type": "equals"}, {"type": "latency", "maximum_ms": 10_000}],
            "rows": {"dataset": f"{TEAM}/dates", "expected_column": "expected", "limit": 50},
            "models": ["acme/date-normaliser"],
            "threshold": 0.9,
        },
    ),
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
            "staging": (
                (1, "First try on invoices"),
                (2, "Version 1 listed dates that were not there"),
                (3, "Reads invoices in French better; being tried"),
            ),
            "development": ((3, "The newest"),),
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
        labels={"staging": ((2, "Version 1 promised a refund"),)},
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
        labels={"development": ((2, "Without blame; for the weekly letter"),)},
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
                    **version.more,
                },
            )
        for key, value in prompt.tags.items():
            api.put(f"{address}/tags/{key}", {"value": value})
        if prompt.tests and api.get(f"{address}/tests")["revision"] == 0:
            api.put(f"{address}/tests", prompt.tests)
        _set_labels(api, address, prompt)
    say(f"{len(PROMPTS)} prompts are there")


def _set_labels(api: Client, address: str, prompt: Prompt) -> None:
    for label, moves in prompt.labels.items():
        made = sum(1 for _ in api.every(f"{address}/labels/{label}/history"))
        for number, reason in moves[made:]:
            api.put(f"{address}/labels/{label}", {"version": number, "reason": reason})
