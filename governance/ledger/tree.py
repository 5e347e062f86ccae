"""The Merkle tree of RFC 9162 over all sealed events: hashing, growing, and reading proofs out of few rows.

Stored are the leaf hashes and the hash of every complete subtree of 256, 65,536... leaves. Whatever lies between is
computed from at most 256 of them."""

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise

from django.db import connection

STEP = 8  # heights between stored levels
EMPTY_ROOT = hashlib.sha256(b"").digest()
Span = tuple[int, int]  # leaves from, to (excluded)
Node = tuple[int, int]  # height, index


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def complete_subtrees(span: Span) -> list[Node]:
    """The largest complete subtrees that make up a span, from left to right. The span begins where one of its size could."""
    begin, end = span
    found = []
    while begin < end:
        height = (end - begin).bit_length() - 1
        found.append((height, begin >> height))
        begin += 1 << height
    return found


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root over complete subtrees of falling size."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


class Frontier:
    """The right edge of a growing tree: the complete subtrees that make it up, and the stored ones completed meanwhile."""

    def __init__(self, size: int, hashes: Iterable[bytes]) -> None:
        self.size = size
        self.hashes = list(hashes)
        self.completed: list[tuple[int, int, bytes]] = []

    def append(self, leaf: bytes) -> None:
        self.hashes.append(leaf)
        self.size += 1
        height, rest = 0, self.size
        while rest % 2 == 0:
            right = self.hashes.pop()
            self.hashes[-1] = node_hash(self.hashes[-1], right)
            height, rest = height + 1, rest >> 1
            if height % STEP == 0:
                self.completed.append((height, rest - 1, self.hashes[-1]))

    def root(self) -> bytes:
        return fold(self.hashes)


def inclusion_spans(index: int, size: int) -> list[Span]:
    """What the inclusion path of a leaf hashes, from the leaf to the root (RFC 9162, 2.1.3.1)."""
    begin, end, found = 0, size, []
    while end - begin > 1:
        middle = begin + (1 << (end - begin - 1).bit_length() - 1)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((begin, middle))
            begin = middle
    return found[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """What the proof hashes that the first `old` leaves are still those of the tree of `new` (RFC 9162, 2.1.4.1)."""
    begin, end, whole, found = 0, new, True, []
    if old in (0, new):
        return []
    while old != end:
        middle = begin + (1 << (end - begin - 1).bit_length() - 1)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((begin, middle))
            begin, whole = middle, False
    if not whole:
        found.append((begin, end))
    return found[::-1]


def read_spans(spans: Iterable[Span]) -> dict[Span, bytes]:
    """The hash over each span, in one statement per stored level."""
    wanted = {span: complete_subtrees(span) for span in spans}
    stored: dict[int, set[int]] = {}
    for height, index in {node for nodes in wanted.values() for node in nodes}:
        below = height % STEP
        stored.setdefault(height - below, set()).update(range(index << below, (index + 1) << below))
    known = {level: _stored(level, indexes) for level, indexes in stored.items()}
    return {span: fold([_hash_of(node, known) for node in nodes]) for span, nodes in wanted.items()}


def _stored(height: int, indexes: set[int]) -> dict[int, bytes]:
    table, which = ("ledger_leaf", "") if height == 0 else ("ledger_subtree", "height = %s AND ")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT index, hash FROM {table} WHERE {which}index = ANY(%s)",  # noqa: S608  two tables by name
            [*([height] if height else []), sorted(indexes)],
        )
        found = {index: bytes(value) for index, value in cursor.fetchall()}
    if len(found) != len(indexes):
        raise TreeDamaged(f"The tree lacks {len(indexes) - len(found)} of its hashes at height {height}.")
    return found


def _hash_of(node: Node, known: dict[int, dict[int, bytes]]) -> bytes:
    height, index = node
    below = height % STEP
    level = known[height - below]
    hashes = [level[at] for at in range(index << below, (index + 1) << below)]
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in list(pairwise(hashes))[::2]]
    return hashes[0]


class TreeDamaged(Exception):
    """What is stored of the tree does not fit together: somebody changed it."""
