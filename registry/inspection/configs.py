"""What the small JSON files beside the weights say: config.json, adapters, tokenizers, the index of shards."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from registry.inspection.manifest import MAX_JSON_BYTES, Manifest
from registry.inspection.source import Malformed, Tensor, plain

CONFIG = "config.json"
ADAPTER = "adapter_config.json"
TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
)
_INDEXES = (".safetensors.index.json", ".bin.index.json")
_MOST_TOKENS = 50
# The names that different architectures give the same fact.
_NUMBERS = {
    "context_length": ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx"),
    "vocabulary": ("vocab_size",),
    "hidden_size": ("hidden_size", "n_embd", "d_model"),
    "layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "heads": ("num_attention_heads", "n_head", "num_heads"),
    "kv_heads": ("num_key_value_heads",),
    "head_dim": ("head_dim",),
    "sliding_window": ("sliding_window",),
    "experts": ("num_local_experts", "num_experts", "n_routed_experts"),
    "kv_rank": ("kv_lora_rank",),
    "rope_dim": ("qk_rope_head_dim",),
}


def obj(files: Manifest, path: str) -> dict[str, Any]:
    """A JSON file that must hold an object; {} where it is not there, or too large to be looked into."""
    if path not in files or files.size(path) > MAX_JSON_BYTES:
        return {}
    value = files.json(path)
    if not isinstance(value, dict):
        raise Malformed(path, "it holds no JSON object.", remedy="Upload the file that save_pretrained wrote.")
    return value


def config_facts(config: dict[str, Any]) -> dict[str, Any]:
    """Architecture, sizes and quantisation; of a model of several parts those of its language part."""
    inner = config.get("text_config")
    places = [config, inner] if isinstance(inner, dict) else [config]
    facts: dict[str, Any] = {
        "architecture": _first(config.get("architectures")),
        "model_type": plain(config.get("model_type")),
    }
    for fact, names in _NUMBERS.items():
        values = (place[name] for place in places for name in names if type(place.get(name)) is int)
        facts[fact] = next((value for value in values if 0 < value < 2**53), None)
    facts["dtype"] = plain(config.get("dtype")) or plain(config.get("torch_dtype"))
    for place in places:
        facts["rope"] = facts.get("rope") or _rope(place)
    facts["quantisation"] = _quantisation(config.get("quantization_config"))
    return {name: value for name, value in facts.items() if value not in (None, "", {}, [])}


def _rope(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    scaling = config.get("rope_parameters") or config.get("rope_scaling")
    scaling = scaling if isinstance(scaling, dict) else {}
    theta = config.get("rope_theta") or scaling.get("rope_theta")
    if _is_number(theta):
        found["theta"] = theta
    kind = plain(scaling.get("rope_type")) or plain(scaling.get("type"))
    if kind:
        found["type"] = kind
    if _is_number(scaling.get("factor")):
        found["factor"] = scaling["factor"]
    return found


def _quantisation(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    bits = value.get("bits")
    if value.get("load_in_4bit"):
        bits = 4
    elif value.get("load_in_8bit"):
        bits = 8
    return {
        name: found
        for name, found in (
            ("method", plain(value.get("quant_method"), 60)),
            ("bits", bits if type(bits) is int and 0 < bits <= 64 else None),
            (
                "group_size",
                value.get("group_size")
                if type(value.get("group_size")) is int and _is_number(value.get("group_size"))
                else None,
            ),
        )
        if found
    }


def adapter_facts(files: Manifest) -> dict[str, Any]:
    """Of a LoRA (or other PEFT) adapter: what it is put on, its rank, scale and where it works; {} for other versions."""
    config = obj(files, ADAPTER)
    targets = config.get("target_modules")
    found = {
        "type": plain(config.get("peft_type"), 60),
        "base_model": plain(config.get("base_model_name_or_path"), 300),
        "rank": config.get("r") if type(config.get("r")) is int and _is_number(config.get("r")) else None,
        "alpha": config.get("lora_alpha") if _is_number(config.get("lora_alpha")) else None,
        "target_modules": sorted(plain(name) for name in targets if isinstance(name, str))[:50] if isinstance(targets, list) else plain(targets),
        "task": plain(config.get("task_type"), 60),
    }  # fmt: skip
    return {name: value for name, value in found.items() if value not in (None, "", [])}


def tokenizer_facts(files: Manifest) -> dict[str, Any]:
    """Kind, size of the vocabulary, special tokens, and whether there is a chat template."""
    content = obj(files, "tokenizer.json")
    settings = obj(files, "tokenizer_config.json")
    model = content.get("model") if isinstance(content.get("model"), dict) else {}
    added = [one for one in content.get("added_tokens") or [] if isinstance(one, dict)] if isinstance(content.get("added_tokens"), list) else []  # fmt: skip
    vocabulary = set(vocabulary_of(content))
    facts = {
        "kind": plain(model.get("type"), 60) if isinstance(model, dict) else "",
        "class": plain(settings.get("tokenizer_class"), 100),
        "vocabulary": len(vocabulary),
        "special_tokens": special_tokens(content)[:_MOST_TOKENS],
        "added_tokens": len(added),
        "chat_template": has_chat_template(files, settings),
    }
    return {name: value for name, value in facts.items() if value}


def vocabulary_of(tokenizer: dict[str, Any]) -> list[str]:
    """Every token of a tokenizer.json, added ones included."""
    model = tokenizer.get("model")
    tokens = model.get("vocab") if isinstance(model, dict) else None
    found: list[str] = []
    if isinstance(tokens, dict):
        found = list(tokens)
    elif isinstance(tokens, list):  # Unigram: [token, score]
        found = [one[0] for one in tokens if isinstance(one, list) and one and isinstance(one[0], str)]
    added = tokenizer.get("added_tokens")
    if isinstance(added, list):
        found += [one["content"] for one in added if isinstance(one, dict) and isinstance(one.get("content"), str)]
    return found


def special_tokens(tokenizer: dict[str, Any]) -> list[str]:
    added = tokenizer.get("added_tokens")
    if not isinstance(added, list):
        return []
    return [plain(one.get("content"), 100) for one in added if isinstance(one, dict) and one.get("special") is True]


def has_chat_template(files: Manifest, settings: dict[str, Any]) -> bool:
    return any(path.startswith("chat_template.") for path in files) or bool(settings.get("chat_template"))


def check_indexes(files: Manifest, tensors: dict[str, list[Tensor]]) -> None:
    """Raise where an index of shards names a file or a tensor that is not there."""
    for path in files:
        if not path.endswith(_INDEXES):
            continue
        index, folder = obj(files, path), PurePosixPath(path).parent
        weights = index.get("weight_map")
        if not isinstance(weights, dict) or not all(isinstance(shard, str) for shard in weights.values()):
            raise Malformed(path, "it has no 'weight_map'.", remedy="Upload the file that save_pretrained wrote.")
        names: dict[str, set[str]] = {}
        for tensor, shard in sorted(weights.items()):
            place = str(folder / shard)
            if place not in files:
                raise Malformed(
                    place, f"it is missing, and {path} says that it holds part of the weights.",
                    remedy="Upload it too.", code="incomplete_version",
                )  # fmt: skip
            if place not in tensors:
                continue
            if place not in names:
                names[place] = {one.name for one in tensors[place]}
            if plain(tensor, 500) not in names[place]:
                raise Malformed(place, f"tensor '{plain(tensor, 100)}', which {path} places there, is not in it.")


def _first(value: Any) -> str:
    return plain(value[0]) if isinstance(value, list) and value else ""


def _is_number(value: Any) -> bool:
    """A number that JSON can hold again: 1e999 is read as infinity."""
    return type(value) in (int, float) and -1e300 < value < 1e300
