"""What turns one text into another, for a cell of a table: by the character where they are short answers, by the word otherwise. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from accounts.matching import Budget, Matcher, TooMuch

LONGEST = 2_000  # characters, or words; beyond it the page shows the texts side by side without marks
STEPS = 2_000_000  # of one comparison: a page holds many
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True)
class Piece:
    """kind: 'same', 'missing' (in the first alone) or 'extra' (in the second alone)."""

    kind: str
    text: str


def pieces(expected: str, output: str) -> list[Piece]:
    """By the character, in reading order, without space around them; empty when they are too long to compare."""
    return _compared(expected.strip(), output.strip())


def word_pieces(before: str, after: str) -> list[Piece]:
    """By the word, in reading order; empty when they are too long to compare."""
    return _compared(_WORDS.findall(before), _WORDS.findall(after))


def _compared(one: Sequence[str], other: Sequence[str]) -> list[Piece]:
    if len(one) > LONGEST or len(other) > LONGEST:
        return []
    try:
        codes = Matcher(one, other, Budget(STEPS)).get_opcodes()
    except TooMuch:
        return []
    found: list[Piece] = []
    for tag, a, b, c, d in codes:
        if tag == "equal":
            found.append(Piece("same", "".join(one[a:b])))
            continue
        if b > a:
            found.append(Piece("missing", "".join(one[a:b])))
        if d > c:
            found.append(Piece("extra", "".join(other[c:d])))
    return found
