"""A progress line for people: bytes, share, rate and time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_UNITS = ("B", "kB", "MB", "GB", "TB")


def size(count: float) -> str:
    """Bytes in decimal units, as disks and networks are counted: 1.5 GB."""
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.0f} B" if unit == 0 else f"{count:.1f} {_UNITS[unit]}"


def line(done: int, total: int, seconds: float) -> str:
    """'120.0 MB of 1.2 GB (10 %), 40.0 MB/s, 27 s left'; without a total what has gone, and how fast."""
    rate = done / seconds if seconds > 0 else 0.0
    text = f"{size(done)} of {size(total)} ({100 * done / total:.0f} %)" if total else size(done)
    if rate:
        text += f", {size(rate)}/s"
        if total > done:
            text += f", {(total - done) / rate:.0f} s left"
    return text


@contextmanager
def bar(total: int) -> Iterator[Callable[[int], None]]:
    """Rewrites one line of standard error, at most ten times a second."""
    begun = shown = time.monotonic()
    done = 0

    def moved(count: int) -> None:
        nonlocal done, shown
        done += count
        if time.monotonic() - shown >= 0.1:
            shown = time.monotonic()
            sys.stderr.write(f"\r\033[K{line(done, total, shown - begun)}")
            sys.stderr.flush()

    try:
        yield moved
    finally:
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()
