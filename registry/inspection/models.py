"""What a model's files must hold to be registered, and the facts that they state."""

from __future__ import annotations

from collections import Counter
from typing import Any

from accounts.errors import Invalid
from registry.inspection.manifest import Manifest
from registry.inspection.safetensors import Header, read_header
from registry.models import Asset

INDEX = "model.safetensors.index.json"
_TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
)
# The names that different architectures give the same fact.
_CONTEXT = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx")


def check(files: Manifest, task: str) -> dict[str, Any]:
    """Check a model's files and return its facts; raises Invalid naming the file."""
    config = _config(files)
    headers = _weights(files)
    parameters: Counter[str] = Counter()
    for header in headers.values():
        parameters.update(header.parameters)
    facts: dict[str, Any] = {
        "architecture": _first(config.get("architectures")),
        "model_type": _text(config.get("model_type")),
        "parameters": sum(parameters.values()),
        "dtypes": dict(sorted(parameters.items())),
        "tensors": sum(len(header.tensors) for header in headers.values()),
        "context_length": next((config[name] for name in _CONTEXT if isinstance(config.get(name), int)), None),
        "vocabulary": config["vocab_size"] if isinstance(config.get("vocab_size"), int) else None,
        "hidden_size": config["hidden_size"] if isinstance(config.get("hidden_size"), int) else None,
    }
    facts["warnings"] = _warnings(files, config, task)
    found = {name: value for name, value in facts.items() if value not in (None, "", [], {}) and value != 0}
    why_not = not_servable(files)
    return found | ({"servable": False, "not_servable": why_not} if why_not else {"servable": True})


def not_servable(files: Manifest) -> str:
    """Why the engines can't load these files, in one sentence; '' when they can."""
    if "config.json" not in files:
        return "config.json is missing: it names the model's architecture (model.save_pretrained(folder) writes it)."
    if not any(path.endswith(".safetensors") and "/" not in path for path in files):
        return "There are no weights in safetensors: add a .safetensors file (model.save_pretrained(folder) writes it)."
    if not any(name in files for name in _TOKENIZERS):
        return "There is no tokenizer among the files (tokenizer.save_pretrained(folder) writes it)."
    return ""


def _config(files: Manifest) -> dict[str, Any]:
    if "config.json" not in files:
        return {}
    config = files.json("config.json")
    if not isinstance(config, dict):
        raise Invalid("files", "config.json: it holds no JSON object. Upload the file that save_pretrained wrote.")
    return config


def _weights(files: Manifest) -> dict[str, Header]:
    headers = {path: read_header(files, path) for path in files if path.endswith(".safetensors")}
    if INDEX in files:
        _check_index(files, headers)
    return headers


def _check_index(files: Manifest, headers: dict[str, Header]) -> None:
    index = files.json(INDEX)
    weights = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(shard, str) for shard in weights.values()):
        raise Invalid("files", f"{INDEX}: it has no 'weight_map'. Upload the file that save_pretrained wrote.")
    for tensor, shard in sorted(weights.items()):
        if shard not in headers:
            raise Invalid(
                "files",
                f"{shard} is missing: {INDEX} says that it holds part of the weights.",
                code="incomplete_version",
            )
        if tensor not in headers[shard].tensors:
            raise Invalid("files", f"{shard}: tensor '{tensor[:100]}', which {INDEX} places there, is not in it.")


def _warnings(files: Manifest, config: dict[str, Any], task: str) -> list[str]:
    found = []
    if why_not := not_servable(files):
        found.append(f"This version can't be served here. {why_not}")
    if task == Asset.Task.TEXT_GENERATION and not _has_chat_template(files):
        found.append("There is no chat template, so it answers completions but no chats.")
    if config.get("auto_map"):
        found.append("Its configuration asks for code of its own, which is never run here.")
    return found


def _has_chat_template(files: Manifest) -> bool:
    if any(path.startswith("chat_template.") for path in files):
        return True
    if "tokenizer_config.json" not in files:
        return False
    settings = files.json("tokenizer_config.json")
    return isinstance(settings, dict) and bool(settings.get("chat_template"))


def _first(value: Any) -> str:
    return _text(value[0]) if isinstance(value, list) and value else ""


def _text(value: Any) -> str:
    """A short text that the database can hold: no NUL, no half of a surrogate pair."""
    return value[:200].encode("utf-8", "replace").decode().replace("\0", "") if isinstance(value, str) else ""
