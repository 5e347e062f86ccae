"""A card as fields: what the front matter of README.md and its sections say, and a README.md written from fields."""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from accounts.errors import Invalid
from registry.inspection import cards
from registry.inspection.manifest import Manifest
from registry.paths import CARD

MAX_RESULTS = 200
_TEXT = 4_000
# Fields that one line of a form takes, with the key of the front matter that holds each; lists are separated by commas.
LISTS = {
    "languages": "language",
    "base_model": "base_model",
    "datasets": "datasets",
    "metrics": "metrics",
    "tags": "tags",
}
SINGLE = {"licence": "license", "task": "pipeline_tag", "library": "library_name"}
SECTIONS = {"intended_use": "Intended use", "limits": "Limits", "training_data": "Training data"}


@dataclass(frozen=True)
class Result:
    """One line of the card's `model-index`: a metric of a task on a dataset, as its author reports it."""

    task: str
    dataset: str
    metric: str
    value: str

    def as_json(self) -> dict[str, str]:
        return {"task": self.task, "dataset": self.dataset, "metric": self.metric, "value": self.value}


def structured(card: cards.Card) -> dict[str, Any]:
    """The fields of a card: texts of its sections, lists and names of its front matter; what it does not say is '' or []."""
    sections = {name: cards.section(card, name.replace("_", " "))[:_TEXT] for name in SECTIONS}
    single = {name: _word(card, key) for name, key in SINGLE.items()} | {"licence": cards.licence(card)}
    lists = {name: cards.names(card, key) for name, key in LISTS.items()}
    return {**sections, **single, **lists, "results": [result.as_json() for result in results(card)]}


def results(card: cards.Card) -> list[Result]:
    """The rows of `model-index`, as far as they are shaped as the Hugging Face Hub wants them."""
    found = []
    for entry in _dicts(card.front_matter.get("model-index")):
        for result in _dicts(entry.get("results")):
            task, dataset = _name(result.get("task")), _name(result.get("dataset"))
            for metric in _dicts(result.get("metrics")):
                value = metric.get("value")
                text = f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
                found.append(Result(task, dataset, _name(metric), text[:100]))
    return found[:MAX_RESULTS]


def _dicts(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]


def _name(value: Any) -> str:
    if isinstance(value, str):
        return value[:200]
    return (
        next((str(value[key])[:200] for key in ("name", "type") if value.get(key)), "")
        if isinstance(value, dict)
        else ""
    )


def _word(card: cards.Card, key: str) -> str:
    value = card.front_matter.get(key)
    return value[:200] if isinstance(value, str) else ""


def lacks(card: cards.Card, kind: str) -> list[tuple[str, bool]]:
    """What a card of this kind must say, and whether this one does."""
    missing = cards.missing(card, kind)
    return [(need, need not in missing) for need in cards.NEEDED[kind]]


def readable(text: str) -> cards.Card:
    """The card, or an empty one with the text where its front matter is no YAML: a page is shown all the same."""
    try:
        return cards.parse(text)
    except Invalid:
        return cards.Card(text)


def of_draft(manifest: list[dict[str, Any]]) -> str:
    """The text of README.md among these files; '' where there is none, or where it is no text."""
    files = Manifest(manifest)
    try:
        return files.text(CARD, cards.MAX_CARD_BYTES).replace("\0", "") if CARD in files else ""
    except Invalid:
        return ""


def body_of(text: str) -> str:
    """A card without its front matter."""
    match = re.match(r"\A---[ \t]*\n.*?^---[ \t]*\n", text, re.DOTALL | re.MULTILINE)
    return text[match.end() :].lstrip("\n") if match else text


def write(text: str, fields: dict[str, str], body: str) -> str:
    """README.md with these fields in its front matter (empty ones left out, others of `text` kept) and this body."""
    front = dict(readable(text).front_matter)
    for name, key in SINGLE.items():
        _put(front, key, fields.get(name, "").strip())
    for name, key in LISTS.items():
        words = [word.strip() for word in fields.get(name, "").split(",") if word.strip()]
        _put(front, key, words[0] if len(words) == 1 and key == "base_model" else words)
    if "license" in front:
        front.pop("licence", None)
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=120) if front else ""
    body = body.replace("\r\n", "\n").strip() + "\n"
    whole = f"---\n{head}---\n\n{body}" if head else body
    if len(whole.encode()) > cards.MAX_CARD_BYTES:
        raise Invalid("body", f"A card has at most {cards.MAX_CARD_BYTES} bytes.")
    cards.parse(whole)
    return whole


def _put(front: dict[str, Any], key: str, value: Any) -> None:
    if value:
        front[key] = value
    else:
        front.pop(key, None)
