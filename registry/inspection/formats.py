"""Which parser reads which file, and what they found before: weights are looked into once, whoever holds them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import PurePosixPath

from registry.inspection import gguf, onnx, pytorch, safetensors
from registry.inspection.manifest import Manifest
from registry.inspection.source import Parsed, Source, Tensor
from registry.models import FormatFacts

# Goes up whenever a parser finds more or other things than before.
PARSER = 1
_BY_SUFFIX = {
    ".safetensors": "safetensors",
    ".gguf": "gguf",
    ".onnx": "onnx",
    **dict.fromkeys((".pt", ".pth", ".bin", ".ckpt"), "pytorch"),
}
_PARSERS: dict[str, Callable[[Source], Parsed]] = {
    "safetensors": safetensors.parse,
    "gguf": gguf.parse,
    "onnx": onnx.parse,
    "pytorch": pytorch.parse,
}


def kind_of(path: str) -> str:
    """safetensors, gguf, onnx, pytorch, or '' for what holds no weights by its name."""
    return _BY_SUFFIX.get(PurePosixPath(path).suffix.lower(), "")


def weights(files: Manifest) -> dict[str, str]:
    """The files that hold weights, each with its kind. Other files end in .bin too: those that don't begin as a checkpoint are left out."""
    found = {path: kind for path in files if (kind := kind_of(path))}
    return {path: kind for path, kind in found.items() if kind != "pytorch" or _is_checkpoint(files, path)}


def _is_checkpoint(files: Manifest, path: str) -> bool:
    with files.open(path) as stream:
        return pytorch.is_checkpoint(stream.read(4))


def look(files: Manifest, path: str) -> Parsed:
    """What a file of weights holds: as it was found before, or read now and kept.

    Raises Malformed where it does not hold what its format says, NotRead where it is too much to look into.
    """
    sha256, kind = files.sha256(path), kind_of(path)
    known = FormatFacts.objects.filter(blob_id=sha256, kind=kind, parser=PARSER).first()
    if known is not None:
        return Parsed(known.facts, unpack(known.tensors))
    with files.open(path) as stream:
        parsed = _PARSERS[kind](Source(path, stream, files.size(path)))
    FormatFacts.objects.update_or_create(
        blob_id=sha256,
        kind=kind,
        defaults={"parser": PARSER, "facts": parsed.facts, "tensors": pack(parsed.tensors)},
    )
    return parsed


def pack(tensors: list[Tensor]) -> bytes:
    return zlib.compress(json.dumps(tensors, separators=(",", ":")).encode(), 3) if tensors else b""


def unpack(packed: bytes | memoryview) -> list[Tensor]:
    if not packed:
        return []
    return [Tensor(name, dtype, tuple(shape), size, at) for name, dtype, shape, size, at in json.loads(zlib.decompress(packed))]  # fmt: skip
