"""Mustache for prompts: a strict parser with line and column, and a renderer that escapes nothing.

It imports the standard library only, since the sandbox's own process loads it too. What differs from the specification: a
name that is not there is an error instead of nothing; sections, inverted sections and values that are lists or objects write
JSON; a partial is another prompt, whose text is put in place exactly; it sees the variables of the call, not those of a section.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_NAME = re.compile(r"[^\W\d][\w-]*(?:\.[\w-]+)*|\.")
MAX_DEPTH = 20
# How often sections may be entered in one rendering; where they nest, lists multiply.
MAX_STEPS = 200_000
# With delimiters of its own a template has many more than there are braces in it.
MAX_TAGS, MAX_INCLUDES = 5_000, 100


class MustacheProblem(Exception):
    """A template that can't be read; `offset` counts characters from 0."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message, self.offset = message, offset


class Missing(Exception):
    """A name that has no value where it stands."""

    def __init__(self, name: str, offset: int) -> None:
        super().__init__(f"'{name}' is undefined")
        self.name, self.offset = name, offset


@dataclass
class Node:
    """kind: text, value, section, inverted or include. `value`: the text, or the name."""

    kind: str
    value: str
    offset: int
    children: list["Node"] = field(default_factory=list)


@dataclass
class _Tag:
    sign: str
    name: str
    start: int  # of the braces
    end: int
    at: int  # of the name


def parse(source: str) -> list[Node]:
    """The template as a tree. Raises MustacheProblem."""
    root: list[Node] = []
    open_nodes: list[tuple[Node, list[Node]]] = []
    now, position = root, 0
    tags = includes = 0
    for tag in _tags(source):
        tags, includes = tags + 1, includes + (tag.sign == ">")
        if tags > MAX_TAGS or includes > MAX_INCLUDES:
            raise MustacheProblem(f"at most {MAX_TAGS:,} tags and {MAX_INCLUDES} includes", tag.start)
        if tag.start > position:
            now.append(Node("text", source[position : tag.start], position))
        position = tag.end
        if tag.sign in ("", "&", "{"):
            now.append(Node("value", tag.name, tag.at))
        elif tag.sign == ">":
            now.append(Node("include", tag.name, tag.at))
        elif tag.sign in "#^":
            node = Node("section" if tag.sign == "#" else "inverted", tag.name, tag.at)
            if len(open_nodes) >= MAX_DEPTH:
                raise MustacheProblem("it is nested too deeply", tag.start)
            now.append(node)
            open_nodes.append((node, now))
            now = node.children
        elif tag.sign == "/":
            if not open_nodes:
                raise MustacheProblem(f"'{tag.name}' is closed here and was not opened", tag.at)
            node, before = open_nodes.pop()
            if node.value != tag.name:
                raise MustacheProblem(f"'{node.value}' is open here: close it before '{tag.name}'", tag.at)
            now = before
    if open_nodes:
        node = open_nodes[-1][0]
        sign = "#" if node.kind == "section" else "^"
        raise MustacheProblem(f"'{{{{{sign}{node.value}}}}}' is not closed: add '{{{{/{node.value}}}}}'", node.offset)
    if position < len(source):
        now.append(Node("text", source[position:], position))
    return root


