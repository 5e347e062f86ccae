"""Which message of one version became which of another."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from accounts.matching import Budget, Matcher, TooMuch
from prompts.reading import text_of

_ALIKE = 0.5  # messages of one role that share less are two messages


def role_of(message: Mapping[str, Any]) -> str:
    """'user', or 'placeholder': what kind of message it is. A text prompt's only one has none."""
    return str(message.get("role") or message.get("type") or "")


def _likeness(first: Counter[str], second: Counter[str], budget: Budget) -> float:
    """0 to 1: how many of their words two texts share; 0 where that would take too long to say."""
    try:
        budget.take(len(first) + len(second))
    except TooMuch:
        return 0.0
    whole = first.total() + second.total()
    return 2 * (first & second).total() / whole if whole else 1.0


def aligned(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], budget: Budget
) -> Iterator[tuple[int | None, int | None]]:
    """Pairs of places, in order: the same or changed (both), removed (None after) or added (None before). What is the same finds
    itself first; between these, messages of one role that are alike, or stand alone on both sides, are one that changed."""
    first, second = [json.dumps(m, sort_keys=True) for m in before], [json.dumps(m, sort_keys=True) for m in after]
    words = [[Counter(text_of(message).split()) for message in side] for side in (before, after)]
    for tag, i1, i2, j1, j2 in Matcher(first, second, Budget()).get_opcodes():
        if tag == "equal":
            yield from zip(range(i1, i2), range(j1, j2), strict=True)
            continue
        j = j1
        for i in range(i1, i2):
            near = [place for place in range(j, j2) if role_of(after[place]) == role_of(before[i])]
            alike = {place: _likeness(words[0][i], words[1][place], budget) for place in near}
            twin = max(near, key=alike.__getitem__, default=None)
            # The only one of its role here is that one, however much of it was written anew.
            alone = len(near) == 1 and sum(role_of(before[other]) == role_of(before[i]) for other in range(i1, i2)) == 1
            if twin is None or not (alone or alike[twin] >= _ALIKE):
                yield i, None
                continue
            yield from ((None, added) for added in range(j, twin))
            yield i, twin
            j = twin + 1
        yield from ((None, added) for added in range(j, j2))
