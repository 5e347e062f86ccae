"""The memory that a model needs: its weights at each precision, and what it keeps of the text that it has read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Bits of one weight, by what people call it.
PRECISIONS = (("fp32", 32), ("bf16", 16), ("int8", 8), ("int4", 4))
_CACHE_BYTES = 2  # keys and values are kept in 16 bits
_WRITES = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "ForCausalConditionalGeneration")


@dataclass(frozen=True)
class Precision:
    """Bytes for the weights, and with the cache of one text of full length (0: nothing is known of a cache)."""

    name: str
    bits: int
    weights: int
    total: int


@dataclass(frozen=True)
class Cache:
    """Keys and values of one text of `tokens` tokens. `formula` with its numbers, for people."""

    tokens: int
    per_token: int
    size: int
    formula: str


@dataclass(frozen=True)
class Memory:
    parameters: int
    stored: int  # bytes of the tensors as they are in the files
    precisions: list[Precision]
    cache: Cache | None


def needed(facts: dict[str, Any], tokens: int | None = None) -> Memory | None:
    """For one text of `tokens` tokens, the model's context length without it. None where the parameters aren't known.

    A lower bound: activations, the engine itself and the scales of quantised weights come on top.
    """
    parameters = facts.get("parameters")
    if not isinstance(parameters, int) or parameters <= 0:
        return None
    cache = _cache(facts, tokens)
    rows = []
    for name, bits in PRECISIONS:
        weights = parameters * bits // 8
        rows.append(Precision(name, bits, weights, weights + (cache.size if cache else 0)))
    return Memory(parameters, facts.get("weight_bytes", 0), rows, cache)


def _cache(facts: dict[str, Any], tokens: int | None) -> Cache | None:
    """None for models that write no text, and where the configuration does not say enough."""
    length = tokens or facts.get("context_length")
    layers, heads = facts.get("layers"), facts.get("heads")
    writes = "gguf" in facts.get("formats", []) or any(word in facts.get("architecture", "") for word in _WRITES)
    if not writes or not length or not layers:
        return None
    rank = facts.get("kv_rank")
    if rank:
        rope = facts.get("rope_dim", 0)
        per_token = layers * (rank + rope) * _CACHE_BYTES
        formula = f"{layers} layers × ({rank} + {rope}) compressed dimensions × {_CACHE_BYTES} bytes × {length} tokens"
        return Cache(length, per_token, per_token * length, formula)
    if not heads:
        return None
    kept = facts.get("kv_heads") or heads
    width = facts.get("head_dim") or (facts.get("hidden_size", 0) // heads)
    if not width:
        return None
    per_token = 2 * layers * kept * width * _CACHE_BYTES
    formula = f"2 (keys and values) × {layers} layers × {kept} heads × {width} dimensions × {_CACHE_BYTES} bytes × {length} tokens"
    return Cache(length, per_token, per_token * length, formula)
