"""The workbench's form: what people typed, kept as they typed it, and read as columns and rows when it is run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from accounts.access import Actor
from accounts.errors import Invalid, Problem
from accounts.models import Team
from accounts.numbers import whole
from playground import texts
from playground.columns import MAX_COLUMNS, draft_of
from playground.models import PlaygroundSession
from playground.rendering import known_inputs
from playground.texts import Column, new_column
from prompts import reads
from prompts.checks import check_content
from prompts.inputs import Input, from_text
from prompts.models import PromptVersion

OPTIONS = {"repeats": "1", "dataset": "", "dataset_version": "", "limit": "", "expected_field": "", "mapping": ""}
_MESSAGE_BUTTON = re.compile(r"(add|remove|up)-message-([0-7])-(\d{1,2})")
MAX_ROWS = 50  # typed by hand; more come from a dataset


@dataclass
class Bench:
    """What the form holds."""

    name: str = ""
    columns: list[Column] = field(default_factory=lambda: [new_column()])
    inputs: list[dict[str, str]] = field(default_factory=lambda: [{}])
    options: dict[str, str] = field(default_factory=lambda: dict(OPTIONS))

    @classmethod
    def of(cls, session: PlaygroundSession) -> Bench:
        return cls(
            session.name,
            [new_column(**column) for column in session.columns] or [new_column()],
            [dict(row) for row in session.inputs] or [{}],
            {**OPTIONS, **session.options},
        )

    @classmethod
    def posted(cls, data: Mapping[str, str]) -> Bench:
        def count(name: str, most: int) -> int:
            return min(max(whole(data.get(name, "1")) or 1, 1), most)

        columns = [texts.posted(data, index) for index in range(count("columns", MAX_COLUMNS))]
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
            self.columns.append(new_column(model=self.columns[-1]["model"]))
        elif do == "add-row" and len(self.inputs) < MAX_ROWS:
            self.inputs.append({})
        elif verb == "copy-column" and index is not None and index < len(self.columns) < MAX_COLUMNS:
            self.columns.insert(index + 1, deepcopy(self.columns[index]))
        elif verb == "remove-column" and index is not None and index < len(self.columns) > 1:
            del self.columns[index]
        elif message := _MESSAGE_BUTTON.fullmatch(do):
            if int(message[2]) < len(self.columns):
                texts.change(self.columns[int(message[2])], message[1], int(message[3]))
        elif verb == "remove-row" and index is not None and index < len(self.inputs) > 1:
            del self.inputs[index]

    def take_text(self, index: int, team: Team, *, by: Actor) -> None:
        """Put what a column names into its own fields, to be changed there. A Problem where that can't be read."""
        column = self.columns[index]
        own = {"prompt": _address(column, team), "version": texts.UNSAVED}
        if column["version"].strip() == "draft":
            taken = texts.of_written(draft_of(reads.get_prompt(by, own["prompt"]), by=by), **own)
        else:
            taken = texts.of_version(version_named(column, team, by=by), **own)
        # What was set here stands.
        for name in ("model", "temperature", "max_tokens", "more"):
            taken[name] = column[name] or taken[name]
        self.columns[index] = taken

    def given(self) -> list[dict[str, Any]]:
        """Columns for playground.columns; Invalid names the field: 'columns[0].tools'."""
        return [_given(column, f"columns[{index}]") for index, column in enumerate(self.columns)]

    def rows(self, inputs: Mapping[str, Input]) -> list[dict[str, Any]]:
        """Values of the inputs that there are, as their types; what was typed for others stays in the form."""
        return [
            {name: from_text(one, row[name]) for name, one in inputs.items() if row.get(name, "") != ""}
            for row in self.inputs
        ]


def _given(column: Mapping[str, Any], where: str) -> dict[str, Any]:
    parameters = texts.read_json(column["more"], f"{where}.more", dict) or {}
    for name, kind in (("temperature", float), ("max_tokens", int)):
        text = column[name].strip()
        if text:
            try:
                parameters[name] = kind(text)
            except ValueError:
                raise Invalid(f"{where}.{name}", "Use a number.") from None
    found: dict[str, Any] = {"model": column["model"].strip(), "parameters": parameters}
    if prompt := column["prompt"].strip():
        found["prompt"] = prompt
    if texts.is_own(column):
        return {**found, "content": texts.content_of(column, where)}
    return {**found, "version": column["version"].strip()}


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


def _inputs(column: Column, team: Team, by: Actor) -> list[Input]:
    if texts.is_own(column):
        return known_inputs(check_content(**texts.content_of(column, "column"), team=team, by=by))
    if column["version"].strip() != "draft":
        return known_inputs(version_named(column, team, by=by))
    prompt = reads.get_prompt(by, _address(column, team))
    return known_inputs(check_content(**draft_of(prompt, by=by).fields(), team=team, prompt=prompt, by=by))


def _address(column: Column, team: Team) -> str:
    name: str = column["prompt"].strip()
    return name if name.startswith(f"{team.name}/") else f"{team.name}/{name}"


def version_named(column: Column, team: Team, *, by: Actor) -> PromptVersion:
    """The version that a column names, by number or label."""
    version = column["version"].strip() or "latest"
    number = whole(version)
    if number is not None:
        return reads.get_version(by, reads.get_prompt(by, _address(column, team)), number)
    return reads.resolve_label(by, _address(column, team), version)
