"""Filling in a prompt on this machine: Jinja2 in its sandbox, mustache by our own renderer. Strict: nothing is silently empty."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from countersign.prompts import mustache

if TYPE_CHECKING:
    from countersign.prompts.prompt import Prompt

MAX_OUTPUT = 4 * 1024 * 1024
_STEPS = 200_000
_INCLUDED = "_included"
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "number": (int, float), "integer": (int,), "boolean": (bool,), "array": (list, tuple),
    "object": (dict,), "messages": (list,),
}  # fmt: skip


class RenderError(ValueError):
    """A value that is missing, unknown or of the wrong type, or a template that fails with these values."""


def render(prompt: Prompt, variables: Mapping[str, Any]) -> str | list[dict[str, Any]]:
    values = _checked(prompt, variables)
    job = _Job(prompt, values)
    if isinstance(prompt.template, str):
        return job.text(prompt.template, prompt.format, prompt.includes)
    messages: list[dict[str, Any]] = []
    for part in prompt.template:
        if part.get("type") == "placeholder":
            messages += _messages(part["name"], values)
        else:
            messages.append({name: job.anything(value) if name == "content" else value for name, value in part.items()})
    return messages


def _checked(prompt: Prompt, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the defaults of those that were not given."""
    declared = {str(row["name"]): row for row in _all_inputs(prompt)}
    for name, value in given.items():
        row = declared.get(name)
        if row is None:
            continue
        kind = str(row.get("type", "string"))
        kinds = _TYPES.get(kind, (object,))
        if not isinstance(value, kinds) or (isinstance(value, bool) and kind in ("number", "integer")):
            raise RenderError(f"'{name}' is of the type {kind}, not {type(value).__name__}.")
        if isinstance(row.get("enum"), list) and value not in row["enum"]:
            raise RenderError(f"'{name}' is one of {', '.join(map(repr, row['enum']))}, not {value!r}.")
    defaults = {name: row["default"] for name, row in declared.items() if "default" in row}
    missing = [
        name
        for name, row in declared.items()
        if name not in given and name not in defaults and row.get("required", True) is not False
    ]
    if missing:
        raise RenderError(f"{prompt.address} needs a value for {', '.join(missing)}.")
    return {**defaults, **given}


def _all_inputs(prompt: Prompt) -> list[dict[str, Any]]:
    found = {str(row.get("name")): row for text in prompt.included.values() for row in text.get("inputs") or []}
    found |= {str(row.get("name")): row for row in prompt.inputs}
    return list(found.values())


def _messages(name: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    value = values.get(name)
    if not isinstance(value, list) or not all(isinstance(one, dict) and "role" in one for one in value):
        raise RenderError(f"Give the messages that stand for '{name}': a list of {{'role', 'content'}}.")
    return [dict(one) for one in value]


class _Job:
    """One rendering: what is included is filled in once, with the values of the call."""

    def __init__(self, prompt: Prompt, values: Mapping[str, Any]) -> None:
        self._prompt, self.values = prompt, values
        self._done: dict[str, str] = {}
        self.includes: Mapping[str, str] = {}

    def anything(self, value: Any) -> Any:
        """A message's content: a text, or parts of which some are texts."""
        prompt = self._prompt
        if isinstance(value, str):
            return self.text(value, prompt.format, prompt.includes)
        if isinstance(value, list):
            return [self.anything(one) for one in value]
        if isinstance(value, dict):
            return {name: self.anything(one) if name != "type" else one for name, one in value.items()}
        return value

    def included(self, written: str) -> str:
        key = self.includes.get(written.strip())
        found = self._prompt.included.get(key or "")
        if key is None or found is None:
            raise RenderError(f"{self._prompt.address} includes '{written}', which was not fetched with it.")
        if key not in self._done:
            self._done[key] = self.text(found["template"], found["format"], found.get("includes") or {})
        return self._done[key]

    def text(self, source: str, form: str, includes: Mapping[str, str]) -> str:
        before, self.includes = self.includes, includes
        try:
            text = self._mustache(source) if form == "mustache" else self._jinja(source)
        finally:
            self.includes = before
        if len(text) > MAX_OUTPUT:
            raise RenderError(f"The text is longer than {MAX_OUTPUT:,} characters.")
        return text

    def _mustache(self, source: str) -> str:
        try:
            return "".join(mustache.Renderer(self.values, self.included, _STEPS).render(mustache.parse(source)))
        except (mustache.Missing, mustache.MustacheProblem) as error:
            raise RenderError(f"{self._prompt.address}: {error}") from error

    def _jinja(self, source: str) -> str:
        compiled = _compiled(source)
        token = _NOW.set(self)
        try:
            return str(compiled.render(self.values))
        except RenderError:
            raise
        except Exception as error:  # whatever a template can do wrong
            raise RenderError(f"{self._prompt.address}: {error or type(error).__name__}") from error
        finally:
            _NOW.reset(token)


_NOW: ContextVar[_Job] = ContextVar("what is being rendered")


def _include(written: str) -> str:
    return _NOW.get().included(written)


@lru_cache(maxsize=1)
def _environment() -> Any:
    try:
        from jinja2 import StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError:
        raise RenderError("Jinja2 is not installed: pip install 'countersign-client[prompts]'.") from None
    made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    made.filters[_INCLUDED] = _include
    return made


@lru_cache(maxsize=512)
def _compiled(source: str) -> Any:
    """The template, `{% include %}` of it turned into the other prompt's text, which sees the values of the call alone."""
    from jinja2 import TemplateError, nodes

    environment = _environment()
    try:
        tree = environment.parse(source)
    except TemplateError as error:
        raise RenderError(f"The template can't be read: {error}") from error

    def replaced(node: Any) -> Any:
        if isinstance(node, nodes.Include):
            text = nodes.Filter(node.template, _INCLUDED, [], [], None, None, lineno=node.lineno)
            return nodes.Output([text], lineno=node.lineno)
        for name, value in node.iter_fields():
            if isinstance(value, list):
                setattr(node, name, [replaced(one) if isinstance(one, nodes.Node) else one for one in value])
            elif isinstance(value, nodes.Node):
                replaced(value)
        return node

    return environment.from_string(replaced(tree))
