"""Which words the search knows, and which one somebody meant who mistyped one."""

from collections.abc import Iterable

from accounts import quick
from accounts.words import (
    LONGEST,
    MOST_NEAR,
    MOST_WORDS,
    depths,
    distance,
    nearest,
    plain,
    shorter,
    words_of,
    words_of_name,
    worth_knowing,
)
from registry.models import SearchWord

__all__ = ["MOST_WORDS", "distance", "learn", "meant_by", "plain", "words_of", "words_of_name"]

_KNOWN = "SELECT word FROM registry_searchword WHERE word = ANY(%(words)s::text[])"


def learn(words: Iterable[str]) -> None:
    """Keep words for those who will mistype them."""
    worth = worth_knowing(set(words))
    known = {word for (word,) in quick.fetch_all(_KNOWN, {"words": worth})} if worth else set()
    rows = [SearchWord(word=word, near=sorted(shorter(word, 1))) for word in worth if word not in known]
    if rows:
        SearchWord.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)


def meant_by(word: str, *, most: int = 5) -> list[str]:
    """Known words that differ by a slip, or (long ones, where no word is that near) by two; the nearest first. By index."""
    for depth in depths(word):
        rows = SearchWord.objects.filter(near__overlap=sorted(shorter(word[:LONGEST], depth)))
        if meant := nearest(word, rows.values_list("word", flat=True)[:MOST_NEAR].iterator(), depth):
            return meant[:most]
    return []
