"""Regular expressions that people write, searched for with a time limit: some take for ever on the right text."""

from functools import lru_cache
from typing import Any

from prompts import patterns

SECONDS = 1.0
# Of an output, so much is searched; a pattern with a limit on its time has one on its text too.
MAX_OUTPUT = 200_000


class PatternTooSlow(Exception):
    """It was searched for longer than it may."""


compiled = lru_cache(maxsize=256)(patterns.compiled)


def wrong_with(pattern: str) -> str:
    """What is wrong with a pattern, in words; '' when nothing is."""
    try:
        compiled(pattern)
    except ValueError as error:
        return str(error)
    return ""


def search(pattern: Any, text: str) -> str | None:
    """The first match, or None. Raises PatternTooSlow."""
    try:
        # Concurrent: other threads go on while it searches.
        found = pattern.search(text[:MAX_OUTPUT], timeout=SECONDS, concurrent=True)
    except TimeoutError:
        raise PatternTooSlow(
            f"The pattern was searched for longer than {SECONDS:g} s: it backtracks. Write it without nested repeats."
        ) from None
    return None if found is None else str(found.group())
