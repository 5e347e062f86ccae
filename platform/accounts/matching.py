"""Matching two sequences within bounds. difflib's cost is cubic at worst (a word put between any two words of a page is such a case):
this one gives up after so many steps, and its callers compare something coarser."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import accumulate

STEPS = 20_000_000  # about two seconds


class TooMuch(Exception):
    """The comparison would take more steps than are left."""


class Budget:
    """The steps of one answer, however many texts it compares."""

    def __init__(self, steps: int = STEPS) -> None:
        self.left = steps

    def take(self, steps: int) -> None:
        """Raises TooMuch where there are not so many left; they stay for something smaller."""
        if steps > self.left:
            raise TooMuch
        self.left -= steps


class Matcher(SequenceMatcher[str]):
    """SequenceMatcher without its guesses at junk; opcodes and blocks raise TooMuch."""

    def __init__(self, one: Sequence[str], other: Sequence[str], budget: Budget) -> None:
        super().__init__(None, one, other, autojunk=False)
        self._budget, self._end = budget, len(one)
        # What it takes to look at a stretch of the first: how often each of its pieces stands in the second.
        places = self.b2j  # type: ignore[attr-defined]  # documented; the stubs leave it out
        self._cost = [0, *accumulate(1 + len(places.get(piece, ())) for piece in one)]

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None):  # type: ignore[no-untyped-def]  # as the stubs have it
        end = self._end if ahi is None else ahi
        self._budget.take(self._cost[end] - self._cost[alo])
        return super().find_longest_match(alo, ahi, blo, bhi)
