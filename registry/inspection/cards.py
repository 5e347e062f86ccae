"""The card of a version: README.md, with what it must say before something goes to production."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import yaml

from accounts.errors import Invalid
from registry.inspection.manifest import Manifest
from registry.paths import CARD

MAX_CARD_BYTES = 1 << 20
_SHORT, _MAX_FIELDS = 300, 50
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
# What a card needs -> how the heading over it may begin.
_SECTIONS = {
    "intended use": ("intended use", "uses", "use cases"),
    "limits": ("limits", "limitations", "bias, risks", "risks"),
    "training data": ("training data", "training", "data"),
    "licence": ("licence", "license", "licensing"),
}
_FRONT_MATTER = {"licence": ("license", "licence"), "training data": ("datasets",)}
NEEDED = {
    "model": ("intended use", "limits", "training data", "licence"),
    "dataset": ("intended use", "limits", "licence"),
}


@dataclass(frozen=True)
class Card:
    """The whole text, its front matter and the text below each heading (lower case)."""

    text: str = ""
    front_matter: dict[str, Any] = field(default_factory=dict)
    sections: dict[str, str] = field(default_factory=dict)


def read(files: Manifest) -> Card:
    """The card, empty where there is none; Invalid when its front matter is not YAML."""
    if CARD not in files:
        return Card()
    text = files.text(CARD, MAX_CARD_BYTES).replace("\0", "")
    return parse(text)


def parse(text: str) -> Card:
    lines = text.splitlines()
    front: dict[str, Any] = {}
    if lines and lines[0].rstrip() == "---":
        end = next((index for index, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
        if end is None:
            raise Invalid("files", f"{CARD}: the front matter that begins in line 1 has no closing '---'.")
        front = _yaml("\n".join(lines[1:end]))
        lines = lines[end + 1 :]
    return Card(text, front, _sections(lines))


def missing(card: Card, kind: str) -> list[str]:
    """What the card should say and doesn't, in the order of NEEDED."""
    return [need for need in NEEDED[kind] if not _says(card, need)]


def fields(card: Card) -> dict[str, Any]:
    """What the card says, by field: its front matter, shortened, and the beginning of each section that cards need."""
    found = {key: _short(value) for key, value in list(card.front_matter.items())[:_MAX_FIELDS]}
    for need in _SECTIONS:
        key = need.replace(" ", "_")
        if _says(card, need) and not found.get(key):
            found[key] = section(card, need)[:_SHORT] or True
    return found


def licence(card: Card) -> str:
    """The licence as an SPDX expression: of the front matter, or a section that is nothing but its name."""
    stated = names(card, "license") or names(card, "licence")
    if stated:
        return " AND ".join(stated)[:_SHORT]
    text = section(card, "licence").strip().rstrip(".")
    return text if re.fullmatch(r"[A-Za-z0-9.+-]{2,60}", text) else ""


def names(card: Card, key: str) -> list[str]:
    """A field of the front matter that names one thing or several."""
    value = card.front_matter.get(key)
    items = value if isinstance(value, list) else [value]
    return [item.strip()[:_SHORT] for item in items[:_MAX_FIELDS] if isinstance(item, str) and item.strip()]


def section(card: Card, need: str) -> str:
    """The text under the heading that a need names, or empty."""
    for heading, text in card.sections.items():
        if any(heading.startswith(beginning) for beginning in _SECTIONS[need]) and text.strip():
            return text.strip()
    return ""


def _short(value: Any) -> Any:
    """A value small enough to be kept as evidence."""
    if isinstance(value, str):
        return value[:_SHORT]
    if isinstance(value, bool | int | float) or value is None:
        return value
    text = json.dumps(value)
    return value if len(text) <= _SHORT else text[:_SHORT]


def _says(card: Card, need: str) -> bool:
    if any(card.front_matter.get(key) for key in _FRONT_MATTER.get(need, ())):
        return True
    return any(
        heading.startswith(beginning) and text.strip()
        for heading, text in card.sections.items()
        for beginning in _SECTIONS[need]
    )


def _sections(lines: list[str]) -> dict[str, str]:
    """The text under each heading, that of the headings below it included."""
    found: dict[str, list[str]] = {}
    open_headings: list[tuple[int, str]] = []
    fenced = False
    for line in lines:
        if _FENCE.match(line):
            fenced = not fenced
        match = None if fenced else _HEADING.match(line)
        if match is None:
            for _, heading in open_headings:
                found[heading].append(line)
            continue
        level = len(line) - len(line.lstrip("#"))
        open_headings = [(depth, heading) for depth, heading in open_headings if depth < level]
        heading = match.group(1).strip().lower()
        found.setdefault(heading, [])
        open_headings.append((level, heading))
    return {heading: "\n".join(texts) for heading, texts in found.items()}


def _yaml(text: str) -> dict[str, Any]:
    # Aliases can make a few lines stand for gigabytes; a card has no use for them.
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.SafeLoader)):
            raise Invalid("files", f"{CARD}: the front matter uses YAML aliases (*name). Write the values out.")
        value = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 2}, column {mark.column + 1}" if mark else ""
        what = getattr(error, "problem", None) or "it can't be read"
        raise Invalid("files", f"{CARD}{where}: the front matter is not YAML ({what}).") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid("files", f"{CARD}: the front matter is not a list of 'name: value' lines.")
    try:
        plain = {_storable(str(key)[:100]): _plain(item) for key, item in value.items()}
        json.dumps(plain)
    except (RecursionError, ValueError):  # nested too deeply, or a number of more digits than Python writes
        raise Invalid("files", f"{CARD}: the front matter holds a value that can't be kept. Use plain texts.") from None
    return plain


def _storable(text: str) -> str:
    """Escapes in YAML can spell what no database text holds: NUL, and halves of a surrogate pair."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _plain(value: Any) -> Any:
    """The value as JSON can hold it."""
    if isinstance(value, dict):
        return {_storable(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | set | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, str):
        return _storable(value)
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return _storable(str(value))
    return value
