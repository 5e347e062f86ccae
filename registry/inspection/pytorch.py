"""PyTorch checkpoints (.pt, .pth, .bin, .ckpt): which tensors loading one would give, read out of its opcodes and never loaded."""

from __future__ import annotations

import io
import math
from collections import Counter
from typing import Any, NamedTuple

from registry.inspection import zips
from registry.inspection.pickles import MAX_PICKLE, Broken, Mapping, Opaque, Persistent, Symbol, read
from registry.inspection.source import (
    BITS,
    MAX_TENSORS,
    Malformed,
    NotRead,
    Parsed,
    Source,
    Tensor,
    bytes_of,
    is_shape,
    plain,
)

_MAGIC = 0x1950A86A20F9469CFC6C
_DEPTH = 64
_MOST_CALLS = 30
_CUT = "If the upload was cut short, send it again."
_STORAGES = {
    "FloatStorage": "F32", "DoubleStorage": "F64", "HalfStorage": "F16", "BFloat16Storage": "BF16", "LongStorage": "I64",
    "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8", "BoolStorage": "BOOL",
    "UntypedStorage": "U8", "ComplexFloatStorage": "C64", "ComplexDoubleStorage": "C128", "QInt8Storage": "I8",
    "QUInt8Storage": "U8", "QInt32Storage": "I32", "Float8_e4m3fnStorage": "F8_E4M3", "Float8_e5m2Storage": "F8_E5M2",
}  # fmt: skip
_DTYPES = {
    "float32": "F32", "float64": "F64", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32", "int16": "I16",
    "int8": "I8", "uint8": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64", "bool": "BOOL", "complex64": "C64",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e4m3fnuz": "F8_E4M3FNUZ", "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
}  # fmt: skip
# The attributes in which modules keep their tensors and children; they are no part of a tensor's name.
_MODULE = frozenset({"_parameters", "_buffers", "_modules"})


class _Rebuilt(NamedTuple):
    """A tensor that the pickle would rebuild from a storage: bytes that it needs of it, and bytes that the storage is said to have."""

    dtype: str
    shape: tuple[int, ...]
    storage: str = ""
    needs: int = 0
    has: int = 0

    @property
    def size(self) -> int:
        return bytes_of(self.dtype, math.prod(self.shape))


