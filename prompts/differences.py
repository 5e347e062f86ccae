"""What changed between two versions: words in a text, messages in a chat, keys in everything else."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from accounts.matching import Budget, Matcher, TooMuch
from prompts.alignment import aligned, role_of
from prompts.models import PromptVersion
from prompts.reading import texts_of

Op = Literal["equal", "insert", "delete"]
# Above this many pieces on both sides together words become lines, and lines one block, and so where they would take too long.
_MAX_PIECES = 6_000
# A word; two letters that make a flag; any other sign with all that is drawn over it or joined to it: no difference cuts one in two.
_MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u093c-\u094f\u20d0-\u20f0\ufe00-\ufe0f\U0001f3fb-\U0001f3ff"
)
_WORD = rf"\s+|(?:\w[{_MARKS}]*)+|[\U0001f1e6-\U0001f1ff]{{2}}|[^\w\s][{_MARKS}]*(?:\u200d[^\s][{_MARKS}]*)*"
_LINE = r"[^\n]*\n|[^\n]+"


@dataclass(frozen=True)
class Piece:
    """A stretch of text that is in both, only in the second (insert) or only in the first (delete)."""

    op: Op
    text: str


@dataclass(frozen=True)
class MessageChange:
    """A message: same, changed, added, removed or moved (the same, at another place). Numbers count from 1, None where it is not."""

    op: Literal["same", "changed", "added", "removed", "moved"]
    role_before: str | None
    role_after: str | None
    number_before: int | None
    number_after: int | None
    pieces: list[Piece]


@dataclass(frozen=True)
class KeyChange:
    """A value at a path such as 'stop[0]' or 'get_weather.parameters.properties.city.type': changed, added or removed."""

    key: str
    op: Literal["changed", "added", "removed"]
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class Difference:
    """All that differs between two versions."""

    messages: list[MessageChange]
    parameters: list[KeyChange]
    variables_added: list[str] = field(default_factory=list)
    variables_removed: list[str] = field(default_factory=list)
    inputs: list[KeyChange] = field(default_factory=list)
    tools: list[KeyChange] = field(default_factory=list)
    settings: list[KeyChange] = field(default_factory=list)  # format, model and the response format

    @property
    def same(self) -> bool:
        others = (self.parameters, self.inputs, self.tools, self.settings)
        return not any(others) and all(message.op == "same" for message in self.messages)


def compare(before: PromptVersion | None, after: PromptVersion, *, spaces: bool = True) -> Difference:
    """Everything that differs from one version to another; None: from nothing. spaces: whether white space counts."""
    variables = set(before.variables) if before else set()
    return Difference(
        messages=messages(before.messages if before else [], after.messages, spaces=spaces),
        parameters=keys(before.parameters if before else {}, after.parameters),
        variables_added=sorted(set(after.variables) - variables),
        variables_removed=sorted(variables - set(after.variables)),
        inputs=keys(_named(before.inputs if before else []), _named(after.inputs)),
        tools=keys(_named(before.tools if before else []), _named(after.tools)),
        settings=keys(_settings(before) if before else {}, _settings(after)),
    )


def _settings(version: PromptVersion) -> dict[str, Any]:
    shown = {"type": version.type, "format": version.format, "model": version.model}
    return {**shown, "response_format": version.response_format} if version.response_format is not None else shown


def _named(items: Sequence[Any] | None) -> dict[str, Any]:
    """A list of objects as an object of them by name; functions by the name that the model calls."""
    found: dict[str, Any] = {}
    for place, item in enumerate(items or []):
        value = item.get("function", item) if isinstance(item, Mapping) else item
        name = str(value.get("name") or place) if isinstance(value, Mapping) else str(place)
        found[name] = (
            {key: part for key, part in value.items() if key != "name"} if isinstance(value, Mapping) else value
        )
    return found


def words(before: str, after: str, *, spaces: bool = True, budget: Budget | None = None) -> list[Piece]:
    """The text's changes word by word. Without `spaces` a stretch of white space is like any other."""
    if before == after:
        return [Piece("equal", after)] if after else []
    budget = budget or Budget()
    for pattern in (_WORD, _LINE):
        first, second = _split(pattern, before), _split(pattern, after)
        if len(first) + len(second) > _MAX_PIECES:
            continue
        try:
            return _pieces(first, second, spaces, budget)
        except TooMuch:
            continue
    return _pieces([before], [after], spaces, Budget())


def _pieces(first: list[str], second: list[str], spaces: bool, budget: Budget) -> list[Piece]:
    one, other = (side if spaces else [" ".join(piece.split()) for piece in side] for side in (first, second))
    pieces: list[Piece] = []
    for tag, i1, i2, j1, j2 in Matcher(one, other, budget).get_opcodes():
        if tag == "equal":
            pieces.append(Piece("equal", "".join(second[j1:j2])))
            continue
        gone, come = "".join(first[i1:i2]), "".join(second[j1:j2])
        if not spaces and not gone.strip() and not come.strip():
            pieces.append(Piece("equal", come))
            continue
        if gone:
            pieces.append(Piece("delete", gone))
        if come:
            pieces.append(Piece("insert", come))
    return pieces


def _split(pattern: str, text: str) -> list[str]:
    return [match[0] for match in re.finditer(pattern, text)]


def messages(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], *, spaces: bool = True
) -> list[MessageChange]:
    """Messages matched up by role and content; one that stands alike at another place has moved."""
    budget = Budget()
    pairs = list(aligned(before, after, budget))
    gone = [i for i, j in pairs if i is not None and j is None]
    moved: dict[int, int] = {}
    for i, j in pairs:
        if i is None and j is not None:
            twin = next((one for one in gone if before[one] == after[j]), None)
            if twin is not None:
                gone.remove(twin)
                moved[j] = twin
    changes = []
    for i, j in pairs:
        if i is None and j in moved:
            changes.append(_pair(before, after, moved[j], j, spaces, budget, moved=True))
        elif j is not None or i in gone:
            changes.append(_pair(before, after, i, j, spaces, budget))
    return changes


def _pair(
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
    i: int | None,
    j: int | None,
    spaces: bool,
    budget: Budget,
    *,
    moved: bool = False,
) -> MessageChange:
    first, second = before[i] if i is not None else None, after[j] if j is not None else None
    pieces = words(*texts_of(first, second), spaces=spaces, budget=budget)
    op: Literal["same", "changed", "added", "removed", "moved"] = "changed"
    if first is None or second is None:
        op = "added" if first is None else "removed"
    elif moved:
        op = "moved"
    elif role_of(first) == role_of(second) and all(piece.op == "equal" for piece in pieces):
        op = "same"
    return MessageChange(
        op,
        role_before=role_of(first) if first else None,
        role_after=role_of(second) if second else None,
        number_before=i + 1 if i is not None else None,
        number_after=j + 1 if j is not None else None,
        pieces=pieces,
    )


def keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[KeyChange]:
    """What differs in two objects, by path: as deep as objects go, and in lists of the same length place by place."""
    return list(_keys("", before, after))


def _keys(path: str, before: Any, after: Any) -> Iterator[KeyChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted(before.keys() | after.keys()):
            inner = f"{path}.{key}" if path else str(key)
            if key not in after:
                yield KeyChange(inner, "removed", before=before[key])
            elif key not in before:
                yield KeyChange(inner, "added", after=after[key])
            else:
                yield from _keys(inner, before[key], after[key])
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _keys(f"{path}[{place}]", old, new)
    elif before != after or type(before) is not type(after):
        yield KeyChange(path, "changed", before=before, after=after)