def _tags(source: str) -> Iterator[_Tag]:
    """The tags in order; one that stands alone on its line takes the line with it (not values, not includes)."""
    begin, close = "{{", "}}"
    position = 0
    while (start := source.find(begin, position)) >= 0:
        inside = start + len(begin)
        sign = source[inside : inside + 1]
        triple = sign == "{" and begin == "{{"
        ending = {True: "}}}", False: f"={close}" if sign == "=" else close}[triple]
        end = source.find(ending, inside + 1 if sign in ("=", "{") else inside)
        if end < 0:
            raise MustacheProblem(f"a tag is not closed: '{ending}' is missing", start)
        if sign not in ("#", "^", "/", ">", "!", "=", "&", "{", "<", "$") or (sign == "{" and not triple):
            sign = ""
        body = source[inside + len(sign) : end]
        after = end + len(ending)
        if sign in ("<", "$"):
            raise MustacheProblem(
                "inheritance is not part of prompts: include a prompt with '{{> name@label}}'", inside
            )
        if sign == "=":
            words = body.split()
            if len(words) != 2 or any("=" in word for word in words):
                raise MustacheProblem("new delimiters are two words without '=', as in {{=<% %>=}}", inside)
            begin, close = words
        name = body.strip()
        at = inside + len(sign) + (len(body) - len(body.lstrip()))
        if sign not in ("!", "="):
            _check_name(sign, name, at)
        if sign and sign in "#^/!=":
            start, after = _whole_line(source, start, after, position)
        if sign not in ("!", "="):
            yield _Tag(sign, name, start, after, at)
        else:
            yield _Tag("!", "", start, after, at)  # gives nothing, and takes its place
        position = after


def _check_name(sign: str, name: str, at: int) -> None:
    if not name:
        raise MustacheProblem("a tag without a name: write {{name}}", at)
    if sign == ">":
        if "\n" in name:
            raise MustacheProblem("the name of an included prompt stands on one line", at)
        return
    found = _NAME.match(name)
    if not found or found.end() < len(name):
        wrong = found.end() if found else 0
        said = f"unexpected '{name[wrong]}' in a name: letters, digits, '_', '-', and '.' between parts"
        raise MustacheProblem(said, at + wrong)


def _whole_line(source: str, start: int, end: int, position: int) -> tuple[int, int]:
    first = start
    while first > position and source[first - 1] in " \t":
        first -= 1
    last = end
    while last < len(source) and source[last] in " \t":
        last += 1
    begins = first == 0 or source[first - 1] == "\n"
    if not begins or (last < len(source) and source[last] not in "\r\n"):
        return start, end
    if source.startswith("\r\n", last):
        return first, last + 2
    return first, min(last + 1, len(source))


class Renderer:
    """Fills in one call's variables. `include(written, offset)` gives the text of another prompt."""

    def __init__(self, variables: Mapping[str, Any], include: Callable[[str], str], limit: int) -> None:
        self.variables, self.include, self.limit = variables, include, limit
        self.steps = 0

    def render(self, nodes: Sequence[Node]) -> Iterator[str]:
        yield from self._render(nodes, [self.variables])

    def _render(self, nodes: Sequence[Node], stack: list[Any]) -> Iterator[str]:
        for node in nodes:
            if node.kind == "text":
                yield node.value
            elif node.kind == "include":
                yield self.include(node.value)
            elif node.kind == "value":
                found, value = _look_up(node.value, stack)
                if not found:
                    raise Missing(node.value, node.offset)
                yield written(value)
            else:
                yield from self._section(node, stack)

    def _section(self, node: Node, stack: list[Any]) -> Iterator[str]:
        _, value = _look_up(node.value, stack)
        empty = value is None or value is False or value in ("", 0) or (isinstance(value, list | dict) and not value)
        if node.kind == "inverted":
            if empty:
                yield from self._render(node.children, stack)
            return
        if empty:
            return
        for item in value if isinstance(value, list) else [value]:
            self.steps += 1
            if self.steps > self.limit:
                raise OverflowError(f"its sections are entered more than {self.limit:,} times")
            yield from self._render(node.children, [*stack, item])


def _look_up(name: str, stack: Sequence[Any]) -> tuple[bool, Any]:
    if name == ".":
        return len(stack) > 1, stack[-1]
    first, *rest = name.split(".")
    for level in reversed(stack):
        if isinstance(level, Mapping) and first in level:
            value = level[first]
            for part in rest:
                if not isinstance(value, Mapping) or part not in value:
                    return False, None
                value = value[part]
            return True, value
    return False, None


def written(value: Any) -> str:
    """A value as text: as it is, or as JSON."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