class _Calls:
    """What the pickle calls: tensors are rebuilt, everything else is counted."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.others: Counter[str] = Counter()
        self._copied = 0

    def __call__(self, name: str, given: tuple[Any, ...]) -> Any:
        module, _, function = name.rpartition(".")
        if name == "collections.OrderedDict":
            return self._ordered(given)
        if name == "torch.Size":
            return given[0] if given and isinstance(given[0], tuple) else ()
        if module in ("torch._utils", "torch._tensor"):
            found = self._tensor(function, given)
            if found is not None:
                return found
        if name == "collections.defaultdict":
            return Mapping()
        self.others[plain(name)] += 1
        return None

    def _ordered(self, given: tuple[Any, ...]) -> Mapping:
        """Of Python 2: the pairs are an argument. They are copied, so that their number is limited over all calls."""
        pairs = given[0] if given and isinstance(given[0], list) else []
        self._copied += len(pairs)
        if self._copied > MAX_TENSORS:
            raise NotRead("its pickle is too large to be looked into")
        return Mapping([(pair[0], pair[1]) for pair in pairs if isinstance(pair, tuple | list) and len(pair) == 2])

    def _tensor(self, function: str, given: tuple[Any, ...]) -> Any:
        if function in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_qtensor"):
            dtype = given[6] if function == "_rebuild_tensor_v3" and len(given) > 6 else None
            return self._from_storage(given, dtype)
        if function in ("_rebuild_parameter", "_rebuild_parameter_with_state") and given:
            return given[0]
        if function == "_rebuild_from_type_v2" and len(given) > 2 and isinstance(given[0], Symbol):
            arguments = given[2] if isinstance(given[2], tuple) else ()
            return self(given[0].name, arguments)
        if function == "_rebuild_meta_tensor_no_storage" and len(given) > 1:
            return _Rebuilt(_dtype(given[0]), self._shape(given[1]))
        return None

    def _from_storage(self, given: tuple[Any, ...], stated: Any) -> Any:
        if len(given) < 4 or not isinstance(given[0], Persistent):
            return None
        key = given[0].key
        if not isinstance(key, tuple) or len(key) < 5 or key[0] != "storage" or not isinstance(key[1], Symbol):
            return None
        shape, strides, offset, name, elements = self._shape(given[2]), given[3], given[1], key[2], key[4]
        sound = isinstance(strides, tuple) and len(strides) == len(shape) and isinstance(name, str | int)
        if not sound or not all(type(n) is int and 0 <= n < 2**63 for n in (*strides, offset, elements)):
            raise Malformed(self.path, "a tensor's strides or offset are absurd.")
        untyped = key[1].name.endswith("UntypedStorage")
        dtype = _dtype(stated) if untyped else _STORAGES.get(key[1].name.rpartition(".")[2], "")
        width = BITS.get(dtype, 0) // 8
        last = 0 if 0 in shape else offset + 1 + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        has = elements if untyped else elements * width
        if last * width > has:
            raise Malformed(self.path, f"a tensor reaches beyond its storage of {elements} elements.")
        return _Rebuilt(dtype, shape, name[:100] if isinstance(name, str) else hex(name)[:100], last * width, has)

    def _shape(self, value: Any) -> tuple[int, ...]:
        if not is_shape(value):
            raise Malformed(self.path, "the shape of a tensor is absurd.")
        return tuple(value)


def _dtype(value: Any) -> str:
    return _DTYPES.get(value.name.rpartition(".")[2], "") if isinstance(value, Symbol) else ""


def is_checkpoint(beginning: bytes) -> bool:
    """An archive or a pickle by its first bytes; other files use the same endings."""
    return beginning.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"))


def parse(source: Source) -> Parsed:
    """Tensors and the calls that loading would make. Malformed where it is not whole, NotRead where it is too much."""
    beginning = source.take(min(4, source.size))
    source.seek(0)
    return _from_zip(source) if beginning.startswith(b"PK") else _legacy(source)


def _from_zip(source: Source) -> Parsed:
    found = zips.entries(source)
    by_name = {entry.name: entry for entry in found}
    if len(by_name) < len(found):
        raise source.wrong("two entries of the archive have the same name.")
    main = next((name for name in by_name if name.endswith("data.pkl") and name.count("/") <= 1), None)
    if main is None:
        raise NotRead("it is an archive, and no PyTorch checkpoint")
    if by_name[main].size > MAX_PICKLE:
        raise NotRead("its pickle is too large to be looked into")
    begin, text = zips.data_of(source, by_name[main]), zips.content(source, by_name[main], MAX_PICKLE)
    calls = _Calls(source.path)
    tensors = _tensors(_read(source, text, begin, calls))
    folder = main.removesuffix("data.pkl") + "data/"
    for name, one in tensors:
        entry = by_name.get(folder + one.storage)
        if one.storage and (entry is None or entry.size < one.needs):
            raise source.wrong(f"the bytes of tensor '{name[:100]}' are not in the archive.", _CUT)
    return _parsed(calls, tensors)


def _legacy(source: Source) -> Parsed:
    """Before PyTorch 1.6: a magic number, a version, the machine, the object and its storages' keys, one pickle after the other."""
    text = source.take(min(source.size, MAX_PICKLE))
    stream, calls = io.BytesIO(text), _Calls(source.path)
    try:
        value = _read(source, stream, 0, calls)
        if value == _MAGIC:
            for _ in range(3):  # the protocol's version, the machine, and then the object
                value = _read(source, stream, 0, calls)
    except Malformed:
        if len(text) == source.size:
            raise
        raise NotRead("its pickle is too large to be looked into") from None
    tensors = _tensors(value)
    if sum({one.storage: one.has for _, one in tensors}.values()) > source.size:
        raise source.wrong("its tensors need more bytes than the file has.", _CUT)
    return _parsed(calls, tensors)


def _read(source: Source, text: bytes | io.BytesIO, begin: int, calls: _Calls) -> Any:
    stream = io.BytesIO(text) if isinstance(text, bytes) else text
    start = stream.tell()
    try:
        return read(stream, calls)
    except Broken as broken:
        source.at = begin + start + broken.offset
        raise source.wrong(f"its pickle is broken ({plain(str(broken))}).", _CUT) from None


def _parsed(calls: _Calls, tensors: list[tuple[str, _Rebuilt]]) -> Parsed:
    facts: dict[str, Any] = {}
    if calls.others:
        facts["calls"] = [name for name, _ in calls.others.most_common(_MOST_CALLS)]
    return Parsed(facts, [Tensor(name, one.dtype or "?", one.shape, one.size) for name, one in tensors])


def _tensors(value: Any) -> list[tuple[str, _Rebuilt]]:
    """The tensors in a value by their dotted names, each object looked at once."""
    found: list[tuple[str, _Rebuilt]] = []
    waiting: list[tuple[str, Any, int]] = [("", value, 0)]
    seen: set[int] = set()
    while waiting:
        name, one, depth = waiting.pop()
        if isinstance(one, _Rebuilt):
            found.append((plain(name, 500) or "tensor", one))
            if len(found) > MAX_TENSORS:
                raise NotRead(f"it has more than {MAX_TENSORS} tensors")
            continue
        if depth > _DEPTH or not isinstance(one, Mapping | Opaque | list | tuple) or id(one) in seen:
            continue
        seen.add(id(one))
        inner: list[tuple[Any, Any]]
        if isinstance(one, Mapping):
            inner = one.items
        elif isinstance(one, Opaque):
            inner = [("", one.state)]
        else:
            inner = list(enumerate(one))
        for key, child in reversed(inner):
            shown = _shown(key)
            waiting.append((f"{name}.{shown}".strip(".") if shown else name, child, depth + 1))
    return found


def _shown(key: Any) -> str:
    """A key as part of a tensor's name."""
    if isinstance(key, str):
        return "" if key in _MODULE else plain(key)
    return str(key) if isinstance(key, int) and abs(key) < 2**63 else ""
