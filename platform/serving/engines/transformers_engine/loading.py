"""Models from a folder of verified files. What does not load raises EngineError with transformers' own message."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.utils import logging as transformers_logging

from serving.engines.arguments import EngineOptions
from serving.engines.errors import EngineError
from serving.engines.transformers_engine.text import Vocabulary

# What a model's own generation_config may still decide; everything else is the request's.
KEPT_GENERATION_SETTINGS = ("repetition_penalty", "no_repeat_ngram_size", "suppress_tokens", "bad_words_ids")
# A tokenizer without a limit says 10**30.
NO_LIMIT = 10**9


@dataclass(frozen=True)
class LanguageModel:
    """A causal model, ready to generate. `defaults` are sampling parameters that its authors recommend."""

    network: Any
    tokenizer: Any
    vocabulary: Vocabulary
    device: torch.device
    context_length: int
    vocabulary_size: int
    end_ids: frozenset[int]
    pad_id: int
    defaults: dict[str, float]


@dataclass(frozen=True)
class Encoder:
    """An embedding model: pooling and normalisation as its sentence-transformers files say."""

    network: Any
    tokenizer: Any
    device: torch.device
    context_length: int
    vocabulary_size: int
    dimensions: int
    pad_id: int
    pooling: str
    normalise: bool
    lower_case: bool


def use_threads(threads: int | None) -> int:
    """Set torch's threads per request and return them: half of the cores, since several requests run at once."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    chosen = threads or max(1, available // 2)
    torch.set_num_threads(chosen)
    return chosen


def load_language_model(folder: Path, options: EngineOptions, *, device: str) -> LanguageModel:
    """Load a causal model for generation."""
    tokenizer = _load_tokenizer(folder)
    network = _load_network(AutoModelForCausalLM, folder, options, device=device, optional=())
    own = network.generation_config
    end_ids = _ids(own.eos_token_id) | _ids(tokenizer.eos_token_id) | _ids(network.config.eos_token_id)
    pad_id = next(iter(_ids(tokenizer.pad_token_id) or sorted(end_ids)), 0)
    network.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        eos_token_id=sorted(end_ids) or None,
        pad_token_id=pad_id,
        bos_token_id=own.bos_token_id,
        **{name: value for name in KEPT_GENERATION_SETTINGS if (value := getattr(own, name, None)) is not None},
    )
    return LanguageModel(
        network=network,
        tokenizer=tokenizer,
        vocabulary=Vocabulary(tokenizer),
        device=torch.device(device),
        context_length=_context_length(network.config, tokenizer, options),
        vocabulary_size=network.get_input_embeddings().num_embeddings,
        end_ids=frozenset(end_ids),
        pad_id=pad_id,
        defaults=_sampling_defaults(folder),
    )


def load_encoder(folder: Path, options: EngineOptions, *, device: str) -> Encoder:
    """Load a model for embeddings, with mean pooling and normalisation where its files say nothing."""
    pooling, normalise = _pooling(folder)
    tokenizer = _load_tokenizer(folder)
    # Poolers are for classification, and checkpoints for embeddings commonly leave them out.
    network = _load_network(AutoModel, folder, options, device=device, optional=("pooler.",))
    sentence = _read_json(folder / "sentence_bert_config.json") or {}
    context = _context_length(network.config, tokenizer, options)
    if isinstance(sentence.get("max_seq_length"), int) and options.max_model_len is None:
        context = min(context, sentence["max_seq_length"])
    return Encoder(
        network=network,
        tokenizer=tokenizer,
        device=torch.device(device),
        context_length=context,
        vocabulary_size=network.get_input_embeddings().num_embeddings,
        dimensions=network.config.hidden_size,
        pad_id=tokenizer.pad_token_id or 0,
        pooling=pooling,
        normalise=normalise,
        lower_case=bool(sentence.get("do_lower_case")),
    )


def _loaded(what: str, load: Callable[[], Any]) -> Any:
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return load()
    except Exception as error:  # whatever the libraries raise about somebody's files
        message = str(error).strip() or type(error).__name__
        if len(message) > 1200:  # AutoModel lists every architecture that it knows
            message = message[:1200] + " …"
        raise EngineError(f"the {what} does not load: {type(error).__name__}: {message}") from error


