"""Regular expressions that people write. To search for one may take for ever, and has a time limit; to compile `a{1000000000}` takes
all memory, which no limit ends in time: how long a pattern is with its repeats written out is counted before."""

import re
from typing import Any

import regex

MAX_LENGTH = 20_000
# They change how the rest is read: what is counted here would not be what is compiled.
_NOT_TAKEN = re.compile(r"\(\?(?:#|[A-Za-z0-9]*[xV])")
_PIECE = re.compile(
    r"\{(?P<times>\d+)(?:,\d*)?\}|\\.|\[\^?\]?(?:[^\]\\]|\\.)*\]|(?P<sign>[()*+?])|.", re.DOTALL | re.ASCII
)


def compiled(pattern: str) -> Any:
    """The pattern. Raises ValueError, in words, for what is none or repeats too much."""
    if _NOT_TAKEN.search(pattern):
        raise ValueError("A pattern here has no comments, and not the flags x, V0 and V1.")
    if _length(pattern) > MAX_LENGTH:
        raise ValueError(f"The pattern repeats too much: written out it has more than {MAX_LENGTH:,} characters.")
    try:
        return regex.compile(pattern, cache_pattern=False)
    except (regex.error, RecursionError, OverflowError, ValueError, MemoryError) as error:
        raise ValueError(f"This is no regular expression: {error}") from None


def _length(pattern: str) -> int:
    """Of the pattern with each count written out as often as it has to be found."""
    open_groups = [0]
    last = 0  # what a count repeats
    for piece in _PIECE.finditer(pattern):
        if piece["times"]:
            more = last * (max(int(piece["times"][:12]), 1) - 1)
            open_groups[-1] += more
            last += more
        elif piece["sign"] == "(":
            open_groups.append(0)
        elif piece["sign"] == ")" and len(open_groups) > 1:
            last = 1 + open_groups.pop()
            open_groups[-1] += last
        elif piece["sign"]:
            open_groups[-1] += 1
        else:
            open_groups[-1] += len(piece[0])
            last = len(piece[0])
    return sum(open_groups)
