"""A column's own text: what a version would hold, as the form has it, every value a text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from accounts.errors import Invalid
from accounts.numbers import whole
from playground.columns import SENT
from prompts.models import PromptVersion
from prompts.writing import Row, Written

# A column of which every value is a text, and `messages`, which are objects with texts.
COLUMN: dict[str, str] = {
    "prompt": "", "version": "", "kind": "", "syntax": "jinja2", "inputs": "", "model": "", "temperature": "0", "max_tokens": "256",
    "more": "", "tools": "", "format": "",
}  # fmt: skip
# What says that a column which names a prompt holds a text of its own: changed here, and no version of it.
UNSAVED = "unsaved"
MAX_MESSAGES = 40
_MESSAGE = {"role": "user", "content": "", "rest": ""}
Column = dict[str, Any]


def new_column(**more: Any) -> Column:
    return {**COLUMN, "messages": [{**_MESSAGE, "role": "system"}, dict(_MESSAGE)], **more}


def is_own(column: Mapping[str, Any]) -> bool:
    """Whether it holds a text, rather than naming a version."""
    return not column["prompt"].strip() or column["version"].strip() == UNSAVED


def posted(data: Mapping[str, str], index: int) -> Column:
    """Column `index` of the form. Browsers send line ends as CRLF, which no prompt means."""
    mark = f"c{index}-"
    column: Column = {name: data.get(mark + name, default).replace("\r\n", "\n") for name, default in COLUMN.items()}
    count = min(whole(data.get(f"{mark}messages", "")) or 0, MAX_MESSAGES)
    column["messages"] = [
        {name: data.get(f"{mark}m{place}-{name}", empty).replace("\r\n", "\n") for name, empty in _MESSAGE.items()}
        for place in range(count)
    ] or [dict(_MESSAGE)]
    return column


def change(column: Column, verb: str, place: int) -> None:
    """A button at a message: 'remove', 'up'; 'add' comes after `place`."""
    messages = column["messages"]
    if verb == "add" and len(messages) < MAX_MESSAGES:
        last = messages[place]["role"] if place < len(messages) else ""
        messages.insert(place + 1, {**_MESSAGE, "role": "assistant" if last == "user" else "user"})
    elif verb == "remove" and place < len(messages) > 1:
        del messages[place]
    elif verb == "up" and 0 < place < len(messages):
        messages.insert(place - 1, messages.pop(place))


def of_written(written: Written, /, **more: Any) -> Column:
    """From the editor's form, finished or not."""
    rows = written.rows if written.type == PromptVersion.Type.CHAT else [Row("user", written.text)]
    if len(rows) > MAX_MESSAGES:
        raise Invalid(
            "messages", f"At most {MAX_MESSAGES} messages are changed here; this has {len(rows)}. Use the editor."
        )
    column = new_column(
        kind=written.type, syntax=written.format, inputs=written.inputs, tools=written.tools,
        format=written.response_format, messages=[{"role": r.role, "content": r.content, "rest": r.rest} for r in rows],
    )  # fmt: skip
    column |= _parameters(written.parameters)
    return column | more


def of_version(version: PromptVersion, /, **more: Any) -> Column:
    return of_written(Written.of(version), **more)


def _parameters(text: str) -> dict[str, str]:
    """A prompt's parameters at their places: what no model is told of stays behind, what can't be read is shown as it is."""
    try:
        given = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return {"temperature": "", "max_tokens": "", "more": text}
    found = {name: value for name, value in given.items() if name in SENT and value is not None}
    own = {name: "" if name not in found else str(found.pop(name)) for name in ("temperature", "max_tokens")}
    return own | {"more": json.dumps(found, ensure_ascii=False) if found else ""}


def content_of(column: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of a version; Invalid names the field: 'columns[0].tools'."""
    rows = [
        Row(one["role"], one["content"], one["rest"])
        for one in column["messages"]
        if one["content"].strip() or one["rest"].strip()
    ]
    if not rows:
        raise Invalid(f"{where}.messages", "Choose a prompt, or write one here.")
    content: dict[str, Any] = {"format": column["syntax"] or PromptVersion.Format.JINJA.value}
    one = rows[0]
    if column["kind"] != PromptVersion.Type.CHAT and len(rows) == 1 and one.role == "user" and not one.rest:
        content |= {"type": PromptVersion.Type.TEXT.value, "template": one.content}
    else:
        content |= {"type": PromptVersion.Type.CHAT.value, "template": []}
        for place, row in enumerate(rows):
            try:
                content["template"].append(row.message)
            except ValidationError as problem:
                raise Invalid(f"{where}.messages[{place}]", problem.messages[0]) from None
    content["inputs"] = read_json(column["inputs"], f"{where}.inputs", list)
    content["tools"] = read_json(column["tools"], f"{where}.tools", list) or []
    content["response_format"] = read_json(column["format"], f"{where}.format", dict)
    return content


def read_json(text: str, where: str, kind: type) -> Any:
    if not text.strip():
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(where, f"No JSON: {error}"[:300]) from None
    if not isinstance(value, kind):
        raise Invalid(where, "Use a JSON list." if kind is list else "Use a JSON object.")
    return value
