"""GGUF, versions 2 and 3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): metadata and tensors, not their data."""

from __future__ import annotations

from typing import Any

from registry.inspection.source import MAX_TENSORS, Parsed, Source, Tensor, is_shape, plain

MAX_KEYS = 100_000
MAX_ITEMS = 4_000_000  # of all arrays together: vocabularies have a few hundred thousand
MAX_STRING = 4 << 20  # chat templates are the longest
MAX_NAME = 1024
_DEPTH = 4
# Types of metadata values: how a fixed one is read, and its bytes.
_FIXED = {0: ("B", 1), 1: ("b", 1), 2: ("H", 2), 3: ("h", 2), 4: ("I", 4), 5: ("i", 4), 6: ("f", 4), 7: ("B", 1), 10: ("Q", 8), 11: ("q", 8), 12: ("d", 8)}  # fmt: skip
_STRING, _ARRAY = 8, 9
# ggml's types: name, elements in a block, bytes of a block.
_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip
# general.file_type: what most of the tensors are.
_QUANTISATION = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L",
    14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
    23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M",
    32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4", 39: "NVFP4", 40: "Q1_0",
}  # fmt: skip
# Fact -> the key below the architecture's name.
_FACTS = {
    "context_length": "context_length", "hidden_size": "embedding_length", "layers": "block_count", "heads": "attention.head_count",
    "kv_heads": "attention.head_count_kv", "head_dim": "attention.key_length",
}  # fmt: skip


def parse(source: Source) -> Parsed:
    """Facts and tensors; Malformed where counts, lengths or offsets can't be true."""
    version, tensor_count, key_count = _counts(source)
    metadata = _metadata(source, key_count)
    infos = [_info(source) for _ in range(tensor_count)]
    if len({info[0] for info in infos}) < len(infos):
        raise source.wrong("two tensors have the same name.")
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or alignment < 1 or alignment > 1 << 20 or alignment & (alignment - 1):
        raise source.wrong("general.alignment is no power of two.")
    begin = source.at + -source.at % alignment
    tensors = _placed(source, infos, begin, alignment)
    return Parsed(_facts(metadata, version), tensors)


