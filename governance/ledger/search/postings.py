"""Reading postings: the numbers that carry one term of each group, in order, without reading more than is asked for."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import reduce

from django.db import connection

from governance.ledger.search.terms import BLOCK_BITS, Places, both, either, ids_in, unpack

_FIRST_BLOCKS = 4
_GROWTH = 8
_SELECT = """
    SELECT term, block, places FROM ledger_searchposting WHERE term = ANY(%s) AND block BETWEEN %s AND %s
"""


def matches(groups: Sequence[Sequence[int]], low: int, high: int, *, ascending: bool) -> Iterator[int]:
    """Numbers from low to high, both included, that carry a term of every group. Blocks are read a few at first, then eight
    times as many: a page of a frequent thing costs little, and a rare thing few statements."""
    group_of: dict[int, list[int]] = defaultdict(list)
    for place, group in enumerate(groups):
        for number in group:
            group_of[number].append(place)
    first, last, count = low >> BLOCK_BITS, high >> BLOCK_BITS, _FIRST_BLOCKS
    while first <= last:
        begin, end = (first, min(first + count - 1, last)) if ascending else (max(last - count + 1, first), last)
        blocks: dict[int, list[list[bytes]]] = {}
        with connection.cursor() as cursor:
            cursor.execute(_SELECT, [list(group_of), begin, end])
            for number, block, places in cursor.fetchall():
                found = blocks.setdefault(block, [[] for _ in groups])
                for place in group_of[number]:
                    found[place].append(places)
        for block in sorted(blocks, reverse=not ascending):
            joined = _joined(blocks[block])
            yield from (n for n in ids_in(joined, block, ascending=ascending) if low <= n <= high)
        first, last = (end + 1, last) if ascending else (first, begin - 1)
        count *= _GROWTH


def _joined(groups: list[list[bytes]]) -> Places:
    """The places that are in every group, the shortest group first: what it leaves is all that the others are asked about."""
    if not all(groups):
        return frozenset()
    groups.sort(key=lambda packed: sum(map(len, packed)))
    places = reduce(either, map(unpack, groups[0]))
    for packed in groups[1:]:
        if not places:
            break
        places = both(places, reduce(either, map(unpack, packed)))
    return places
