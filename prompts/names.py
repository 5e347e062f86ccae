"""The names of prompts: a path of folders and a last part, as clients of other products write them."""

import re

from django.core.exceptions import ValidationError

MAX_NAME = 200
# Words that follow a prompt's name in addresses: no folder or prompt is called so.
RESERVED = frozenset(
    [
        "new",
        "edit",
        "diff",
        "versions",
        "labels",
        "branches",
        "drafts",
        "tags",
        "render",
        "usage",
        "tests",
        "playground",
        "merge",
        "archive",
        "restore",
        "settings",
        "history",
        "delete",
        "export",
        "graph",
        "impact",
        "check",
        "rename",
    ]
)
# Letters of any alphabet; '@' and ':' stand between a name and its label or number.
_PART = r"[^\W_](?:[\w .()-]*[\w)])?"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*")
NAME_HELP = f"Use letters, digits, spaces, '.', '_', '-' and '/' between folders (at most {MAX_NAME}); each part begins with a letter or digit."


class PromptNameConverter:
    """A prompt's name in an address, its folders included: up to the first reserved word."""

    regex = "{0}(?:/{0})*".format(rf"(?!(?:{'|'.join(sorted(RESERVED))})(?:/|$))[^/]+")

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


def problem_of(name: str) -> str:
    """What is wrong with a name, in words; empty when nothing is."""
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        return NAME_HELP
    word = next((part for part in name.split("/") if part.lower() in RESERVED), None)
    return f"'{word}' has a meaning of its own in addresses: call this part otherwise." if word else ""


def valid_prompt_name(name: str) -> None:
    if text := problem_of(name):
        raise ValidationError(text)
