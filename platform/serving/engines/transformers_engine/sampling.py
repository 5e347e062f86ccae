"""Choosing the next token: OpenAI's parameters as a logits processor of transformers' generate()."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from transformers import LogitsProcessor

GREEDY_BELOW = 1e-5


@dataclass(frozen=True)
class Sampling:
    """How to choose a token. Temperature 0 is greedy; `top_logprobs` None means that none are wanted."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    seed: int | None = None
    top_logprobs: int | None = None


@dataclass(frozen=True)
class TokenScore:
    """The log probability of a token and of the likeliest ones in its place, before temperature."""

    logprob: float
    top: tuple[tuple[int, float], ...]


class Chooser(LogitsProcessor):
    """Chooses each row's token itself and leaves it the only finite score, so that generate() takes it.

    A generator of its own for each row makes a seed mean the same whatever else runs: torch's global one is
    shared by all threads.
    """

    def __init__(self, sampling: Sampling, *, rows: int, first_row: int, device: torch.device) -> None:
        self._sampling = sampling
        self._generators = []
        for row in range(first_row, first_row + rows):
            generator = torch.Generator(device=device)
            seed = secrets.randbits(62) if sampling.seed is None else sampling.seed + row
            generator.manual_seed(seed % (1 << 63))
            self._generators.append(generator)
        self._seen: list[Counter[int]] = [Counter() for _ in range(rows)]
        self.chosen: list[TokenScore | None] = [None] * rows

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        raw = torch.log_softmax(scores, dim=-1) if self._sampling.top_logprobs is not None else None
        adjusted = self._adjust(scores)
        if self._sampling.temperature < GREEDY_BELOW:
            tokens = adjusted.argmax(dim=-1)
        else:
            probabilities = self._probabilities(adjusted)
            tokens = torch.stack(
                [
                    torch.multinomial(row, 1, generator=generator)[0]
                    for row, generator in zip(probabilities, self._generators, strict=True)
                ]
            )
        if raw is not None:
            self.chosen = token_scores(raw, tokens, self._sampling.top_logprobs or 0)
        if self._sampling.presence_penalty or self._sampling.frequency_penalty:
            for seen, token in zip(self._seen, tokens.tolist(), strict=True):
                seen[token] += 1
        only = torch.full_like(scores, float("-inf"))
        only.scatter_(1, tokens[:, None], 0.0)
        return only

    def _adjust(self, scores: torch.Tensor) -> torch.Tensor:
        sampling = self._sampling
        penalised = sampling.presence_penalty or sampling.frequency_penalty
        if not sampling.logit_bias and not penalised:
            return scores
        scores = scores.clone()
        for token, bias in sampling.logit_bias.items():
            scores[:, token] += bias
        if penalised:
            for row, seen in enumerate(self._seen):
                for token, count in seen.items():
                    scores[row, token] -= sampling.presence_penalty + count * sampling.frequency_penalty
        return scores

    def _probabilities(self, scores: torch.Tensor) -> torch.Tensor:
        sampling = self._sampling
        scores = scores / sampling.temperature
        if 0 < sampling.top_k < scores.shape[-1]:
            smallest = scores.topk(sampling.top_k, dim=-1).values[:, -1:]
            scores = scores.masked_fill(scores < smallest, float("-inf"))
        probabilities = torch.softmax(scores, dim=-1)
        if sampling.top_p < 1.0:
            ordered, indices = probabilities.sort(dim=-1, descending=True)
            before = ordered.cumsum(dim=-1) - ordered
            ordered = ordered.masked_fill(before >= sampling.top_p, 0.0)
            probabilities = torch.zeros_like(probabilities).scatter_(-1, indices, ordered)
        return probabilities


def token_scores(logprobs: torch.Tensor, tokens: torch.Tensor, top: int) -> list[TokenScore | None]:
    """The score of each row's token, with the `top` likeliest in its place."""
    own = logprobs.gather(1, tokens[:, None])[:, 0].tolist()
    if not top:
        return [TokenScore(logprob, ()) for logprob in own]
    values, indices = logprobs.topk(min(top, logprobs.shape[-1]), dim=-1)
    return [
        TokenScore(logprob, tuple(zip(ids, likely, strict=True)))
        for logprob, ids, likely in zip(own, indices.tolist(), values.tolist(), strict=True)
    ]
