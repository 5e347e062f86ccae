"""The difference of two answers, word by word. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

LONGEST = 3_000  # words; beyond it texts stand side by side without marks
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True)
class Piece:
    """kind: 'same', 'missing' (in the first alone) or 'extra' (in the second alone)."""

    kind: str
    text: str


def pieces(before: str, after: str) -> list[Piece]:
    """What turns the one into the other, in reading order; empty when they are too long to compare."""
    one, two = _WORDS.findall(before), _WORDS.findall(after)
    if len(one) > LONGEST or len(two) > LONGEST:
        return []
    found: list[Piece] = []
    for tag, a, b, c, d in SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        if tag == "equal":
            found.append(Piece("same", "".join(one[a:b])))
            continue
        if b > a:
            found.append(Piece("missing", "".join(one[a:b])))
        if d > c:
            found.append(Piece("extra", "".join(two[c:d])))
    return found
