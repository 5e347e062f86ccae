"""A version while it is being written: what the editor's form holds, from wherever it comes, and back into a version's fields."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.http import QueryDict

from accounts.bodies import read_written
from accounts.errors import Invalid, Problem
from accounts.numbers import whole
from prompts.checks import MAX_MESSAGES, ROLES
from prompts.models import MAIN, PromptVersion

PLACEHOLDER = "placeholder"
_PARTS = "$json"  # in a row's `rest`: the content is a list of parts, written as JSON
JSON_FIELDS: dict[str, tuple[type, str]] = {
    "inputs": (list, 'Write a JSON list, such as [{"name": "city", "type": "string"}].'),
    "tools": (list, "Write a JSON list of functions."),
    "response_format": (dict, 'Write a JSON object, such as {"type": "json_object"}.'),
    "parameters": (dict, 'Write a JSON object, such as {"temperature": 0}.'),
}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) if value else ""


@dataclass
class Row:
    """One message: its role (or 'placeholder', its name as the content), its text, and what else it holds, as JSON."""

    role: str
    content: str = ""
    rest: str = ""
    errors: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> "Row":
        if message.get("type") == PLACEHOLDER:
            return cls(PLACEHOLDER, str(message.get("name", "")))
        rest = {key: value for key, value in message.items() if key not in ("role", "content")}
        content = message.get("content")
        if not isinstance(content, str):
            rest[_PARTS] = True
            content = json.dumps(content, indent=2, ensure_ascii=False)
        return cls(str(message.get("role", "")), content, json.dumps(rest, ensure_ascii=False) if rest else "")

    @property
    def parts(self) -> bool:
        return f'"{_PARTS}"' in self.rest

    @property
    def message(self) -> dict[str, Any]:
        """As a version holds it. ValidationError where JSON was meant and is not written."""
        if self.role == PLACEHOLDER:
            return {"type": PLACEHOLDER, "name": self.content}
        rest = read_written(self.rest) if self.rest else {}
        if not isinstance(rest, dict):
            raise ValidationError("What else a message holds is a JSON object.")
        content = read_written(self.content) if rest.pop(_PARTS, False) else self.content
        return {"role": self.role, "content": content, **rest}


@dataclass
class Written:
    """All fields as text. `errors` are by field; a message's own are at its row."""

    type: str
    format: str = PromptVersion.Format.JINJA.value
    text: str = ""
    rows: list[Row] = field(default_factory=list)
    inputs: str = ""
    tools: str = ""
    response_format: str = ""
    model: str = ""
    parameters: str = ""
    message: str = ""
    branch: str = MAIN
    values: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def new(cls, kind: str) -> "Written":
        return cls(kind, rows=[Row("system"), Row("user")])

    @classmethod
    def of(cls, version: PromptVersion) -> "Written":
        texts: dict[str, Any] = {name: _json(getattr(version, name)) for name in JSON_FIELDS}
        written = cls(version.type, version.format, model=version.model, branch=version.branch, **texts)
        written._take(version.template)
        return written

    @classmethod
    def of_draft(cls, content: Mapping[str, Any], kind: str, branch: str) -> "Written":
        """A draft's content was checked when it was saved; its type gives way to that of the prompt."""
        texts = {name: content.get(name, "") for name in ("model", "message", *JSON_FIELDS)}
        written = cls(kind, content.get("format") or PromptVersion.Format.JINJA.value, branch=branch, **texts)
        written.values = content.get("values", {})
        written._take(content.get("template", ""))
        return written

    def _take(self, template: Any) -> None:
        if isinstance(template, list):
            self.rows = [Row.of(message) for message in template]
        else:
            self.text = str(template)

    @classmethod
    def posted(cls, data: QueryDict, kind: str) -> "Written":
        """What a browser sent; it sends line ends as CRLF, which no prompt means."""

        def texts(name: str) -> list[str]:
            return [text.replace("\r\n", "\n") for text in data.getlist(name)[: MAX_MESSAGES + 1]]

        def text(name: str) -> str:
            return data.get(name, "").replace("\r\n", "\n")

        parts: dict[str, Any] = {name: text(name) for name in JSON_FIELDS}
        written = cls(
            kind, data.get("format") or PromptVersion.Format.JINJA.value, text("template"),
            model=text("model").strip(), message=text("message"), branch=data.get("branch") or MAIN,
            **parts,
        )  # fmt: skip
        roles, rests = data.getlist("role"), texts("rest")
        for index, content in enumerate(texts("content")):
            role = roles[index] if index < len(roles) else ROLES[0]
            written.rows.append(Row(role, content, rests[index] if index < len(rests) else ""))
        return written

    def edit(self, operation: str) -> None:
        """'add', 'add-placeholder', or 'remove-N', 'up-N' of the row N (from 0)."""
        verb, _, number = operation.partition("-")
        if verb == "add" and len(self.rows) < MAX_MESSAGES:
            following = "assistant" if self.rows and self.rows[-1].role == "user" else "user"
            self.rows.append(Row(PLACEHOLDER, "history") if number == PLACEHOLDER else Row(following))
            return
        index = whole(number, below=len(self.rows))
        if index is None:
            return
        if verb == "remove":
            del self.rows[index]
        elif verb == "up" and index:
            self.rows.insert(index - 1, self.rows.pop(index))

    def fields(self) -> dict[str, Any]:
        """The arguments of create_version; Invalid names every field that can't be read."""
        errors: dict[str, list[str]] = {}
        found: dict[str, Any] = {"type": self.type, "format": self.format, "model": self.model}
        if self.type == PromptVersion.Type.TEXT:
            found["template"] = self.text
        else:
            found["template"] = []
            for index, row in enumerate(self.rows):
                try:
                    found["template"].append(row.message)
                except ValidationError as problem:
                    errors[f"template[{index}].content"] = problem.messages
        for name, (shape, remedy) in JSON_FIELDS.items():
            try:
                found[name] = _read(getattr(self, name), shape, remedy)
            except ValidationError as problem:
                errors[name] = problem.messages
        if errors:
            first = next(iter(errors.values()))[0]
            raise _invalid(first, errors)
        return found

    def show(self, problem: Problem) -> None:
        """Put a problem's errors where they belong: at a message, at a field, or over the form."""
        for name, texts in (problem.errors or {"": [problem.detail]}).items():
            number = name.removeprefix("template[").partition("]")[0]
            row = whole(number, below=len(self.rows)) if name.startswith("template[") else None
            if row is not None:
                self.rows[row].errors += texts
            else:
                # 'inputs[2].type' is said at the inputs, with where it is.
                at = name.replace(".", "[").partition("[")[0]
                said = [f"{name}: {text}" if at != name else text for text in texts]
                self.errors.setdefault(at, []).extend(said)


def _read(text: str, shape: type, remedy: str) -> Any:
    if not text.strip():
        return None
    value = read_written(text)
    if not isinstance(value, shape):
        raise ValidationError(remedy)
    return value


def _invalid(detail: str, errors: Mapping[str, list[str]]) -> Invalid:
    problem = Invalid("template", detail)
    problem.errors = dict(errors)
    return problem
