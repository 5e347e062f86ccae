"""How far two tensors are apart, read a block at a time: memory stays the same whatever their size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from registry.inspection.source import Tensor

BLOCK = 1 << 20  # elements that are read at once
_CACHED = (
    1 << 13
)  # elements that are reckoned with at once: they stay in the cache, and BLAS starts no threads for so few
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Distance:
    """relative: |after - before| / |before| (L2). cosine: 1 is the same direction. largest: the largest change of one weight.
    None where it can't be said: a tensor of zeros, or values that are not finite."""

    relative: float | None
    cosine: float | None
    largest: float | None


def _eighths(exponent: int, mantissa: int, bias: int, *, finite: bool, unsigned_zero: bool) -> NDArray[np.float32]:
    """The 256 values of an 8-bit float. `finite`: without infinities, all ones is NaN; `unsigned_zero`: minus zero is NaN."""
    values = np.zeros(256, np.float32)
    for code in range(256):
        sign = -1.0 if code & 0x80 else 1.0
        power, fraction = (code >> mantissa) & (2**exponent - 1), code & (2**mantissa - 1)
        if power == 0:
            value = sign * fraction * 2.0 ** (1 - bias - mantissa)
        else:
            value = sign * (1 + fraction / 2**mantissa) * 2.0 ** (power - bias)
        top = power == 2**exponent - 1
        if unsigned_zero:
            value = math.nan if code == 0x80 else value
        elif finite:
            value = math.nan if top and fraction == 2**mantissa - 1 else value
        elif top:
            value = math.nan if fraction else sign * math.inf
        values[code] = value
    return values


@cache
def _table(dtype: str) -> NDArray[np.float32]:
    if dtype == "F8_E8M0":
        return np.array([*(2.0 ** (code - 127) for code in range(255)), math.nan], np.float32)
    return {
        "F8_E4M3": lambda: _eighths(4, 3, 7, finite=True, unsigned_zero=False),
        "F8_E5M2": lambda: _eighths(5, 2, 15, finite=False, unsigned_zero=False),
        "F8_E4M3FNUZ": lambda: _eighths(4, 3, 8, finite=True, unsigned_zero=True),
        "F8_E5M2FNUZ": lambda: _eighths(5, 2, 16, finite=True, unsigned_zero=True),
    }[dtype]()


def _bf16(raw: bytes) -> Floats:
    return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)


_DECODE: dict[str, Callable[[bytes], Floats]] = {
    "F64": lambda raw: np.frombuffer(raw, "<f8"),
    "F32": lambda raw: np.frombuffer(raw, "<f4"),
    "F16": lambda raw: np.frombuffer(raw, "<f2").astype(np.float32),
    "BF16": _bf16,
    **{
        name: (lambda raw, name=name: _table(name)[np.frombuffer(raw, np.uint8)])  # type: ignore[misc]
        for name in ("F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E8M0")
    },
}
_WIDTH = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


def is_measured(before: Tensor, after: Tensor) -> bool:
    """Floats of one shape that lie in their files as they are. Quantised and whole numbers have no distance that means anything."""
    return before.shape == after.shape and all(one.dtype in _DECODE and one.at >= 0 for one in (before, after))


def decode(dtype: str, raw: bytes) -> Floats:
    return _DECODE[dtype](raw)


def distance(
    before: Tensor, old: BinaryIO, after: Tensor, new: BinaryIO, tick: Callable[[int], None] = lambda _: None
) -> Distance:
    """Over all elements; `tick(bytes)` after each block."""
    squares_old = squares_new = product = squares_apart = 0.0
    largest = 0.0
    wide, wide_new = _WIDTH.get(before.dtype, 1), _WIDTH.get(after.dtype, 1)
    with np.errstate(all="ignore"):
        for start in range(0, before.elements, BLOCK):
            count = min(BLOCK, before.elements - start)
            raw_old = _read(old, before.at + start * wide, count * wide)
            raw_new = _read(new, after.at + start * wide_new, count * wide_new)
            for place in range(0, count, _CACHED):
                some = min(_CACHED, count - place)
                a = decode(before.dtype, raw_old[place * wide : (place + some) * wide]).astype(np.float64)
                b = decode(after.dtype, raw_new[place * wide_new : (place + some) * wide_new]).astype(np.float64)
                squares_old += float(a @ a)
                squares_new += float(b @ b)
                product += float(a @ b)
                b -= a
                squares_apart += float(b @ b)
                largest = max(largest, float(np.max(np.abs(b, out=b))))
            if not math.isfinite(squares_old + squares_new + squares_apart):
                tick((before.elements - start) * (wide + wide_new))
                return Distance(None, None, None)
            tick(count * (wide + wide_new))
    lengths = math.sqrt(squares_old) * math.sqrt(squares_new)
    relative = math.sqrt(squares_apart / squares_old) if squares_old else (None if squares_apart else 0.0)
    cosine = max(-1.0, min(1.0, product / lengths)) if lengths else None
    return Distance(relative, cosine, largest)


def _read(stream: BinaryIO, at: int, length: int) -> bytes:
    stream.seek(at)
    blocks = []
    while length and (block := stream.read(length)):
        blocks.append(block)
        length -= len(block)
    if length:
        raise EOFError("the file in the storage is shorter than its header says")
    return b"".join(blocks)
