"""Words: how names and texts fall apart, and how far one word is from another. What each search keeps of them is its own."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import combinations

MOST_WORDS = 8  # of a query
LONGEST = 40
# Shorter words have too many neighbours to guess among; in longer ones two letters may be wrong.
GUESSED_FROM, TWICE_FROM = 4, 8
MOST_NEAR = 500
_WORD = re.compile(r"[^\W_]+")
# Llama3Chat: where small letters are followed by a capital, and letters by digits or the other way round.
_SEAM = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")


def plain(text: str) -> str:
    """Lower case without accents: 'Café' is found by 'cafe'."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(part for part in parts if not unicodedata.combining(part)).casefold().replace("\0", "")


def words_of(text: str) -> Iterator[str]:
    """The words of a text, in order, as they are compared."""
    for match in _WORD.finditer(plain(text)):
        yield match[0][:LONGEST]


def words_of_name(name: str) -> list[str]:
    """A name's parts, and the parts of these: Llama3-8b-Instruct gives llama3, llama, 3, 8b, 8, b, instruct."""
    found: list[str] = []
    for part in _WORD.findall(name):
        pieces = _SEAM.split(part)
        found += words_of(part)
        if len(pieces) > 1:
            found += (word for piece in pieces for word in words_of(piece))
    return found


def worth_knowing(words: set[str]) -> list[str]:
    """Those that somebody may mistype, in order: two who learn the same ones then wait for each other at most."""
    return sorted(word for word in words if GUESSED_FROM <= len(word) <= LONGEST and word.isalpha())


def depths(word: str) -> tuple[int, ...]:
    """How many slips are looked for, fewest first; none in a word that is too short to guess."""
    if len(word) < GUESSED_FROM or not word.isalpha():
        return ()
    return (1, 2) if len(word) >= TWICE_FROM else (1,)


def nearest(word: str, known: Iterator[str], depth: int) -> list[str]:
    """The known words that are `depth` slips away at most, the nearest first."""
    slips = [(distance(word, one), one) for one in known if one != word and abs(len(one) - len(word)) <= depth]
    return [one for number, one in sorted(slips) if number <= depth]


def distance(a: str, b: str) -> int:
    """How many letters were left out, put in, changed, or swapped with their neighbour."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, last, row = row, before, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def shorter(word: str, depth: int) -> set[str]:
    """The word, and what is left of it without one (or two) of its letters."""
    found = {word}
    for number in range(1, depth + 1):
        for left_out in combinations(range(len(word)), number):
            found.add("".join(letter for place, letter in enumerate(word) if place not in left_out))
    return found
