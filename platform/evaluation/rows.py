"""The rows of a dataset as questions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.errors import Invalid
from evaluation.parameters import Parameters
from registry import datasets, storage
from registry.models import Version

# So many rows are checked when an evaluation is made; the others when their turn comes.
CHECKED_AT_ONCE = 20_000


@dataclass(frozen=True)
class Question:
    """`index`: of the row in the dataset version, from 0."""

    index: int
    input: str
    expected: str


def questions(version: Version, parameters: Parameters, *, start: int = 0, stop: int) -> Iterator[Question]:
    """Rows `start` to `stop` (without it). Invalid names the file and row whose field is missing or no text."""
    for place, (path, number, row) in enumerate(datasets.located_rows(version, start, stop - start)):
        where = f"{path}, row {number}"
        yield Question(
            start + place,
            _text(row, "input_field", parameters.input_field, where),
            _text(row, "expected_field", parameters.expected_field, where),
        )


def check(version: Version, parameters: Parameters, *, total: int) -> None:
    """Go through the first rows; Invalid names the first one that can't be asked."""
    for _ in questions(version, parameters, stop=min(total, CHECKED_AT_ONCE)):
        pass


def _text(row: Mapping[str, Any], parameter: str, name: str, where: str) -> str:
    if name not in row:
        there = ", ".join(f"'{field}'" for field in list(row)[:8]) or "none"
        raise Invalid(
            f"parameters.{parameter}",
            f"{where}: there is no field '{name}'; it has {there}. Name another field, or mend the dataset in a new version.",
        )
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        kind = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}[type(value)]
        raise Invalid(
            f"parameters.{parameter}",
            f"{where}: the field '{name}' holds {kind}; text or a number is needed to compare.",
        )
    # PostgreSQL keeps no NUL characters.
    return str(value).replace("\0", "\ufffd")


def endpoint_of(version: Version) -> str:
    """'chat' for a model with a chat template among its files, else 'completions'."""
    files = dict(version.files.values_list("path", "blob_id"))
    if any(path.startswith("chat_template.") for path in files):
        return "chat"
    if "tokenizer_config.json" not in files:
        return "completions"
    with storage.open_blob(files["tokenizer_config.json"]) as stream:
        settings = json.load(stream)
    return "chat" if isinstance(settings, dict) and settings.get("chat_template") else "completions"