def _counts(source: Source) -> tuple[int, int, int]:
    if source.take(4) != b"GGUF":
        raise source.wrong("it does not begin with 'GGUF'.")
    version = source.number("I")
    if version in (2 << 24, 3 << 24):
        version, source.order = version >> 24, ">"
    if version not in (2, 3):
        raise source.wrong(f"it is GGUF version {version}; versions 2 and 3 are read.", "Convert the model again.")
    tensors, keys = source.number("Q"), source.number("Q")
    # A tensor's entry has at least 24 bytes and a key's at least 13: more than fit are a lie.
    if tensors > min(MAX_TENSORS, source.size // 24) or keys > min(MAX_KEYS, source.size // 13):
        raise source.wrong(f"{tensors} tensors and {keys} keys are announced, more than fit into {source.size} bytes.")
    return version, tensors, keys


def _metadata(source: Source, count: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    budget = [MAX_ITEMS]
    for _ in range(count):
        key = _string(source, 65_535)
        if key in found:
            raise source.wrong(f"the key '{plain(key, 100)}' is there twice.")
        found[key] = _value(source, source.number("I"), budget, 0)
    return found


def _string(source: Source, limit: int) -> str:
    length = source.number("Q")
    if length > limit:
        raise source.wrong(f"a text of {length} bytes is announced; at most {limit} are believed.")
    return source.take(length).decode("utf-8", "replace")


def _value(source: Source, kind: int, budget: list[int], depth: int) -> Any:
    """The value; of an array only how many it has, and the value of the first, as ('array', count, first)."""
    if kind in _FIXED:
        letter, _ = _FIXED[kind]
        value = source.number(letter)
        return bool(value) if kind == 7 else value
    if kind == _STRING:
        return _string(source, MAX_STRING)
    if kind != _ARRAY or depth >= _DEPTH:
        raise source.wrong(f"a value of type {kind} is not known (or arrays are nested too deeply).")
    inner, count = source.number("I"), source.number("Q")
    budget[0] -= count
    smallest = _FIXED[inner][1] if inner in _FIXED else 8
    if budget[0] < 0 or count * smallest > source.size - source.at:
        raise source.wrong(f"an array of {count} values is announced, more than can be in it.")
    first: Any = None
    if inner in _FIXED:
        if count:
            first = _value(source, inner, budget, depth)
            source.skip((count - 1) * smallest)
        return ("array", count, first)
    for place in range(count):
        if inner == _STRING:
            length = source.number("Q")
            if length > MAX_STRING:
                raise source.wrong(f"a text of {length} bytes is announced; at most {MAX_STRING} are believed.")
            source.skip(length)
        else:
            value = _value(source, inner, budget, depth + 1)
            first = value if place == 0 else first
    return ("array", count, first)


def _info(source: Source) -> tuple[str, tuple[int, ...], int, int]:
    name = _string(source, MAX_NAME)
    dimensions = source.number("I")
    if dimensions > 8:
        raise source.wrong(f"tensor '{plain(name, 100)}' has {dimensions} dimensions.")
    shape = tuple(source.number("Q") for _ in range(dimensions))[::-1]  # ggml counts from the innermost
    if not is_shape(shape):
        raise source.wrong(f"the shape of tensor '{plain(name, 100)}' is absurd.")
    return name, shape, source.number("I"), source.number("Q")


def _placed(
    source: Source, infos: list[tuple[str, tuple[int, ...], int, int]], begin: int, alignment: int
) -> list[Tensor]:
    tensors = []
    for name, shape, kind, offset in infos:
        dtype, block, width = _TYPES.get(kind, (f"TYPE_{kind}", 1, 0))
        tensor = Tensor(plain(name, 500), dtype, shape, 0, begin + offset)
        if offset % alignment or begin + offset > source.size:
            raise source.wrong(f"tensor '{tensor.name[:100]}' begins at a place where none can be ({offset}).")
        if shape and shape[-1] % block:
            raise source.wrong(f"a row of tensor '{tensor.name[:100]}' is no multiple of {dtype}'s block of {block}.")
        size = tensor.elements // block * width
        if size > source.size - tensor.at:
            raise source.wrong(
                f"tensor '{tensor.name[:100]}' needs {size} bytes, and the file ends before.",
                "The upload was cut short: send it again.",
            )
        tensors.append(tensor._replace(size=size))
    position = 0
    for tensor in sorted(tensors, key=lambda one: one.at):
        if tensor.at < position:
            raise source.wrong(f"tensor '{tensor.name[:100]}' overlaps the one before it.")
        position = tensor.at + tensor.size
    return tensors


def _facts(metadata: dict[str, Any], version: int) -> dict[str, Any]:
    architecture = plain(metadata.get("general.architecture"), 60)
    facts: dict[str, Any] = {"gguf_version": version, "architecture": architecture}
    for fact, key in _FACTS.items():
        value = metadata.get(f"{architecture}.{key}")
        if isinstance(value, tuple):  # one number per layer
            value = value[2]
        if type(value) is int:
            facts[fact] = value
    facts["name"] = plain(metadata.get("general.name"))
    facts["quantisation"] = _QUANTISATION.get(metadata.get("general.file_type", -1), "") if isinstance(metadata.get("general.file_type"), int) else ""  # fmt: skip
    tokens = metadata.get("tokenizer.ggml.tokens")
    facts["tokenizer"] = plain(metadata.get("tokenizer.ggml.model"), 60)
    facts["vocabulary"] = tokens[1] if isinstance(tokens, tuple) else None
    facts["chat_template"] = bool(metadata.get("tokenizer.chat_template"))
    return {name: value for name, value in facts.items() if value not in (None, "", False)}
