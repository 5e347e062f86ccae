"""What changed between two versions: words in a text, messages in a chat, keys in the parameters."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Literal

from prompts.models import PromptVersion

Op = Literal["equal", "insert", "delete"]
# Above this many pieces on both sides together words become lines, and lines one block: the comparison is quadratic.
_MAX_PIECES = 6_000


@dataclass(frozen=True)
class Piece:
    """A stretch of text that is in both, only in the second (insert) or only in the first (delete)."""

    op: Op
    text: str


@dataclass(frozen=True)
class MessageChange:
    """A message: same, changed, added or removed. Numbers count from 1, None where it is not."""

    op: Literal["same", "changed", "added", "removed"]
    role_before: str | None
    role_after: str | None
    number_before: int | None
    number_after: int | None
    pieces: list[Piece]


@dataclass(frozen=True)
class KeyChange:
    """A parameter: changed, added or removed."""

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

    @property
    def same(self) -> bool:
        return not self.parameters and all(message.op == "same" for message in self.messages)


def compare(before: PromptVersion, after: PromptVersion) -> Difference:
    """Everything that differs from one version to another."""
    return Difference(
        messages=messages(before.messages, after.messages),
        parameters=keys(before.parameters, after.parameters),
        variables_added=sorted(set(after.variables) - set(before.variables)),
        variables_removed=sorted(set(before.variables) - set(after.variables)),
    )


def words(before: str, after: str) -> list[Piece]:
    """The text's changes word by word."""
    if before == after:
        return [Piece("equal", after)] if after else []
    for pattern in (r"\s+|\w+|[^\w\s]", r"[^\n]*\n|[^\n]+"):
        first, second = re.findall(pattern, before), re.findall(pattern, after)
        if len(first) + len(second) <= _MAX_PIECES:
            break
    else:
        first, second = [before], [after]
    pieces: list[Piece] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(Piece("equal", "".join(second[j1:j2])))
            continue
        if i2 > i1:
            pieces.append(Piece("delete", "".join(first[i1:i2])))
        if j2 > j1:
            pieces.append(Piece("insert", "".join(second[j1:j2])))
    return pieces


def messages(before: Sequence[Mapping[str, str]], after: Sequence[Mapping[str, str]]) -> list[MessageChange]:
    """Messages matched up by role and content; one that stands where another of its role stood is that one, changed."""
    first = [(message["role"], message["content"]) for message in before]
    second = [(message["role"], message["content"]) for message in after]
    changes: list[MessageChange] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if tag == "equal":
            changes += [_pair(first, second, i1 + step, j1 + step) for step in range(i2 - i1)]
            continue
        left = list(range(i1, i2))
        for j in range(j1, j2):
            twin = next((i for i in left if first[i][0] == second[j][0]), None)
            if twin is None:
                changes.append(_pair(first, second, None, j))
                continue
            while left[0] <= twin:
                gone = left.pop(0)
                changes.append(_pair(first, second, gone, j if gone == twin else None))
                if not left:
                    break
        changes += [_pair(first, second, i, None) for i in left]
    return changes


def _pair(
    first: Sequence[tuple[str, str]], second: Sequence[tuple[str, str]], i: int | None, j: int | None
) -> MessageChange:
    before = first[i] if i is not None else None
    after = second[j] if j is not None else None
    op: Literal["same", "changed", "added", "removed"]
    if before is None:
        op = "added"
    elif after is None:
        op = "removed"
    else:
        op = "same" if before == after else "changed"
    return MessageChange(
        op,
        role_before=before[0] if before else None,
        role_after=after[0] if after else None,
        number_before=i + 1 if i is not None else None,
        number_after=j + 1 if j is not None else None,
        pieces=words(before[1] if before else "", after[1] if after else ""),
    )


def keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[KeyChange]:
    """What differs in two objects, by key."""
    changes: list[KeyChange] = []
    for key in sorted(before.keys() | after.keys()):
        if key not in after:
            changes.append(KeyChange(key, "removed", before=before[key]))
        elif key not in before:
            changes.append(KeyChange(key, "added", after=after[key]))
        elif before[key] != after[key]:
            changes.append(KeyChange(key, "changed", before=before[key], after=after[key]))
    return changes
