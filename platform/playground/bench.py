"""The workbench's form: what people typed, kept as they typed it, and read as columns and rows when it is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.access import Actor
from accounts.errors import Invalid, Problem
from accounts.models import Team
from accounts.numbers import whole
from playground.columns import FIELDS, MAX_COLUMNS
from playground.models import PlaygroundSession
from playground.rendering import known_inputs
from prompts import reads
from prompts.checks import check_content
from prompts.inputs import Input, from_text

# A column as the form has it, every value a text.
COLUMN = {
    "prompt": "", "version": "", "system": "", "template": "", "model": "", "temperature": "0", "max_tokens": "256",
    "more": "", "tools": "", "format": "",
}  # fmt: skip
OPTIONS = {"repeats": "1", "dataset": "", "dataset_version": "", "limit": "", "expected_field": "", "mapping": ""}
MAX_ROWS = 50  # typed by hand; more come from a dataset


@dataclass
class Bench:
    """What the form holds."""

    name: str = ""
    columns: list[dict[str, str]] = field(default_factory=lambda: [dict(COLUMN)])
    inputs: list[dict[str, str]] = field(default_factory=lambda: [{}])
    options: dict[str, str] = field(default_factory=lambda: dict(OPTIONS))

    @classmethod
    def of(cls, session: PlaygroundSession) -> Bench:
        return cls(
            session.name,
            [{**COLUMN, **column} for column in session.columns] or [dict(COLUMN)],
            [dict(row) for row in session.inputs] or [{}],
            {**OPTIONS, **session.options},
        )

    @classmethod
    def posted(cls, data: Mapping[str, str]) -> Bench:
        def count(name: str, most: int) -> int:
            return min(max(whole(data.get(name, "1")) or 1, 1), most)

        columns = [
            {name: data.get(f"c{index}-{name}", default) for name, default in COLUMN.items()}
            for index in range(count("columns", MAX_COLUMNS))
        ]
        inputs: list[dict[str, str]] = [{} for _ in range(count("rows", MAX_ROWS))]
        for key in data:
            place, mark, name = key.partition("-v-")
            index = whole(place.removeprefix("r")) if mark else None
            if index is not None and index < len(inputs) and name:
                inputs[index][name] = data[key]
        return cls(
            data.get("name", ""),
            columns,
            inputs,
            {name: data.get(f"o-{name}", default) for name, default in OPTIONS.items()},
        )

    def change(self, do: str) -> None:
        """A button of the form that adds or takes away."""
        verb, _, place = do.rpartition("-")
        index = whole(place)
        if do == "add-column" and len(self.columns) < MAX_COLUMNS:
            self.columns.append({**COLUMN, "model": self.columns[-1]["model"]})
        elif do == "add-row" and len(self.inputs) < MAX_ROWS:
            self.inputs.append({})
        elif verb == "copy-column" and index is not None and index < len(self.columns) < MAX_COLUMNS:
            self.columns.insert(index + 1, dict(self.columns[index]))
        elif verb == "remove-column" and index is not None and index < len(self.columns) > 1:
            del self.columns[index]
        elif verb == "remove-row" and index is not None and index < len(self.inputs) > 1:
            del self.inputs[index]

    def given(self) -> list[dict[str, Any]]:
        """Columns for playground.columns; Invalid names the field: 'columns[0].tools'."""
        return [_given(column, f"columns[{index}]") for index, column in enumerate(self.columns)]

    def rows(self, inputs: Mapping[str, Input]) -> list[dict[str, Any]]:
        """Values of the inputs that there are, as their types; what was typed for others stays in the form."""
        return [
            {name: from_text(one, row[name]) for name, one in inputs.items() if row.get(name, "") != ""}
            for row in self.inputs
        ]


def _given(column: Mapping[str, str], where: str) -> dict[str, Any]:
    parameters = _json(column["more"], f"{where}.more", dict) or {}
    for name, kind in (("temperature", float), ("max_tokens", int)):
        text = column[name].strip()
        if text:
            try:
                parameters[name] = kind(text)
            except ValueError:
                raise Invalid(f"{where}.{name}", "Use a number.") from None
    found: dict[str, Any] = {"model": column["model"].strip(), "parameters": parameters}
    if column["prompt"].strip():
        return {**found, "prompt": column["prompt"].strip(), "version": column["version"].strip()}
    content = _content(column)
    if not column["template"].strip():
        raise Invalid(f"{where}.template", "Choose a prompt, or write one here.")
    content["tools"] = _json(column["tools"], f"{where}.tools", list) or []
    content["response_format"] = _json(column["format"], f"{where}.format", dict)
    return {**found, "content": content}


def _content(column: Mapping[str, str]) -> dict[str, Any]:
    """A text, or with words for the system a chat."""
    if not column["system"].strip():
        return {"type": "text", "template": column["template"]}
    messages = [("system", column["system"]), ("user", column["template"])]
    return {"type": "chat", "template": [{"role": role, "content": text} for role, text in messages]}


def _json(text: str, where: str, kind: type) -> Any:
    if not text.strip():
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(where, f"No JSON: {error}"[:300]) from None
    if not isinstance(value, kind):
        raise Invalid(where, "Use a JSON list." if kind is list else "Use a JSON object.")
    return value


def inputs_for(bench: Bench, team: Team, *, by: Actor) -> dict[str, Input]:
    """What the columns take now, by name, in the order in which it comes; a column that can't be read takes nothing."""
    found: dict[str, Input] = {}
    for column in bench.columns:
        try:
            for one in _inputs(column, team, by):
                found.setdefault(one.name, one)
        except Problem:
            continue
    return found


def _inputs(column: Mapping[str, str], team: Team, by: Actor) -> list[Input]:
    name, version = column["prompt"].strip(), column["version"].strip() or "latest"
    if not name:
        if not column["template"].strip():
            return []
        content = _content(column)
        return known_inputs(check_content(**content, team=team, by=by))
    address = name if name.startswith(f"{team.name}/") else f"{team.name}/{name}"
    number = whole(version)
    if version == "draft":
        prompt = reads.get_prompt(by, address)
        draft = prompt.drafts.filter(author=by.user, branch="main").first()
        if draft is None:
            return []
        fields = {key: draft.content[key] for key in FIELDS if key in draft.content}
        return known_inputs(
            check_content(**{"type": "text", "template": "", **fields}, team=team, prompt=prompt, by=by)
        )
    row = (
        reads.get_version(by, reads.get_prompt(by, address), number)
        if number is not None
        else reads.resolve_label(by, address, version)
    )
    return known_inputs(row)
