"""Reading the header of a safetensors file without its tensors (https://github.com/huggingface/safetensors)."""

from __future__ import annotations

import json
import re
from typing import Any

from registry.inspection.source import BITS, Parsed, Source, Tensor, bytes_of, is_shape, plain

# The format allows 100 MiB; the largest models there are have a few, and JSON grows tenfold when it is read.
MAX_HEADER_BYTES = 32 << 20
_DTYPE = re.compile(r"[A-Z0-9_]{1,32}")
_CUT = "The upload was cut short: send it again."


def parse(source: Source) -> Parsed:
    """Check a file against its own header; Malformed says which bytes are missing or wrong."""
    text = _header_text(source)
    begin = source.at
    try:
        header = json.loads(text, object_pairs_hook=_no_doubles)
    except _Double as double:
        raise source.wrong(f"its header names '{plain(str(double), 100)}' twice.") from None
    except (ValueError, RecursionError):
        raise source.wrong("its header is not JSON, so it is no safetensors file.") from None
    if not isinstance(header, dict) or not text.startswith(b"{"):
        raise source.wrong("its header is not a JSON object, so it is no safetensors file.")
    metadata = header.pop("__metadata__", None)
    tensors = [_tensor(source, name, entry, begin) for name, entry in header.items()]
    _check_spans(source, tensors, begin)
    written = plain(metadata.get("format")) if isinstance(metadata, dict) else ""
    return Parsed({"written_as": written} if written else {}, tensors)


def _header_text(source: Source) -> bytes:
    if source.size < 8:
        raise source.wrong(f"it has {source.size} bytes, and the header alone needs more.", _CUT)
    length = source.number("Q")
    if length > MAX_HEADER_BYTES or length < 2:
        raise source.wrong(
            "it does not begin with a safetensors header.", "Save the weights as safetensors and upload that file."
        )
    if length > source.size - 8:
        raise source.wrong(f"expected at least {8 + length} bytes, got {source.size}.", _CUT)
    return source.take(length)


class _Double(Exception):
    pass


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        raise _Double(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return found


def _check_spans(source: Source, tensors: list[Tensor], begin: int) -> None:
    position = begin
    for at, size, name in sorted((tensor.at, tensor.size, tensor.name) for tensor in tensors):
        if at != position:
            source.at = min(at, source.size)
            kind = "overlaps the one before it" if at < position else "leaves a gap before it"
            raise source.wrong(f"tensor '{plain(name, 100)}' {kind}.")
        position += size
    if position != source.size:
        cut = _CUT if position > source.size else "It has bytes after its last tensor: save it again and upload it."
        source.at = min(position, source.size)
        raise source.wrong(f"expected {position} bytes, got {source.size}.", cut)


def _tensor(source: Source, name: str, entry: Any, begin: int) -> Tensor:
    try:
        first, end = entry["data_offsets"]
        shape, dtype = entry["shape"], entry["dtype"]
        sound = (
            isinstance(shape, list)
            and is_shape(shape)
            and all(type(n) is int and 0 <= n < 2**63 for n in (first, end))
            and first <= end
            and isinstance(dtype, str)
            and _DTYPE.fullmatch(dtype) is not None
        )
    except (TypeError, ValueError, KeyError):
        sound = False
    if not sound:
        raise source.wrong(f"the entry of tensor '{plain(name, 100)}' in its header is not valid.")
    found = Tensor(plain(name, 500), dtype, tuple(shape), end - first, begin + first)
    if dtype in BITS and bytes_of(dtype, found.elements) != found.size:
        raise source.wrong(
            f"tensor '{found.name[:100]}' has {found.size} bytes, but its shape needs {bytes_of(dtype, found.elements)}."
        )
    return found
