"""Chat templates: Jinja that every library renders with each request, some of them without a sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from registry.scanners.samples import NOTE, UNSAFE, Finding, Sample

_KEY = b"tokenizer.chat_template"
_MOST = 4 << 20
_PLAIN = "Write the template without it: messages, loops and text are all that a chat needs."
_ENVIRONMENT = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do"])
_TAGS = {"generation", "endgeneration"}


def find(sample: Sample) -> Iterator[Finding]:
    for name, source in _templates(sample):
        yield from _look(name, source)


def _templates(sample: Sample) -> Iterator[tuple[str, str]]:
    if sample.form == "template":
        if (text := sample.text(_MOST)) is not None:
            yield "", text
    elif sample.form == "json" and "chat_template" in (text := sample.text() or ""):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return
        found = value.get("chat_template") if isinstance(value, dict) else None
        yield from _named(found)
    elif sample.form == "gguf":
        yield from _in_gguf(sample)


def _named(found: Any) -> Iterator[tuple[str, str]]:
    if isinstance(found, str):
        yield "", found
    elif isinstance(found, dict):
        yield from ((str(name), text) for name, text in found.items() if isinstance(text, str))
    elif isinstance(found, list):
        for entry in found:
            if isinstance(entry, dict) and isinstance(entry.get("template"), str):
                yield str(entry.get("name", "")), entry["template"]


def _in_gguf(sample: Sample) -> Iterator[tuple[str, str]]:
    """By its key: a length, the key, the type of a text (8), its length, the text."""
    for offset, block in sample.windows():
        if offset > 256 << 20:
            return  # the header lies before the tensors
        at = block.find(_KEY)
        while at >= 0:
            place = offset + at + len(_KEY)
            kind, length = sample.read(place, 4), int.from_bytes(sample.read(place + 4, 8), "little")
            if kind == (8).to_bytes(4, "little") and length <= _MOST:
                yield "", sample.read(place + 12, length).decode("utf-8", "replace")
                return
            at = block.find(_KEY, at + 1)


def _look(name: str, source: str) -> Iterator[Finding]:
    where = f"The chat template '{name}'" if name else "The chat template"
    try:
        tree = _ENVIRONMENT.parse(source)
    except TemplateSyntaxError as error:
        if not any(tag in source for tag in _TAGS):
            yield Finding(NOTE, "template", f"{where} does not parse: {error.message}", line=error.lineno)
        return
    except RecursionError:
        yield Finding(UNSAFE, "template", f"{where} is nested too deeply to be read.", _PLAIN)
        return
    told: set[str] = set()
    for line, text in _reaching_out(tree):
        if text not in told and len(told) < 20:
            told.add(text)
            yield Finding(UNSAFE, "template", f"{where} {text}", _PLAIN, line=line)


def _reaching_out(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    """(line, what it does) of everything that a template needs only to get at Python."""
    for node in tree.find_all(
        (nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
    ):
        if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
            yield node.lineno, f"reaches for '{node.attr[:60]}', by which Python's insides are got at."
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
            if isinstance(node.arg.value, str) and node.arg.value.startswith("__"):
                yield node.lineno, f"reaches for '{node.arg.value[:60]}', by which Python's insides are got at."
        elif isinstance(node, nodes.Filter) and node.name == "attr":
            yield node.lineno, "uses the filter 'attr', by which names are got at that a sandbox looks for."
        elif isinstance(node, nodes.Include | nodes.Import | nodes.FromImport | nodes.Extends):
            yield node.lineno, f"loads another template ({type(node).__name__.lower()})."
