"""The texts inside a template: one of a text prompt; of a chat those of its messages' contents. Everything else is kept as it is."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prompts.findings import MAX_BYTES, Findings, said, text_problem
from prompts.inputs import MAX_NAME

ROLES = ("system", "developer", "user", "assistant", "tool")
MAX_MESSAGES = 200
PLACEHOLDER = "placeholder"
EXAMPLE = '[{"role": "user", "content": "…"}]'


@dataclass(frozen=True)
class Part:
    """One text: `field` is where it stands, such as template[2].content or template[2].content[0].text."""

    field: str
    text: str


def is_placeholder(message: Any) -> bool:
    return isinstance(message, dict) and message.get("type") == PLACEHOLDER


def placeholders_of(template: Any) -> list[str]:
    """The names of the placeholders for messages, in their order."""
    rows = template if isinstance(template, list) else []
    return [m["name"] for m in rows if is_placeholder(m) and isinstance(m.get("name"), str)]


def parts_of(template: Any) -> list[Part]:
    """The texts of a template that is well formed; of another one those that are."""
    if isinstance(template, str):
        return [Part("template", template)]
    return [Part(field, container[key]) for field, container, key in _places(template)]


def _places(template: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    for index, message in enumerate(template if isinstance(template, list) else []):
        if not isinstance(message, dict) or is_placeholder(message):
            continue
        content = message.get("content")
        if isinstance(content, str):
            yield f"template[{index}].content", message, "content"
        for number, piece in enumerate(content if isinstance(content, list) else []):
            where = f"template[{index}].content[{number}]"
            if not isinstance(piece, dict):
                continue
            if isinstance(piece.get("text"), str):
                yield f"{where}.text", piece, "text"
            image = piece.get("image_url")
            if isinstance(image, dict) and isinstance(image.get("url"), str):
                yield f"{where}.image_url.url", image, "url"


def filled(
    template: Any, texts: Sequence[str], messages: Mapping[str, list[dict[str, Any]]]
) -> str | list[dict[str, Any]]:
    """The template with each text replaced, in the order of parts_of, and each placeholder by its messages, which are kept as they are."""
    if isinstance(template, str):
        return texts[0]
    made = copy.deepcopy(template)
    for (_, container, key), text in zip(list(_places(made)), texts, strict=True):
        container[key] = text
    found: list[dict[str, Any]] = []
    for message in made:
        found += messages.get(message["name"], []) if is_placeholder(message) else [message]
    return found


def check(kind: str, template: Any, findings: Findings) -> bool:
    """Is this the shape of a template of this type? What is not goes to `findings`."""
    before = len(findings.errors)
    if kind == "text":
        if not isinstance(template, str):
            findings.add("template", "A text prompt's template is a string; for messages use the type 'chat'.")
            return False
    elif not isinstance(template, list) or not template:
        findings.add("template", f"A chat prompt's template is a list of messages: {EXAMPLE}.")
        return False
    elif len(template) > MAX_MESSAGES:
        findings.add("template", f"At most {MAX_MESSAGES} messages, here {len(template)}.")
        return False
    else:
        for index, message in enumerate(template):
            _check_message(f"template[{index}]", message, findings)
    if len(findings.errors) > before:
        return False
    texts = parts_of(template)
    if not placeholders_of(template) and not any(part.text.strip() for part in texts):
        findings.add(texts[0].field if texts else "template", "Write the prompt.")
        return False
    findings.size = sum(len(part.text.encode("utf-8", "surrogatepass")) for part in texts)
    if findings.size > MAX_BYTES:
        findings.add("template", f"At most {MAX_BYTES:,} bytes, here {findings.size:,}. Pass long texts as variables.")
        return False
    for part in texts:
        if wrong := text_problem(part.text):
            findings.add(part.field, wrong)
    return len(findings.errors) == before


def _check_message(where: str, message: Any, findings: Findings) -> None:
    if is_placeholder(message):
        name = message.get("name")
        if not isinstance(name, str) or not name.isidentifier() or len(name) > MAX_NAME:
            findings.add(f"{where}.name", f"A placeholder has a name of letters, digits and '_', not {said(name)}.")
        return
    if not isinstance(message, dict) or "role" not in message:
        findings.add(
            where, 'A message has "role" and "content"; a placeholder {"type": "placeholder", "name": "history"}.'
        )
        return
    if message["role"] not in ROLES:
        findings.add(f"{where}.role", f"Use one of {', '.join(ROLES)}.")
    content = message.get("content")
    if content is None:
        if not message.get("tool_calls"):
            findings.add(
                f"{where}" if "content" not in message else f"{where}.content", 'A message has "content": text.'
            )
    elif isinstance(content, list):
        _check_pieces(f"{where}.content", content, findings)
    elif not isinstance(content, str):
        findings.add(f"{where}.content", f"Content is text or a list of parts, not {said(content)}.")
    if not isinstance(message.get("tool_calls", []), list | None):
        findings.add(f"{where}.tool_calls", f"Tool calls are a list, not {said(message['tool_calls'])}.")


def _check_pieces(where: str, content: list[Any], findings: Findings) -> None:
    if not content:
        findings.add(where, 'A list of parts has one at least: {"type": "text", "text": "…"}.')
    for number, piece in enumerate(content):
        if not isinstance(piece, dict) or not isinstance(piece.get("type"), str):
            findings.add(f"{where}[{number}]", 'A part is an object with a type: {"type": "text", "text": "…"}.')
        elif piece["type"] == "text" and not isinstance(piece.get("text"), str):
            findings.add(f"{where}[{number}].text", "A part of the type text has a text.")
        elif piece["type"] == "image_url" and not isinstance((piece.get("image_url") or {}), dict):
            findings.add(f"{where}[{number}].image_url", 'This is an object: {"url": "data:image/png;base64,…"}.')
