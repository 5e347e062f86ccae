"""What the sandbox runs: weights out of a checkpoint, by PyTorch's own reader that builds tensors and calls nothing else."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from typing import Any

_INNER = ("state_dict", "model_state_dict", "model", "module", "net", "weights")


def convert(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """request: {"files": [{"path", "size"}], "handles"}. Writes 0.safetensors, 1.safetensors … into its folder; yields
    {"done": n, "tensors": [names], "left_out": [names]}, or {"failed": n, "why"} and ends."""
    import torch
    from safetensors.torch import save_file

    torch.set_num_threads(1)
    for number, (_, handle) in enumerate(zip(request["files"], request["handles"], strict=True)):
        yield {"begin": number}
        try:
            with os.fdopen(os.dup(handle), "rb") as stream:
                loaded = torch.load(stream, map_location="cpu", weights_only=True)
            tensors, left_out = _tensors(loaded)
            del loaded
            save_file(_apart(tensors), f"{number}.safetensors", metadata={"format": "pt"})
        except MemoryError:
            raise
        except Exception as error:  # whatever a file makes of it: nothing of it was run
            yield {"failed": number, "why": _why(error)}
            return
        yield {"done": number, "tensors": sorted(tensors), "left_out": left_out[:20]}
        del tensors
        gc.collect()


def _tensors(loaded: Any) -> tuple[dict[str, Any], list[str]]:
    """The tensors by name, and the names of what is none."""
    import torch

    if isinstance(loaded, Mapping) and not any(isinstance(value, torch.Tensor) for value in loaded.values()):
        inner = next((loaded[name] for name in _INNER if isinstance(loaded.get(name), Mapping)), None)
        if inner is not None:
            tensors, left_out = _tensors(inner)
            return tensors, [*left_out, *(str(name) for name, value in loaded.items() if value is not inner)]
    if not isinstance(loaded, Mapping):
        raise ValueError(f"it holds a {type(loaded).__name__}, not weights by name")
    tensors = {str(name): value for name, value in loaded.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise ValueError("it holds no weights by name")
    return tensors, [str(name) for name, value in loaded.items() if not isinstance(value, torch.Tensor)]


def _apart(tensors: dict[str, Any]) -> dict[str, Any]:
    """Tensors that share memory (tied weights, views) get bytes of their own: safetensors keeps each whole."""
    seen: set[int] = set()
    found: dict[str, Any] = {}
    for name, tensor in tensors.items():
        tensor = tensor.detach()
        if tensor.is_sparse:
            tensor = tensor.to_dense()
        place = tensor.untyped_storage().data_ptr()
        shared = place in seen and tensor.numel() > 0
        seen.add(place)
        found[name] = tensor.clone().contiguous() if shared or not tensor.is_contiguous() else tensor
    return found


def _why(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "Unsupported global" in text or "weights_only" in text.lower() or "Unsupported" in text:
        at = text.find("GLOBAL ")
        named = text[at + 7 :].split(" ")[0] if at >= 0 else ""
        what = f"'{named}'" if named else "something that is no tensor"
        return f"Loading it would call {what}, which is never run here. Save its weights alone and upload those."
    return f"{type(error).__name__}: {text[:300]}"
