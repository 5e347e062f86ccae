"""Reading the header of a safetensors file without its tensors (https://github.com/huggingface/safetensors)."""

from __future__ import annotations

import json
import math
import re
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from accounts.errors import Invalid
from registry.inspection.manifest import Manifest

# The format allows 100 MiB; the largest models there are have a few, and JSON grows tenfold when it is read.
MAX_HEADER_BYTES = 32 << 20
_MAX_DIMENSIONS = 16
_DTYPE = re.compile(r"[A-Z0-9_]{1,32}")
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """What a file holds: number of parameters by data type, and the tensors' names."""

    parameters: Counter[str] = field(default_factory=Counter)
    tensors: frozenset[str] = frozenset()


def read_header(files: Manifest, path: str) -> Header:
    """Check a file against its own header; Invalid says which bytes are missing or wrong."""
    size = files.size(path)
    with files.open(path) as stream:
        prefix = _exactly(stream.read, 8)
        if len(prefix) < 8:
            raise _wrong(
                path, f"it has {size} bytes, and the header alone needs more. The upload was cut short: send it again."
            )
        (length,) = struct.unpack("<Q", prefix)
        if length > MAX_HEADER_BYTES or length < 2:
            raise _wrong(
                path,
                "it does not begin with a safetensors header. Save the weights as safetensors and upload that file.",
            )
        text = _exactly(stream.read, length)
    if len(text) < length:
        raise _wrong(
            path, f"expected at least {8 + length} bytes, got {size}. The upload was cut short: send it again."
        )
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        raise _wrong(
            path, "its header is not JSON, so it is no safetensors file. Save it again and upload it."
        ) from None
    if not isinstance(header, dict) or not text.startswith(b"{"):
        raise _wrong(
            path, "its header is not a JSON object, so it is no safetensors file. Save it again and upload it."
        )
    return _check_tensors(path, header, data_size=size - 8 - length, file_size=size, header_size=8 + length)


def _check_tensors(path: str, header: dict[str, Any], *, data_size: int, file_size: int, header_size: int) -> Header:
    spans: list[tuple[int, int]] = []
    parameters: Counter[str] = Counter()
    names = []
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        begin, end, dtype, count = _tensor(path, name, tensor)
        spans.append((begin, end))
        parameters[dtype] += count
        names.append(name)
    spans.sort()
    position = 0
    for begin, end in spans:
        if begin != position:
            raise _wrong(path, "its tensors overlap or leave gaps. Save it again and upload it.")
        position = end
    if position != data_size:
        cut = (
            "The upload was cut short: send it again."
            if position > data_size
            else "It has bytes after its last tensor."
        )
        raise _wrong(path, f"expected {header_size + position} bytes, got {file_size}. {cut}")
    return Header(parameters, frozenset(names))


def _tensor(path: str, name: str, tensor: Any) -> tuple[int, int, str, int]:
    try:
        begin, end = tensor["data_offsets"]
        shape, dtype = tensor["shape"], tensor["dtype"]
        sound = (
            len(shape) <= _MAX_DIMENSIONS
            and all(isinstance(n, int) and 0 <= n < 2**63 for n in [begin, end, *shape])
            and begin <= end
            and isinstance(dtype, str)
            and _DTYPE.fullmatch(dtype) is not None
        )
        count = math.prod(shape) if sound else 0
    except (TypeError, ValueError, KeyError):
        sound = False
    if not sound:
        raise _wrong(
            path, f"the entry of tensor '{name[:100]}' in its header is not valid. Save it again and upload it."
        )
    bits = _BITS.get(dtype)
    if bits and (count * bits + 7) // 8 != end - begin:
        raise _wrong(
            path, f"tensor '{name[:100]}' has {end - begin} bytes, but its shape needs {(count * bits + 7) // 8}."
        )
    return begin, end, dtype, count


def _exactly(read: Any, length: int) -> bytes:
    blocks, missing = [], length
    while missing and (block := read(min(missing, 1 << 20))):
        blocks.append(block)
        missing -= len(block)
    return b"".join(blocks)


def _wrong(path: str, what: str) -> Invalid:
    return Invalid("files", f"{path}: {what}", code="invalid_file")
