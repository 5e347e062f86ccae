"""Which files of a version are checkpoints, and what they are called afterwards. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import PurePosixPath

CHECKPOINTS = (".bin", ".pt", ".pth", ".ckpt")
# What a trainer leaves beside the weights: of no use to whoever loads the model, and mostly code.
_NO_WEIGHTS = re.compile(
    r"(?:^|/)(?:training_args|optimizer|scheduler|scaler|rng_state(?:_\d+)?|trainer_state)\.(?:bin|pt|pth)$"
)
INDEX = re.compile(r"^(?P<folder>.*/)?pytorch_model\.bin\.index\.json$")


def checkpoints(paths: Collection[str]) -> list[str]:
    """The files that hold weights as a pickle."""
    return sorted(p for p in paths if PurePosixPath(p).suffix.lower() in CHECKPOINTS and not _NO_WEIGHTS.search(p))


def leftovers(paths: Collection[str]) -> set[str]:
    """The files that a converted version does without."""
    return {p for p in paths if _NO_WEIGHTS.search(p)} | set(checkpoints(paths)) | {p for p in paths if INDEX.match(p)}


def target(path: str) -> str:
    """'pytorch_model-00001-of-00002.bin' -> 'model-00001-of-00002.safetensors', 'lora.pt' -> 'lora.safetensors'."""
    whole = PurePosixPath(path)
    stem = whole.stem
    if stem == "pytorch_model" or stem.startswith("pytorch_model-"):
        stem = stem.removeprefix("pytorch_")
    return str(whole.with_name(f"{stem}.safetensors"))


def convertible(paths: Collection[str]) -> bool:
    """Are there checkpoints whose weights are not there as safetensors already?"""
    return any(target(path) not in paths for path in checkpoints(paths))
