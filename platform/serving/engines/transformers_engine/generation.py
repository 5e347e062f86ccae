"""Generating: transformers' generate(), watched token by token."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from serving.engines.transformers_engine.loading import LanguageModel
from serving.engines.transformers_engine.sampling import Chooser, Sampling, TokenScore, token_scores
from serving.engines.transformers_engine.text import Detokenizer, StopScanner

FinishReason = Literal["stop", "length"]
# Rows that are computed together; further choices of one prompt follow, so that `n` bounds no memory.
ROWS_AT_ONCE = 8
# Positions of a prompt scored at once: their logits are the largest thing in memory.
SCORED_AT_ONCE = 256


@dataclass(frozen=True)
class Plan:
    """What to generate from one prompt: `rows` choices, numbered from `first_index`."""

    prompt: list[int]
    max_tokens: int
    sampling: Sampling
    stops: tuple[str, ...] = ()
    rows: int = 1
    first_index: int = 0
    echo: bool = False
    keep_special: bool = False


@dataclass(frozen=True)
class TokenRecord:
    """A token in an answer: where its text begins in the choice's own text, and its score if wanted."""

    token_id: int
    offset: int
    score: TokenScore | None


@dataclass
class Delta:
    """What one choice gained. `generated` counts tokens; `tokens` are those whose text is out."""

    index: int
    text: str = ""
    tokens: list[TokenRecord] = field(default_factory=list)
    generated: int = 0
    finish_reason: FinishReason | None = None


Emit = Callable[[Delta], None]


class Choice:
    """One row's text so far. Nothing that may belong to a stop string or to half a character gets out."""

    def __init__(self, model: LanguageModel, plan: Plan, *, index: int, emit: Emit, offset: int) -> None:
        self._model = model
        self._plan = plan
        self._emit = emit
        self._index = index
        self._text = Detokenizer(model.vocabulary, keep_special=plan.keep_special)
        self._stops = StopScanner(plan.stops)
        self._decoded = offset  # length of the text that the tokens stand for
        self._out = offset  # length of the text that has been given out
        self._waiting: list[TokenRecord] = []
        self.generated = 0
        self.finished = False

    def push(self, token_id: int, score: TokenScore | None) -> None:
        self.generated += 1
        if token_id in self._model.end_ids:
            self._finish("stop", self._text.flush())
            return
        text = self._text.push(token_id)
        self._waiting.append(TokenRecord(token_id, self._decoded + _lead(self._model, token_id, text), score))
        last = self.generated >= self._plan.max_tokens
        if last:
            text += self._text.flush()
        certain = self._take(text)
        if self._stops.stopped:
            self._give(certain, "stop")
        elif last:
            self._give(certain + self._stops.flush(), "length")
        else:
            self._give(certain, None)

    def _finish(self, reason: FinishReason, text: str) -> None:
        certain = self._take(text)
        self._give(certain if self._stops.stopped else certain + self._stops.flush(), reason)

    def _take(self, text: str) -> str:
        self._decoded += len(text)
        return self._stops.feed(text)

    def _give(self, text: str, reason: FinishReason | None) -> None:
        self._out += len(text)
        self.finished = reason is not None
        # A token goes out with its first character; at the end, all those go that the answer's text contains.
        ended = self.finished and not self._stops.stopped
        tokens = [t for t in self._waiting if ended or t.offset < self._out]
        self._waiting = self._waiting[len(tokens) :]
        self._emit(Delta(self._index, text, tokens, generated=1, finish_reason=reason))


class _Watch(StoppingCriteria):
    """Hands each new token to its choice; stops a row that is finished, and all of them when nobody listens."""

    def __init__(self, choices: Sequence[Choice], chooser: Chooser, cancelled: threading.Event) -> None:
        self._choices = choices
        self._chooser = chooser
        self._cancelled = cancelled

    def __call__(self, input_ids: torch.Tensor, scores: object, **kwargs: object) -> torch.Tensor:
        if self._cancelled.is_set():
            return torch.ones(len(self._choices), dtype=torch.bool, device=input_ids.device)
        for choice, token, score in zip(self._choices, input_ids[:, -1].tolist(), self._chooser.chosen, strict=True):
            if not choice.finished:
                choice.push(token, score)
        done = [choice.finished for choice in self._choices]
        return torch.tensor(done, dtype=torch.bool, device=input_ids.device)


