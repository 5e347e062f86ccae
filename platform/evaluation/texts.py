"""Comparing an answer with what was expected. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """`edits`: fewest characters to insert, delete or replace; `reference`: characters of the expected text."""

    correct: bool
    edits: int
    reference: int

    def as_json(self) -> dict[str, int]:
        return {"exact_match": int(self.correct), "edits": self.edits, "reference": self.reference}


def score(output: str, expected: str) -> Score:
    """Compare; white space around either text counts for nothing."""
    output, expected = output.strip(), expected.strip()
    return Score(output == expected, levenshtein(output, expected), len(expected))


def score_of_no_answer(expected: str) -> Score:
    """What didn't answer is wrong in every character: leaving it out would flatter the model."""
    length = len(expected.strip())
    return Score(False, length, length)


def levenshtein(a: str, b: str) -> int:
    """The edit distance, by Myers' bit-parallel algorithm: a column of the table is one big integer."""
    if a == b:
        return 0
    if len(a) < len(b):
        a, b = b, a
    if not b:
        return len(a)
    # Bit i of masks[c]: b[i] is c. `up` and `down` hold where the column's neighbours differ by +1 and -1.
    masks: dict[str, int] = defaultdict(int)
    for place, letter in enumerate(b):
        masks[letter] |= 1 << place
    whole, last = (1 << len(b)) - 1, 1 << (len(b) - 1)
    up, down, distance = whole, 0, len(b)
    for letter in a:
        same = masks.get(letter, 0)
        diagonal = (((same & up) + up) ^ up) | same | down
        across_up = down | ~(diagonal | up) & whole
        across_down = up & diagonal
        if across_up & last:
            distance += 1
        elif across_down & last:
            distance -= 1
        across_up = (across_up << 1 | 1) & whole
        across_down = across_down << 1 & whole
        up = across_down | ~(diagonal | across_up) & whole
        down = across_up & diagonal
    return distance
