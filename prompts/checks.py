"""What a version's template, parameters and labels must be; Invalid names the field and the remedy."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import rfc8785

from accounts.errors import Invalid, TooLarge
from accounts.models import NAME_HELP, NAME_PATTERN
from governance.digests import digest_of
from prompts import syntax
from prompts.models import PromptVersion

ROLES = ("system", "developer", "user", "assistant", "tool")
MAX_BYTES = 1024 * 1024
MAX_MESSAGES = 200
MAX_NAME = 200
LATEST = "latest"


def check_template(kind: str, template: Any) -> list[str]:
    """Raise unless this is a template of this type; returns its variables, sorted."""
    if kind not in set(PromptVersion.Type):
        raise Invalid("type", f"Use {' or '.join(PromptVersion.Type)}.")
    if kind == PromptVersion.Type.TEXT:
        if not isinstance(template, str):
            raise Invalid("template", "A text prompt's template is a string; for messages use the type 'chat'.")
        parts = [("template", template)]
    else:
        parts = [(f"template[{index}].content", text) for index, text in enumerate(_contents(template))]
    if not any(text.strip() for _, text in parts):
        raise Invalid(parts[0][0], "Write the prompt.")
    size = sum(len(text.encode("utf-8", "surrogatepass")) for _, text in parts)
    if size > MAX_BYTES:
        raise TooLarge(
            f"A prompt is at most {MAX_BYTES:,} bytes; this one has {size:,}.",
            errors={"template": [f"At most {MAX_BYTES:,} bytes, here {size:,}. Pass long texts as variables."]},
        )
    variables: set[str] = set()
    for field, text in parts:
        _check_text(field, text)
        try:
            variables |= syntax.read(text).variables
        except syntax.SyntaxProblem as problem:
            raise Invalid(field, str(problem), code="template_error") from None
        if long := next((name for name in variables if len(name) > MAX_NAME), None):
            raise Invalid(
                field, f"A variable's name has at most {MAX_NAME} characters: '{long[:40]}…' has {len(long)}."
            )
    return sorted(variables)


def _contents(template: Any) -> Sequence[str]:
    if not isinstance(template, list) or not template:
        raise Invalid(
            "template", 'A chat prompt\'s template is a list of messages: [{"role": "user", "content": "…"}].'
        )
    if len(template) > MAX_MESSAGES:
        raise Invalid("template", f"At most {MAX_MESSAGES} messages, here {len(template)}.")
    for index, message in enumerate(template):
        if not isinstance(message, dict) or set(message) != {"role", "content"}:
            raise Invalid(f"template[{index}]", 'A message has exactly "role" and "content".')
        if message["role"] not in ROLES:
            raise Invalid(f"template[{index}].role", f"Use one of {', '.join(ROLES)}.")
        if not isinstance(message["content"], str):
            raise Invalid(f"template[{index}].content", "Content is a string.")
    return [message["content"] for message in template]


def _check_text(field: str, text: str) -> None:
    """PostgreSQL keeps neither NUL nor half a surrogate pair."""
    if "\x00" in text:
        raise Invalid(field, "Take out the NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid(field, "This holds half of a character (a lone surrogate): write the whole one.") from None


def check_parameters(parameters: Any) -> dict[str, Any]:
    """Raise unless these are model parameters: a JSON object that survives storing."""
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise Invalid("parameters", 'Parameters are a JSON object, such as {"temperature": 0}.')
    try:
        canonical = rfc8785.dumps(parameters)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise Invalid("parameters", f"This can't be kept exactly: {error}") from None
    if len(canonical) > MAX_BYTES:
        raise Invalid("parameters", f"At most {MAX_BYTES:,} bytes, here {len(canonical):,}.")
    if b"\\u0000" in canonical:
        raise Invalid("parameters", "Take out the NUL character.")
    return parameters


def check_label(label: str) -> None:
    """Raise for a name that a label can't have."""
    if label == LATEST:
        raise Invalid("label", "'latest' is always the newest version and can't be moved.")
    if not re.fullmatch(NAME_PATTERN, label):
        raise Invalid("label", NAME_HELP)
    if label.isdecimal():
        raise Invalid("label", "A label of digits only would look like a version's number. Add a letter.")


def check_note(field: str, text: str, limit: int = 2_000) -> str:
    """A message, reason or description, without the space around it."""
    text = text.strip()
    if len(text) > limit:
        raise Invalid(field, f"At most {limit:,} characters, here {len(text):,}.")
    _check_text(field, text)
    return text


@dataclass(frozen=True)
class Content:
    """What a version says, checked: the fields of its row, and what follows from them."""

    fields: dict[str, Any]
    variables: list[str]

    @property
    def digest(self) -> str:
        """What an approval of a version binds to."""
        return digest_of(self.fields)


def check_content(
    *,
    type: str,
    template: Any,
    format: str = PromptVersion.Format.JINJA,
    inputs: Any = None,
    tools: Any = None,
    response_format: Any = None,
    model: str = "",
    parameters: Any = None,
) -> Content:
    """Raise Invalid, naming the field, unless this is what a version may say."""
    variables = check_template(type, template)
    fields = {
        "type": str(type),
        "format": str(format),
        "template": template,
        "inputs": inputs or [],
        "tools": tools or [],
        "response_format": response_format,
        "model": model,
        "parameters": check_parameters(parameters),
    }
    return Content(fields, variables)
