"""POST /v1/completions."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from serving.engines.errors import ApiError
from serving.engines.transformers_engine.answers import (
    DONE,
    Envelope,
    Usage,
    encode,
    event,
    legacy_logprobs,
    require_vocabulary,
    room_for,
    sampling_of,
)
from serving.engines.transformers_engine.generation import Delta, Emit, Plan, TokenRecord, generate
from serving.engines.transformers_engine.jobs import Job
from serving.engines.transformers_engine.loading import LanguageModel
from serving.engines.transformers_engine.protocol import CompletionRequest

DEFAULT_MAX_TOKENS = 16  # OpenAI's
MAX_PROMPTS = 256


@dataclass(frozen=True)
class CompletionPlan:
    """A checked request: one plan per prompt, the choices numbered on from each to the next."""

    request: CompletionRequest
    plans: tuple[Plan, ...]

    @property
    def choices(self) -> int:
        return sum(plan.rows for plan in self.plans)

    @property
    def prompt_tokens(self) -> int:
        return sum(len(plan.prompt) for plan in self.plans)

    def run(self, model: LanguageModel, emit: Emit, cancelled: threading.Event) -> None:
        for plan in self.plans:
            generate(model, plan, emit=emit, cancelled=cancelled)


def plan_completion(request: CompletionRequest, model: LanguageModel) -> CompletionPlan:
    """Check a request against the model. Raises ApiError; runs in a thread, since prompts may be long."""
    if len(request.prompt) > MAX_PROMPTS:
        raise ApiError(f"prompt: at most {MAX_PROMPTS} prompts in one request", param="prompt")
    rows = request.n or 1
    sampling = sampling_of(request, model, top_logprobs=request.logprobs)
    plans = []
    for at, given in enumerate(request.prompt):
        prompt = _prompt_ids(given, model)
        asked = request.max_tokens
        if asked is None:
            asked = max(1, min(DEFAULT_MAX_TOKENS, model.context_length - len(prompt)))
        plans.append(
            Plan(
                prompt=prompt,
                max_tokens=room_for(model, prompt, asked=asked, asked_in="max_tokens", prompt_in="prompt"),
                sampling=sampling,
                stops=request.stop,
                rows=rows,
                first_index=at * rows,
                echo=bool(request.echo),
            )
        )
    return CompletionPlan(request, tuple(plans))


def _prompt_ids(given: str | list[int], model: LanguageModel) -> list[int]:
    if isinstance(given, str):
        ids = encode(model, given, special=True, param="prompt")
    else:
        ids = given
        require_vocabulary(ids, model.vocabulary_size, "prompt")
    if not ids:
        start = model.tokenizer.bos_token_id
        if start is None:
            raise ApiError("prompt: must not be empty, since this model has no token to begin with", param="prompt")
        return [int(start)]
    return ids


@dataclass
class _Choice:
    text: str = ""
    tokens: list[TokenRecord] = field(default_factory=list)
    finish_reason: str | None = None


async def answer_completion(
    completion: CompletionPlan, job: Job[Delta], model: LanguageModel, envelope: Envelope
) -> dict[str, Any]:
    """The whole answer at once."""
    choices = [_Choice() for _ in range(completion.choices)]
    usage = Usage(completion.prompt_tokens)
    async for delta in job:
        choice = choices[delta.index]
        choice.text += delta.text
        choice.tokens += delta.tokens
        choice.finish_reason = delta.finish_reason
        usage.completion_tokens += delta.generated
    listed = [
        _choice(completion, model, at, choice.text, choice.tokens, choice.finish_reason)
        for at, choice in enumerate(choices)
    ]
    return envelope.wrap("text_completion", listed) | {"usage": usage.body()}


async def stream_completion(
    completion: CompletionPlan, job: Job[Delta], model: LanguageModel, envelope: Envelope
) -> AsyncIterator[bytes]:
    """The answer as server-sent events."""
    usage = Usage(completion.prompt_tokens)
    async for delta in job:
        usage.completion_tokens += delta.generated
        if delta.text or delta.finish_reason or (delta.tokens and completion.request.logprobs is not None):
            choice = _choice(completion, model, delta.index, delta.text, delta.tokens, delta.finish_reason)
            data = envelope.wrap("text_completion", [choice])
            yield event(data | {"usage": None} if completion.request.include_usage else data)
    if completion.request.include_usage:
        yield event(envelope.wrap("text_completion", []) | {"usage": usage.body()})
    yield DONE


def _choice(
    completion: CompletionPlan,
    model: LanguageModel,
    index: int,
    text: str,
    tokens: list[TokenRecord],
    finish_reason: str | None,
) -> dict[str, Any]:
    top = completion.request.logprobs
    return {
        "index": index,
        "text": text,
        "logprobs": None if top is None else legacy_logprobs(model, tokens, top=top),
        "finish_reason": finish_reason,
    }
