"""Intervals, all of 95 % confidence. Pure: numbers in, numbers out, the same each time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Z = 1.959963984540054  # the standard normal's 97.5 % point
RESAMPLES = 1_000
SEED = 20_240_229


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval, out of `n` examples."""

    value: float
    lower: float
    upper: float
    n: int

    def as_json(self) -> dict[str, float | int]:
        return {"value": self.value, "lower": self.lower, "upper": self.upper, "n": self.n}


def wilson(successes: int, n: int) -> Estimate:
    """A share, with Wilson's score interval: right also near 0 and 1 and for few examples."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError("a share needs 0 <= successes <= n and n >= 1")
    share = successes / n
    spread = 1 + Z * Z / n
    centre = (share + Z * Z / (2 * n)) / spread
    half = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / spread
    # At the ends the formula gives 0 and 1 but for rounding.
    lower = 0.0 if successes == 0 else max(0.0, centre - half)
    upper = 1.0 if successes == n else min(1.0, centre + half)
    return Estimate(share, lower, upper, n)


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Estimate:
    """The ratio of two sums over the same examples, with a percentile bootstrap over examples (1000 resamples, fixed seed)."""
    above, below = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    if len(above) != len(below) or not len(above) or below.sum() <= 0:
        raise ValueError("a ratio needs as many denominators as numerators, and a positive sum of them")
    n = len(above)
    random = np.random.default_rng(SEED)
    resampled = np.empty(RESAMPLES)
    for place in range(RESAMPLES):
        chosen = random.integers(0, n, n)
        total = below[chosen].sum()
        # A resample without any denominator says nothing: the estimate itself stands in.
        resampled[place] = above[chosen].sum() / total if total > 0 else above.sum() / below.sum()
    lower, upper = np.quantile(resampled, [0.025, 0.975])
    value = float(above.sum() / below.sum())
    return Estimate(value, min(value, float(lower)), max(value, float(upper)), n)


def quantile(values: Sequence[float], share: float) -> Estimate:
    """A quantile (the smallest value that at least `share` of the values don't exceed), with the order-statistic interval.

    Its ends are observed values whose ranks follow from the binomial distribution, whatever the values' distribution;
    with too few values for an end, the smallest or largest one stands there.
    """
    if not values or not 0 < share < 1:
        raise ValueError("a quantile needs values and a share between 0 and 1")
    ordered = sorted(values)
    n = len(ordered)
    lower, upper = _ranks(n, share)
    return Estimate(ordered[max(1, math.ceil(n * share)) - 1], ordered[lower - 1], ordered[upper - 1], n)


def _ranks(n: int, share: float) -> tuple[int, int]:
    """Ranks l and u, from 1, with P(X_l <= quantile <= X_u) of at least 95 % where n allows it."""
    # B ~ Binomial(n, share) values lie below the quantile: P(B < l) and P(B >= u) shall be at most 2.5 % each.
    log_share, log_rest = math.log(share), math.log1p(-share)
    choose = math.lgamma(n + 1)
    lower, upper, below = 1, n, 0.0
    for k in range(n + 1):
        # Here `below` is P(B <= k - 1) = P(B < k).
        if k >= 1 and below <= 0.025:
            lower = k
        below += math.exp(choose - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * log_share + (n - k) * log_rest)
        if 1 - below <= 0.025:
            upper = min(n, k + 1)
            break
    return lower, max(lower, upper)
