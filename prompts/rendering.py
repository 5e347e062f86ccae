"""Rendering a prompt with variables: bounded in time, memory and length, every wrong name named."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from accounts.errors import Invalid, Unavailable
from prompts import sandbox, syntax
from prompts.sandbox import RenderFailed

Template = str | list[dict[str, str]]
TIMEOUT_S = 10.0
MAX_VARIABLES = 1024 * 1024  # characters of JSON
# Templates that only fill in values are rendered in this process while text times values stays below this.
_CHEAP_WORK = 10**8


def render(template: Template, variables: Mapping[str, Any]) -> Template:
    """The template's text, or its messages, with the variables filled in. Raises Invalid, naming fields `variables.NAME` or `template`."""
    sources = [template] if isinstance(template, str) else [message["content"] for message in template]
    try:
        read = [syntax.read(source) for source in sources]
    except syntax.SyntaxProblem as problem:  # cannot happen to a stored version, only to a text being edited
        raise Invalid("template", str(problem)) from None
    known = frozenset[str]().union(*(part.variables for part in read))
    needed = frozenset[str]().union(*(part.needed for part in read))
    _check_names(known, variables)
    try:
        values = json.dumps(dict(variables))
    except (TypeError, ValueError):
        raise Invalid("variables", "Values are JSON: text, numbers, true, false, null, lists and objects.") from None
    if len(values) > MAX_VARIABLES:
        raise Invalid("variables", f"At most {MAX_VARIABLES:,} characters of JSON, here {len(values):,}.")
    try:
        if all(part.cheap for part in read) and len(values) * sum(map(len, sources)) < _CHEAP_WORK:
            texts = sandbox.render_here(sources, variables)
        else:
            texts = _render_apart(sources, values)
    except RenderFailed as failed:
        raise _explained(failed, template, needed - variables.keys()) from None
    if isinstance(template, str):
        return texts[0]
    return [{**message, "content": text} for message, text in zip(template, texts, strict=True)]


def _check_names(known: frozenset[str], variables: Mapping[str, Any]) -> None:
    unknown = sorted(set(variables) - known)
    if unknown:
        has = f"It has: {', '.join(sorted(known))}." if known else "It has none."
        raise _named({f"variables.{name}": f"This prompt has no variable '{name}'. {has}" for name in unknown})


def _named(errors: Mapping[str, str]) -> Invalid:
    problem = Invalid("variables", " ".join(errors.values()))
    problem.errors = {field: [text] for field, text in errors.items()}
    return problem


def _explained(failed: RenderFailed, template: Template, missing: frozenset[str]) -> Invalid:
    """The failure in the words and at the field that its cause has."""
    where = "template" if isinstance(template, str) else f"template[{failed.index}].content"
    if failed.kind == "undefined" and missing:
        return _named({f"variables.{name}": f"Give a value for '{name}'." for name in sorted(missing)})
    line = f"line {failed.line}: " if failed.line else ""
    return Invalid(where, f"{line}{failed.message}")


def _render_apart(sources: Sequence[str], values: str) -> list[str]:
    """Render in a process of its own, which the kernel ends when it takes too long."""
    too_long = RenderFailed("template", 0, None, f"The template computes for longer than {sandbox.CPU_S} s.")
    job = f'{{"sources": {json.dumps(list(sources))}, "variables": {values}}}'
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(Path(sandbox.__file__))],
            input=job,
            capture_output=True,
            encoding="utf-8",
            env={"PYTHONUTF8": "1"},
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise too_long from None
    except OSError as error:
        raise Unavailable(f"No process to render in could be started: {error.strerror}. Try again.") from error
    if done.returncode < 0:
        raise too_long
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise RenderFailed("template", 0, None, "It needs more memory than a template may have.") from None
    if failure := answer.get("error"):
        raise RenderFailed(**failure)
    texts: list[str] = answer["texts"]
    return texts
