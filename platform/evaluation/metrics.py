"""The metrics of an evaluation: what each is, and its value with a 95 % interval. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evaluation.statistics import Estimate, quantile, ratio, wilson

Scores = Mapping[str, int]


@dataclass(frozen=True)
class Measured:
    """What the metrics need of one example. `latency_ms` and `tokens` are None where no answer came."""

    scores: Scores
    latency_ms: float | None
    tokens: int | None


@dataclass(frozen=True)
class Metric:
    """`better`: 'higher' or 'lower'. `unit`: '' for shares, which are shown in percent. `source`: how it is computed."""

    name: str
    title: str
    better: str
    unit: str
    description: str
    source: str
    compute: Callable[[Sequence[Measured]], Estimate | None]
    # Counted up when the same answers would give other figures: those measured before then count no more.
    version: int = 1

    @property
    def is_share(self) -> bool:
        return not self.unit


def _exact_match(examples: Sequence[Measured]) -> Estimate | None:
    return wilson(sum(example.scores["exact_match"] for example in examples), len(examples))


def _character_error_rate(examples: Sequence[Measured]) -> Estimate | None:
    lengths = [example.scores["reference"] for example in examples]
    return ratio([example.scores["edits"] for example in examples], lengths) if sum(lengths) else None


def _latency(share: float) -> Callable[[Sequence[Measured]], Estimate | None]:
    def compute(examples: Sequence[Measured]) -> Estimate | None:
        values = [example.latency_ms for example in examples if example.latency_ms is not None]
        return quantile(values, share) if values else None

    return compute


def _tokens_per_second(examples: Sequence[Measured]) -> Estimate | None:
    pairs = [(e.tokens, e.latency_ms / 1000) for e in examples if e.tokens is not None and e.latency_ms is not None]
    if not pairs or sum(seconds for _, seconds in pairs) <= 0:
        return None
    return ratio([tokens for tokens, _ in pairs], [seconds for _, seconds in pairs])


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "exact_match",
            "Exact match",
            "higher",
            "",
            "Share of examples whose answer is the expected text, white space around it aside. An example without an "
            "answer counts as wrong.",
            "Wilson score interval (Wilson 1927, JASA 22).",
            _exact_match,
        ),
        Metric(
            "character_error_rate",
            "Character error rate",
            "lower",
            "",
            "Edits (insert, delete, replace a character) from all answers to all expected texts, per expected character. "
            "It can be above 100 %.",
            "Levenshtein distance (1966); percentile bootstrap over examples, 1000 resamples, fixed seed (Efron 1979).",
            _character_error_rate,
        ),
        Metric(
            "latency_p50_ms",
            "Latency, median",
            "lower",
            "ms",
            "Half of the answers were complete within this time, several being asked for at once.",
            "Order-statistic interval by the binomial distribution (Conover 1999, 3.2).",
            _latency(0.5),
        ),
        Metric(
            "latency_p95_ms",
            "Latency, 95th percentile",
            "lower",
            "ms",
            "95 % of the answers were complete within this time, several being asked for at once.",
            "Order-statistic interval by the binomial distribution (Conover 1999, 3.2).",
            _latency(0.95),
        ),
        Metric(
            "tokens_per_second",
            "Tokens per second",
            "higher",
            "tokens/s",
            "Tokens of the answers, per second of waiting for them: the speed that one caller sees.",
            "Percentile bootstrap over examples, 1000 resamples, fixed seed (Efron 1979).",
            _tokens_per_second,
        ),
    )
}


def compute(examples: Sequence[Measured]) -> dict[str, dict[str, float | int]]:
    """Every metric that these examples allow, by name: {"value", "lower", "upper", "n", "version"}. Raises ValueError without examples."""
    if not examples:
        raise ValueError("there are no examples")
    found = ((name, metric.compute(examples)) for name, metric in METRICS.items())
    return {
        name: {**estimate.as_json(), "version": METRICS[name].version}
        for name, estimate in found
        if estimate is not None
    }
