"""What a model's files hold: checked where they are broken, and said as facts where something is missing."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePosixPath
from typing import Any

from registry.inspection import configs, formats
from registry.inspection.manifest import Manifest
from registry.inspection.source import Malformed, NotRead, Parsed, Tensor
from registry.models import Asset

# Where a version holds its weights several times over, the first of these is what it is.
_ORDER = ("safetensors", "pytorch", "gguf", "onnx")
_PART = re.compile(r"-\d{5}-of-\d{5}$")
# Facts that a GGUF file states itself, where there is no config.json.
_OF_GGUF = ("architecture", "context_length", "vocabulary", "hidden_size", "layers", "heads", "kv_heads", "head_dim", "quantisation")  # fmt: skip
# Names under which quantised weights are packed, several to an element; and of what stands beside them.
_PACKED = (".qweight", ".weight_packed", "_blocks")
_BESIDE = (".scales", ".qzeros", ".g_idx", ".weight_scale", ".weight_zero_point", ".weight_shape", "_scales", ".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map")  # fmt: skip
_BITS_OF = {"I32": 32, "U8": 8, "I8": 8}


def check(files: Manifest, task: str) -> dict[str, Any]:
    """Check a model's files and return its facts; raises Malformed naming the file."""
    config = configs.obj(files, configs.CONFIG)
    kinds, warnings, parsed = formats.weights(files), [], {}
    for path in kinds:
        try:
            parsed[path] = formats.look(files, path)
        except NotRead as reason:
            warnings.append(f"{path} is not looked into: {reason}.")
    _check_external(files, parsed)
    configs.check_indexes(files, {path: found.tensors for path, found in parsed.items()})
    facts = configs.config_facts(config)
    facts |= {"adapter": configs.adapter_facts(files), "tokenizer": configs.tokenizer_facts(files)}
    configs.obj(files, "generation_config.json")
    facts["formats"] = sorted(set(kinds.values()))
    facts |= _weights(files, kinds, parsed, facts.get("quantisation", {}))
    facts.setdefault("vocabulary", facts["tokenizer"].get("vocabulary") or None)
    why_not = not_servable(files, facts["adapter"])
    facts["warnings"] = warnings + _warnings(files, config, task, facts, why_not)
    found = {name: value for name, value in facts.items() if value not in (None, "", [], {}) and value != 0}
    return found | ({"servable": False, "not_servable": why_not} if why_not else {"servable": True})


def not_servable(files: Manifest, adapter: dict[str, Any]) -> str:
    """Why the engines can't load these files, in one sentence; '' when they can."""
    if adapter:
        base = adapter.get("base_model") or "its base model"
        return f"It is an adapter of {base}: merge the two, and serve what comes of it."
    if configs.CONFIG not in files:
        return "config.json is missing: it names the model's architecture (model.save_pretrained(folder) writes it)."
    if not any(path.endswith(".safetensors") and "/" not in path for path in files):
        return "There are no weights in safetensors: add a .safetensors file (model.save_pretrained(folder) writes it)."
    if not any(name in files for name in configs.TOKENIZERS):
        return "There is no tokenizer among the files (tokenizer.save_pretrained(folder) writes it)."
    return ""


def _check_external(files: Manifest, parsed: dict[str, Parsed]) -> None:
    for path, found in parsed.items():
        for location in found.facts.get("external_data", []):
            place = str(PurePosixPath(path).parent / location)
            if place not in files:
                raise Malformed(
                    place, f"it is missing, and {path} keeps weights in it.", remedy="Upload it too.",
                    code="incomplete_version",
                )  # fmt: skip


def main_weights(kinds: dict[str, str], tensors: dict[str, list[Tensor]]) -> list[str]:
    """The files that count where parameters are added up: of the best format, at the root if some are there; of several whole
    GGUF or ONNX files (one per quantisation) the largest."""
    for kind in _ORDER:
        paths = sorted(path for path, one in kinds.items() if one == kind and tensors.get(path))
        if not paths:
            continue
        if kind in ("gguf", "onnx"):
            groups: dict[str, list[str]] = {}
            for path in paths:
                groups.setdefault(_PART.sub("", str(PurePosixPath(path).with_suffix(""))), []).append(path)
            return max(groups.values(), key=lambda group: sum(one.size for path in group for one in tensors[path]))
        return [path for path in paths if "/" not in path] or paths
    return []


def _weights(
    files: Manifest, kinds: dict[str, str], parsed: dict[str, Parsed], quantisation: dict[str, Any]
) -> dict[str, Any]:
    paths = main_weights(kinds, {path: found.tensors for path, found in parsed.items()})
    elements: Counter[str] = Counter()
    size = parameters = count = 0
    for path in paths:
        for tensor in parsed[path].tensors:
            elements[tensor.dtype] += tensor.elements
            parameters += logical(tensor, quantisation)
            size += tensor.size
            count += 1
    facts: dict[str, Any] = {
        "parameters": parameters,
        "dtypes": dict(sorted(elements.items())),
        "tensors": count,
        "weight_bytes": size,
    }
    calls = sorted({name for found in parsed.values() for name in found.facts.get("calls", [])})
    if calls:
        facts["calls"] = calls[:30]
    for path in paths:
        own = parsed[path].facts
        if kinds[path] == "gguf":
            facts |= {name: own[name] for name in _OF_GGUF if name in own and name != "quantisation"}
            if own.get("quantisation"):
                facts["quantisation"] = {"method": own["quantisation"]}
            break
        if kinds[path] == "onnx":
            facts["onnx"] = {
                name: own[name] for name in ("opset", "inputs", "outputs", "nodes", "producer") if name in own
            }
            break
    return facts


def logical(tensor: Tensor, quantisation: dict[str, Any]) -> int:
    """How many parameters a tensor stands for: quantised ones are packed several to an element, with scales beside them."""
    if not quantisation:
        return tensor.elements
    if tensor.name.endswith(_BESIDE) or ".quant_state." in tensor.name:
        return 0
    bits = quantisation.get("bits") or (4 if quantisation.get("method") == "mxfp4" else 0)
    packed = tensor.name.endswith(_PACKED) or (
        quantisation.get("method") == "bitsandbytes" and bits == 4 and tensor.dtype == "U8"
    )
    if packed and bits and tensor.dtype in _BITS_OF:
        return tensor.elements * _BITS_OF[tensor.dtype] // bits
    return tensor.elements


def _warnings(files: Manifest, config: dict[str, Any], task: str, facts: dict[str, Any], why_not: str) -> list[str]:
    found = []
    if why_not:
        found.append(f"This version can't be served here. {why_not}")
    elif task == Asset.Task.TEXT_GENERATION and not facts["tokenizer"].get("chat_template"):
        found.append("There is no chat template, so it answers completions but no chats.")
    if config.get("auto_map"):
        found.append("Its configuration asks for code of its own, which is never run here.")
    return found
