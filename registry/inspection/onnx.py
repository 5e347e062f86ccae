"""ONNX models: inputs, outputs, operators and initialisers. The protobuf is walked in place, so that weights of any size are passed
over and never held in memory (the field numbers are those of onnx.proto)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from registry.inspection.source import MAX_TENSORS, Parsed, Source, Tensor, bytes_of, is_shape, plain

MAX_FIELDS = 2_000_000
MAX_TEXT = 4096
_MOST_LISTED = 32
_VARINT, _I64, _BYTES, _I32 = 0, 1, 2, 5
_TYPES = {
    1: "F32", 2: "U8", 3: "I8", 4: "U16", 5: "I16", 6: "I32", 7: "I64", 8: "STRING", 9: "BOOL", 10: "F16", 11: "F64", 12: "U32",
    13: "U64", 14: "C64", 15: "C128", 16: "BF16", 17: "F8_E4M3", 18: "F8_E4M3FNUZ", 19: "F8_E5M2", 20: "F8_E5M2FNUZ", 21: "U4",
    22: "I4", 23: "F4", 24: "F8_E8M0", 25: "U2", 26: "I2", 27: "F6_E2M3", 28: "F6_E3M2",
}  # fmt: skip


@dataclass
class _Found:
    """What the walk collects."""

    facts: dict[str, Any] = field(default_factory=dict)
    tensors: list[Tensor] = field(default_factory=list)
    operators: Counter[str] = field(default_factory=Counter)
    inputs: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    external: set[str] = field(default_factory=set)
    graphs: int = 0


def parse(source: Source) -> Parsed:
    """Facts and initialisers; Malformed where it is no protobuf of a model, or names data outside the version."""
    walk = _Walk(source)
    found = _Found()
    opsets: dict[str, int] = {}
    for number, kind, value in walk.fields(source.size):
        if number == 1 and kind == _VARINT:
            found.facts["ir_version"] = value
        elif number == 2 and kind == _BYTES:
            found.facts["producer"] = walk.text(value)
        elif number == 7 and kind == _BYTES:
            found.graphs += 1
            _graph(walk, value, found)
        elif number == 8 and kind == _BYTES:
            domain, version = _opset(walk, value)
            if len(opsets) < _MOST_LISTED:
                opsets[domain or "ai.onnx"] = version
    if found.graphs != 1:
        raise source.wrong("it holds no ONNX graph.", "Export the model again and upload it.")
    # An initialiser that is listed as an input too (before IR version 4) is no input that anybody gives.
    given = {tensor.name for tensor in found.tensors}
    facts = {
        **found.facts,
        "opset": opsets,
        "inputs": [one for one in found.inputs if one["name"] not in given][:_MOST_LISTED],
        "outputs": found.outputs[:_MOST_LISTED],
        "operators": dict(found.operators.most_common(_MOST_LISTED)),
        "nodes": found.operators.total(),
        "external_data": sorted(found.external),
    }
    return Parsed({name: value for name, value in facts.items() if value}, found.tensors)


class _Walk:
    """The fields of protobuf messages between two places, by seeking; all messages of a file share one budget of fields."""

    def __init__(self, source: Source) -> None:
        self.source, self.budget = source, MAX_FIELDS

    def fields(self, end: int) -> Iterator[tuple[int, int, int]]:
        """(field, wire type, value): the number of a varint, or the end of bytes that begin at the source's position. What the
        caller leaves unread is passed over."""
        source = self.source
        while source.at < end:
            self.budget -= 1
            if self.budget < 0:
                raise source.wrong("it has more fields than any model needs.")
            tag = self.varint(end)
            number, kind = tag >> 3, tag & 7
            if not number:
                raise source.wrong("not an ONNX model: a field has no number.")
            if kind == _VARINT:
                yield number, kind, self.varint(end)
                continue
            if kind == _BYTES:
                length = self.varint(end)
            elif kind in (_I64, _I32):
                length = 8 if kind == _I64 else 4
            else:
                raise source.wrong("not an ONNX model: a field of a kind that protobuf does not have.")
            stop = source.at + length
            if stop > end:
                raise source.wrong(
                    f"{length} bytes are announced here, and {end - source.at} are left.",
                    "If the upload was cut short, send it again.",
                )
            yield number, kind, stop
            source.seek(stop)

    def varint(self, end: int) -> int:
        value = 0
        for shift in range(0, 70, 7):
            if self.source.at >= end:
                raise self.source.wrong("it ends in the middle of a number.")
            byte = self.source.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & (2**64 - 1)
        raise self.source.wrong("not an ONNX model: a number without an end.")

    def text(self, end: int) -> str:
        length = end - self.source.at
        if length > MAX_TEXT:
            raise self.source.wrong(f"a name of {length} bytes is announced; at most {MAX_TEXT} are believed.")
        return plain(self.source.take(length).decode("utf-8", "replace"), 500)


def _graph(walk: _Walk, end: int, found: _Found) -> None:
    for number, kind, value in walk.fields(end):
        if kind != _BYTES:
            continue
        if number == 1:
            found.operators[_operator(walk, value)] += 1
        elif number == 2:
            found.facts["graph"] = walk.text(value)
        elif number == 5:
            if len(found.tensors) >= MAX_TENSORS:
                raise walk.source.wrong(f"it has more than {MAX_TENSORS} initialisers.")
            found.tensors.append(_initialiser(walk, value, found))
        elif number in (11, 12):
            listed = found.inputs if number == 11 else found.outputs
            one = _value_info(walk, value)
            if len(listed) < 10_000:
                listed.append(one)


def _operator(walk: _Walk, end: int) -> str:
    name = domain = ""
    for number, kind, value in walk.fields(end):
        if number == 4 and kind == _BYTES:
            name = walk.text(value)
        elif number == 7 and kind == _BYTES:
            domain = walk.text(value)
    return f"{domain}.{name}" if domain and domain != "ai.onnx" else name


def _opset(walk: _Walk, end: int) -> tuple[str, int]:
    domain, version = "", 0
    for number, kind, value in walk.fields(end):
        if number == 1 and kind == _BYTES:
            domain = walk.text(value)
        elif number == 2 and kind == _VARINT:
            version = value
    return domain, version


def _initialiser(walk: _Walk, end: int, found: _Found) -> Tensor:
    name, dtype, shape, at, raw = "", 0, [], -1, 0
    external: dict[str, str] = {}
    for number, kind, value in walk.fields(end):
        if number == 1:
            shape += [value] if kind == _VARINT else _packed(walk, value)
        elif number == 2 and kind == _VARINT:
            dtype = value
        elif number == 8 and kind == _BYTES:
            name = walk.text(value)
        elif number == 9 and kind == _BYTES:
            at, raw = walk.source.at, value - walk.source.at
        elif number == 13 and kind == _BYTES:
            key, text = _entry(walk, value)
            external[key] = text
        if len(shape) > 64:
            break
    if not is_shape(shape):
        raise walk.source.wrong(f"the shape of initialiser '{name[:100]}' is absurd.")
    tensor = Tensor(name, _TYPES.get(dtype, f"TYPE_{dtype}"), tuple(shape), 0, at)
    size = bytes_of(tensor.dtype, tensor.elements)
    if at >= 0 and size and raw != size:
        raise walk.source.wrong(f"initialiser '{name[:100]}' has {raw} bytes, but its shape needs {size}.")
    if external:
        found.external.add(_inside(walk.source, external.get("location", "")))
        tensor = tensor._replace(at=-1)
    return tensor._replace(size=size)


def _inside(source: Source, location: str) -> str:
    """The path of external data, if it stays within the folder of the model."""
    parts = PurePosixPath(location).parts
    if not location or location.startswith("/") or "\\" in location or ".." in parts or ":" in location:
        raise source.wrong(
            f"its data are said to be in '{location[:100]}', which is no path beside it.", "Export the model again."
        )
    return str(PurePosixPath(location))


def _packed(walk: _Walk, end: int) -> list[int]:
    values: list[int] = []
    while walk.source.at < end and len(values) <= 64:
        values.append(walk.varint(end))
    return values


def _entry(walk: _Walk, end: int) -> tuple[str, str]:
    key = text = ""
    for number, kind, value in walk.fields(end):
        if number == 1 and kind == _BYTES:
            key = walk.text(value)
        elif number == 2 and kind == _BYTES:
            text = walk.text(value)
    return key, text


def _value_info(walk: _Walk, end: int) -> dict[str, Any]:
    found: dict[str, Any] = {"name": "", "dtype": "", "shape": []}
    for number, kind, value in walk.fields(end):
        if number == 1 and kind == _BYTES:
            found["name"] = walk.text(value)
        elif number == 2 and kind == _BYTES:
            for inner, inner_kind, stop in walk.fields(value):
                if inner == 1 and inner_kind == _BYTES:
                    _tensor_type(walk, stop, found)
    return found


def _tensor_type(walk: _Walk, end: int, found: dict[str, Any]) -> None:
    for number, kind, value in walk.fields(end):
        if number == 1 and kind == _VARINT:
            found["dtype"] = _TYPES.get(value, f"TYPE_{value}")
        elif number == 2 and kind == _BYTES:
            for inner, inner_kind, stop in walk.fields(value):
                if inner == 1 and inner_kind == _BYTES:
                    dimension: int | str = "?"
                    for name, name_kind, place in walk.fields(stop):
                        if name == 1 and name_kind == _VARINT:
                            dimension = place
                        elif name == 2 and name_kind == _BYTES:
                            dimension = walk.text(place)[:60]
                    if len(found["shape"]) < 64:
                        found["shape"].append(dimension)