def generate(model: LanguageModel, plan: Plan, *, emit: Emit, cancelled: threading.Event) -> None:
    """Run a plan to its end or until `cancelled`, calling `emit` (in this thread) for each token."""
    offset = 0
    if plan.echo:
        records, text = _echo(model, plan, cancelled)
        offset = len(text)
        for row in range(plan.rows):
            reason: FinishReason | None = "length" if plan.max_tokens == 0 else None
            emit(Delta(plan.first_index + row, text, list(records), finish_reason=reason))
    elif plan.max_tokens == 0:
        for row in range(plan.rows):
            emit(Delta(plan.first_index + row, finish_reason="length"))
    if plan.max_tokens == 0:
        return
    for first_row in range(0, plan.rows, ROWS_AT_ONCE):
        if cancelled.is_set():
            return
        rows = min(ROWS_AT_ONCE, plan.rows - first_row)
        _generate_rows(model, plan, first_row, rows, emit=emit, offset=offset, cancelled=cancelled)


def _generate_rows(
    model: LanguageModel,
    plan: Plan,
    first_row: int,
    rows: int,
    *,
    emit: Emit,
    offset: int,
    cancelled: threading.Event,
) -> None:
    choices = [
        Choice(model, plan, index=plan.first_index + first_row + row, emit=emit, offset=offset) for row in range(rows)
    ]
    chooser = Chooser(plan.sampling, rows=rows, first_row=first_row, device=model.device)
    prompt = torch.tensor([plan.prompt] * rows, dtype=torch.long, device=model.device)
    with torch.inference_mode():
        model.network.generate(
            inputs=prompt,
            attention_mask=torch.ones_like(prompt),
            # Greedy for generate(): the chooser has left one finite score.
            generation_config=GenerationConfig(  # type: ignore[no-untyped-call]
                max_new_tokens=plan.max_tokens, do_sample=False, num_beams=1
            ),
            logits_processor=LogitsProcessorList([chooser]),
            stopping_criteria=StoppingCriteriaList([_Watch(choices, chooser, cancelled)]),
        )


def _echo(model: LanguageModel, plan: Plan, cancelled: threading.Event) -> tuple[list[TokenRecord], str]:
    """The prompt's own tokens and text, scored if the plan wants scores."""
    scores: list[TokenScore | None] = [None] * len(plan.prompt)
    if plan.sampling.top_logprobs is not None:
        scores = _score_prompt(model, plan.prompt, plan.sampling.top_logprobs, cancelled)
    detokenizer = Detokenizer(model.vocabulary, keep_special=plan.keep_special)
    records = []
    text = ""
    for token_id, score in zip(plan.prompt, scores, strict=True):
        gained = detokenizer.push(token_id)
        records.append(TokenRecord(token_id, len(text) + _lead(model, token_id, gained), score))
        text += gained
    return records, text + detokenizer.flush()


def _lead(model: LanguageModel, token_id: int, gained: str) -> int:
    """How much of the text that came with a token belongs to earlier ones: a character that never was completed."""
    own = model.vocabulary.piece(token_id).text
    return len(gained) - len(own) if gained.endswith(own) else 0


def _score_prompt(
    model: LanguageModel, prompt: list[int], top: int, cancelled: threading.Event
) -> list[TokenScore | None]:
    scores: list[TokenScore | None] = [None]  # nothing comes before the first token
    ids = torch.tensor([prompt], dtype=torch.long, device=model.device)
    with torch.inference_mode():
        logits = model.network(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits[0]
        for start in range(0, len(prompt) - 1, SCORED_AT_ONCE):
            if cancelled.is_set():
                break
            end = min(start + SCORED_AT_ONCE, len(prompt) - 1)
            logprobs = torch.log_softmax(logits[start:end].float(), dim=-1)
            scores += token_scores(logprobs, ids[0, start + 1 : end + 1], top)
    return scores + [None] * (len(prompt) - len(scores))
