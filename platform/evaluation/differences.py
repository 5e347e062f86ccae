"""The difference of two short texts, character by character, for one line of a table. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

LONGEST = 2_000  # characters; beyond it the page shows the texts side by side without marks


@dataclass(frozen=True)
class Piece:
    """kind: 'same', 'missing' (expected, and not in the answer) or 'extra' (in the answer, and not expected)."""

    kind: str
    text: str


def pieces(expected: str, output: str) -> list[Piece]:
    """What turns the expected text into the answer, in reading order; empty when they are too long to compare."""
    expected, output = expected.strip(), output.strip()
    if len(expected) > LONGEST or len(output) > LONGEST:
        return []
    found: list[Piece] = []
    for tag, a, b, c, d in SequenceMatcher(None, expected, output, autojunk=False).get_opcodes():
        if tag == "equal":
            found.append(Piece("same", expected[a:b]))
            continue
        if b > a:
            found.append(Piece("missing", expected[a:b]))
        if d > c:
            found.append(Piece("extra", output[c:d]))
    return found
