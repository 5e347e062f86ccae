"""POST /v1/embeddings."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from typing import Any

import torch

from serving.engines.errors import ApiError
from serving.engines.transformers_engine.answers import check_unicode, require_vocabulary
from serving.engines.transformers_engine.loading import Encoder
from serving.engines.transformers_engine.protocol import EmbeddingRequest

MAX_INPUTS = 2048  # OpenAI's
TEXTS_AT_ONCE = 32

Vector = torch.Tensor


def plan_embeddings(request: EmbeddingRequest, encoder: Encoder) -> list[list[int]]:
    """Token ids of each input. Raises ApiError; runs in a thread, since inputs may be long."""
    if len(request.input) > MAX_INPUTS:
        raise ApiError(f"input: at most {MAX_INPUTS} texts in one request", param="input")
    if request.dimensions not in (None, encoder.dimensions):
        raise ApiError(
            f"dimensions: this model's embeddings have {encoder.dimensions}, and cannot be shortened",
            param="dimensions",
        )
    return [_ids(given, at, encoder) for at, given in enumerate(request.input)]


def _ids(given: str | list[int], at: int, encoder: Encoder) -> list[int]:
    if isinstance(given, str):
        text = given.lower() if encoder.lower_case else given
        check_unicode(text, f"input[{at}]")
        ids: list[int] = encoder.tokenizer(text, verbose=False)["input_ids"]
    else:
        ids = given  # as they are: whoever sends ids has tokenized already
    require_vocabulary(ids, encoder.vocabulary_size, "input", place=f"input[{at}]")
    if len(ids) > encoder.context_length:
        raise ApiError(
            f"This model's maximum context length is {encoder.context_length} tokens. However, input[{at}] has "
            f"{len(ids)} tokens. Shorten it or split it.",
            param="input",
            code="context_length_exceeded",
        )
    return ids


def embed(
    encoder: Encoder,
    inputs: list[list[int]],
    *,
    emit: Callable[[tuple[int, Vector]], None],
    cancelled: threading.Event,
) -> None:
    """Calls `emit` with (index, vector) for each input; texts of like length go together, so that little is padding."""
    order = sorted(range(len(inputs)), key=lambda at: len(inputs[at]))
    for start in range(0, len(order), TEXTS_AT_ONCE):
        if cancelled.is_set():
            return
        batch = order[start : start + TEXTS_AT_ONCE]
        for index, vector in zip(batch, _vectors(encoder, [inputs[at] for at in batch]), strict=True):
            emit((index, vector))


def _vectors(encoder: Encoder, batch: list[list[int]]) -> torch.Tensor:
    longest = max(len(ids) for ids in batch)
    ids = torch.full((len(batch), longest), encoder.pad_id, dtype=torch.long)
    mask = torch.zeros((len(batch), longest), dtype=torch.long)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.long)
        mask[row, : len(tokens)] = 1
    with torch.inference_mode():
        mask = mask.to(encoder.device)
        states = encoder.network(input_ids=ids.to(encoder.device), attention_mask=mask).last_hidden_state.float()
        pooled = _pool(encoder.pooling, states, mask)
        if encoder.normalise:
            pooled = torch.nn.functional.normalize(pooled, dim=-1)
        return pooled.cpu()


def _pool(pooling: str, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = mask[:, :, None].to(states.dtype)
    match pooling:
        case "cls":
            return states[:, 0]
        case "lasttoken":
            return states[torch.arange(len(states), device=states.device), mask.sum(dim=1) - 1]
        case "max":
            return states.masked_fill(weights == 0, float("-inf")).max(dim=1).values
        case _:
            return (states * weights).sum(dim=1) / weights.sum(dim=1)


def answer_embeddings(
    request: EmbeddingRequest, inputs: list[list[int]], vectors: dict[int, Vector], model: str
) -> dict[str, Any]:
    """The answer; `base64` is of little-endian float32, which OpenAI's client asks for by itself."""
    tokens = sum(len(ids) for ids in inputs)
    as_base64 = request.encoding_format == "base64"
    return {
        "object": "list",
        "model": model,
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": _base64(vectors[index]) if as_base64 else vectors[index].tolist(),
            }
            for index in range(len(inputs))
        ],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _base64(vector: Vector) -> str:
    return base64.b64encode(vector.numpy().astype("<f4").tobytes()).decode("ascii")