def _load_tokenizer(folder: Path) -> Any:
    tokenizer = _loaded(
        "tokenizer",
        lambda: AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False),
    )
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        # Saved settings would cut or fill silently; and changing them later is not safe between threads.
        backend.no_truncation()
        backend.no_padding()
    return tokenizer


def _load_network(loader: Any, folder: Path, options: EngineOptions, *, device: str, optional: tuple[str, ...]) -> Any:
    # Half precision saves memory on a GPU and costs speed on most CPUs.
    dtype = "float32" if options.dtype == "auto" and device == "cpu" else options.dtype
    _loaded(
        "configuration",
        lambda: AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False),
    )
    network, info = _loaded(
        "model",
        lambda: loader.from_pretrained(
            str(folder),
            dtype=dtype if dtype == "auto" else getattr(torch, dtype),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        ),
    )
    missing = sorted(name for name in info["missing_keys"] if not name.startswith(optional))
    if missing:
        # transformers would fill them with random numbers and go on.
        raise EngineError(
            f"the model does not load: {len(missing)} of its weights are not in the safetensors files: "
            + ", ".join(missing[:5])
            + (", …" if len(missing) > 5 else "")
        )
    try:
        return network.to(device).eval()
    except torch.OutOfMemoryError as error:
        raise EngineError(f"the model does not fit on {device}: {error}") from error
    except (RuntimeError, AssertionError) as error:  # the latter of a torch that was built without this device
        raise EngineError(
            f"the model cannot go to {device}: {error} (torch {torch.__version__}; a GPU needs a build for CUDA)"
        ) from error


def _context_length(config: Any, tokenizer: Any, options: EngineOptions) -> int:
    own = getattr(config.get_text_config(), "max_position_embeddings", None)
    limits = [limit for limit in (own, tokenizer.model_max_length) if isinstance(limit, int) and 0 < limit < NO_LIMIT]
    own_limit = min(limits) if limits else None
    if options.max_model_len is None:
        return own_limit or 2048
    if own_limit is not None and options.max_model_len > own_limit:
        raise EngineError(
            f"engine option 'max_model_len' is {options.max_model_len}; the model reads {own_limit} tokens"
        )
    return options.max_model_len


def _sampling_defaults(folder: Path) -> dict[str, float]:
    """What generation_config.json recommends. An explicit `do_sample: false` means greedy."""
    saved = _read_json(folder / "generation_config.json") or {}
    if saved.get("do_sample") is False:
        return {"temperature": 0.0}
    names = ("temperature", "top_p", "top_k")
    return {name: saved[name] for name in names if isinstance(saved.get(name), int | float) and saved[name] >= 0}


def _pooling(folder: Path) -> tuple[str, bool]:
    modules = _read_json(folder / "modules.json")
    if modules is None:
        return "mean", True
    pooling, normalise = "mean", False
    for module in modules:
        kind = str(module.get("type", "")).rsplit(".", 1)[-1]
        if kind == "Pooling":
            pooling = _pooling_mode(_read_json(folder / str(module.get("path", "")) / "config.json") or {})
        elif kind == "Normalize":
            normalise = True
        elif kind != "Transformer":
            raise EngineError(
                f"modules.json: this engine has no module {kind}; it knows Transformer, Pooling, Normalize"
            )
    return pooling, normalise


def _pooling_mode(config: dict[str, Any]) -> str:
    named = config.get("pooling_mode")
    flags = {
        "cls": "pooling_mode_cls_token",
        "max": "pooling_mode_max_tokens",
        "mean": "pooling_mode_mean_tokens",
        "lasttoken": "pooling_mode_lasttoken",
    }
    chosen = [named] if isinstance(named, str) else [mode for mode, flag in flags.items() if config.get(flag)]
    others = [name for name, value in config.items() if name.startswith("pooling_mode_") and value is True]
    if len(chosen) != 1 or chosen[0] not in flags or (not named and len(others) != 1):
        raise EngineError(f"the pooling {named or others} is not one that this engine knows: {', '.join(flags)}")
    return chosen[0]


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise EngineError(f"{path.name} is not JSON: {error}") from error


def _ids(value: Any) -> set[int]:
    if value is None:
        return set()
    return set(value) if isinstance(value, list | tuple) else {int(value)}
