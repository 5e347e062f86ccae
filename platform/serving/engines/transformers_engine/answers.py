"""What chat and completions share: planning one prompt, scores in OpenAI's shapes, events of a stream."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from serving.engines.errors import ApiError
from serving.engines.transformers_engine.generation import TokenRecord
from serving.engines.transformers_engine.loading import LanguageModel
from serving.engines.transformers_engine.protocol import GenerationRequest
from serving.engines.transformers_engine.sampling import Sampling

DONE = b"data: [DONE]\n\n"


@dataclass
class Usage:
    """Tokens of one request, counted as they come."""

    prompt_tokens: int
    completion_tokens: int = 0

    def body(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }


@dataclass(frozen=True)
class Envelope:
    """The fields that every part of one answer repeats."""

    model: str
    fingerprint: str
    prefix: str
    created: int = field(default_factory=lambda: int(time.time()))
    token: str = field(default_factory=lambda: secrets.token_hex(12))

    def wrap(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": f"{self.prefix}-{self.token}",
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
        }


def event(data: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def sampling_of(request: GenerationRequest, model: LanguageModel, *, top_logprobs: int | None) -> Sampling:
    """A request's sampling, with the model's own recommendations where it is silent."""
    for token in request.logit_bias:
        if not 0 <= token < model.vocabulary_size:
            raise ApiError(f"logit_bias: token {token} is not in the vocabulary", param="logit_bias")
    defaults = {"temperature": 1.0, "top_p": 1.0, "top_k": 0} | model.defaults
    return Sampling(
        temperature=defaults["temperature"] if request.temperature is None else request.temperature,
        top_p=defaults["top_p"] if request.top_p is None else request.top_p,
        top_k=int(defaults["top_k"]) if request.top_k is None else request.top_k,
        presence_penalty=request.presence_penalty or 0.0,
        frequency_penalty=request.frequency_penalty or 0.0,
        logit_bias=request.logit_bias,
        seed=request.seed,
        top_logprobs=top_logprobs,
    )


def room_for(model: LanguageModel, prompt: list[int], *, asked: int | None, asked_in: str, prompt_in: str) -> int:
    """How many tokens may follow `prompt`. Raises ApiError `context_length_exceeded`."""
    room = model.context_length - len(prompt)
    if room < (1 if asked is None else asked):
        wanted = f" and {asked} of the completion" if asked is not None and room > 0 else ""
        raise ApiError(
            f"This model's maximum context length is {model.context_length} tokens. However, you asked for "
            f"{len(prompt)} tokens of the prompt{wanted}. "
            + (f"Set {asked_in} to at most {room}." if wanted else f"Shorten {prompt_in}."),
            param=asked_in if wanted else prompt_in,
            code="context_length_exceeded",
        )
    return room if asked is None else asked


def encode(model: LanguageModel, text: str, *, special: bool, param: str) -> list[int]:
    """Token ids of a text."""
    check_unicode(text, param)
    ids: list[int] = model.tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"]
    require_vocabulary(ids, model.vocabulary_size, param)
    return ids


def require_vocabulary(ids: list[int], size: int, param: str, *, place: str = "") -> None:
    """Raises ApiError for a token without an embedding: on a GPU looking one up spoils the device for all requests."""
    if ids and max(ids) >= size:
        raise ApiError(
            f"{place or param}: token {max(ids)} is not in the vocabulary: the model has embeddings for {size} tokens",
            param=param,
        )


def check_unicode(text: str, param: str) -> None:
    """Raises ApiError for half a surrogate pair, which JSON can say and no tokenizer can read."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ApiError(
            f"{param}: the text is not valid Unicode: character {error.start} is half a surrogate pair", param=param
        ) from None


def chat_logprobs(model: LanguageModel, tokens: list[TokenRecord]) -> dict[str, Any]:
    """`{"content": […], "refusal": null}`."""

    def entry(token_id: int, logprob: float) -> dict[str, Any]:
        piece = model.vocabulary.piece(token_id)
        return {"token": piece.text, "logprob": finite(logprob), "bytes": list(piece.raw)}

    content = [
        entry(token.token_id, token.score.logprob)
        | {"top_logprobs": [entry(token_id, logprob) for token_id, logprob in token.score.top]}
        for token in tokens
        if token.score is not None
    ]
    return {"content": content, "refusal": None}


def legacy_logprobs(model: LanguageModel, tokens: list[TokenRecord], *, top: int) -> dict[str, Any]:
    """The four lists of /v1/completions; offsets count characters of the choice's own text."""

    def text(token_id: int) -> str:
        return model.vocabulary.piece(token_id).text

    likely: list[dict[str, float] | None] = []
    for token in tokens:
        if token.score is None:
            likely.append(None)
        else:
            ranked = {text(token_id): finite(logprob) for token_id, logprob in token.score.top}
            ranked.setdefault(text(token.token_id), finite(token.score.logprob))
            likely.append(ranked)
    return {
        "tokens": [text(token.token_id) for token in tokens],
        "token_logprobs": [None if token.score is None else finite(token.score.logprob) for token in tokens],
        "top_logprobs": likely if top else None,
        "text_offset": [token.offset for token in tokens],
    }


def finite(logprob: float) -> float:
    """JSON has no infinity; OpenAI writes -9999 for what is all but impossible."""
    return max(logprob, -9999.0)
