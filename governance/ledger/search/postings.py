"""Reading postings: the numbers that carry one term of each group, in order, without reading more than is asked for."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from django.db import connection

from governance.ledger.search.terms import BLOCK_BITS, ids_in, unpack

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
        blocks: dict[int, list[int]] = {}
        with connection.cursor() as cursor:
            cursor.execute(_SELECT, [list(group_of), begin, end])
            for number, block, places in cursor.fetchall():
                masks = blocks.setdefault(block, [0] * len(groups))
                for place in group_of[number]:
                    masks[place] |= unpack(places)
        for block in sorted(blocks, reverse=not ascending):
            joined = blocks[block][0]
            for mask in blocks[block][1:]:
                joined &= mask
            yield from (n for n in ids_in(joined, block, ascending=ascending) if low <= n <= high)
        first, last = (end + 1, last) if ascending else (first, begin - 1)
        count *= _GROWTH
