"""How near two texts are to each other. Pure."""

import math
from collections.abc import Sequence

from evaluation.texts import levenshtein

MAX_TEXT = 20_000  # characters of each that are compared


def edit_similarity(one: str, other: str) -> float:
    """1 less the share of characters to edit, of the longer text: 1 for the same, 0 for nothing in common."""
    one, other = one.strip()[:MAX_TEXT], other.strip()[:MAX_TEXT]
    longest = max(len(one), len(other))
    return 1.0 if not longest else 1 - levenshtein(one, other) / longest


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / (math.hypot(*one) * math.hypot(*other) or 1.0)
