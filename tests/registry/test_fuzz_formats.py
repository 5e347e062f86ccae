"""Parsers against hostile bytes: whatever comes, they answer, or refuse with the one error, within bounds of time and memory."""

import functools
import importlib
import io
import json
import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.errors import Invalid
from tests.registry.format_files import gguf_file, onnx_file, parquet_file, torch_file

from .conftest import safetensors

KINDS = ["safetensors", "gguf", "pytorch", "onnx", "parquet"]
MOST_S, MOST_BYTES = 5.0, 200 << 20
EXAMPLES = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


@functools.cache
def seeds(kind):
    """Valid files to begin from."""
    return {
        "safetensors": lambda: [safetensors(), safetensors({"a": [2, 3], "b": [4], "c": [0]})],
        "gguf": lambda: [gguf_file()],
        "pytorch": lambda: [torch_file(), torch_file(_use_new_zipfile_serialization=False)],
        "onnx": lambda: [onnx_file(), onnx_file(external="w.data")],
        "parquet": lambda: [parquet_file(), parquet_file([{"a": 1}])],
    }[kind]()


def look(kind, content):
    """Parse, and hold the parser to its promises: 'answered' or 'refused'."""
    from registry.inspection import parquet
    from registry.inspection.source import NotRead, Source

    began, outcome = time.perf_counter(), "answered"
    tracemalloc.start()
    try:
        if kind == "parquet":
            parquet.look("fuzzed", io.BytesIO(content), len(content))
        else:
            found = importlib.import_module(f"registry.inspection.{kind}").parse(
                Source("fuzzed", io.BytesIO(content), len(content))
            )
            json.dumps([found.facts, found.tensors], allow_nan=False).encode()
            assert all(tensor.at + tensor.size <= len(content) for tensor in found.tensors if tensor.at >= 0)
    except Invalid as refused:
        if "fuzzed" not in refused.detail or refused.code not in ("invalid_file", "incomplete_version"):
            raise
        outcome = "refused"
    except NotRead:
        outcome = "refused"
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert time.perf_counter() - began < MOST_S * 4, "too slow"
    assert most < MOST_BYTES, most
    return outcome


# What numbers become when somebody wants to hurt: borders of every width.
NUMBERS = [
    0,
    1,
    2,
    3,
    7,
    8,
    127,
    128,
    255,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**62,
    2**63 - 1,
    2**63,
    2**64 - 1,
]


@st.composite
def mutated(draw, kind):
    """A valid file with some bytes replaced by borders, cut out, doubled, or cut off."""
    content = bytearray(draw(st.sampled_from(seeds(kind))))
    for _ in range(draw(st.integers(1, 4))):
        if not content:
            break
        # Headers and footers are where the numbers are: both ends are hit more often than the middle.
        end = len(content)
        at = draw(
            st.one_of(
                st.integers(0, min(end, 300) - 1), st.integers(max(0, end - 400), end - 1), st.integers(0, end - 1)
            )
        )
        act = draw(st.sampled_from(["byte", "number", "cut", "double", "end", "insert"]))
        if act == "byte":
            content[at] = draw(st.integers(0, 255))
        elif act == "number":
            width = draw(st.sampled_from([2, 4, 8]))
            value = draw(st.sampled_from(NUMBERS)) % 2 ** (8 * width)
            content[at : at + width] = value.to_bytes(width, "little")
        elif act == "cut":
            del content[at : at + draw(st.integers(1, 40))]
        elif act == "double":
            piece = content[at : at + draw(st.integers(1, 200))]
            content[at:at] = piece * draw(st.integers(1, 5))
        elif act == "insert":
            content[at:at] = draw(st.binary(min_size=1, max_size=20))
        else:
            del content[at:]
    return bytes(content)


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_are_answered_or_refused(kind):
    outcomes = set()

    @EXAMPLES
    @given(mutated(kind))
    def run(content):
        outcomes.add(look(kind, content))

    run()
    assert outcomes == {"answered", "refused"}  # so the examples lie on both sides of what is in order


BEGINNINGS = {
    "safetensors": [b"", (100).to_bytes(8, "little") + b"{"],
    "gguf": [b"", b"GGUF\x03\x00\x00\x00"],
    "pytorch": [b"PK\x03\x04", b"\x80\x02", b"\x80\x02}q\x00("],
    "onnx": [b"", b"\x08\x0a\x3a"],
    "parquet": [b"", b"PAR1"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_random_bytes_are_answered_or_refused(kind):
    outcomes = set()

    @EXAMPLES
    @given(st.sampled_from(BEGINNINGS[kind]), st.binary(max_size=400))
    def run(beginning, rest):
        outcomes.add(look(kind, beginning + rest))

    run()
    assert "refused" in outcomes


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.sampled_from(NUMBERS), st.integers(-5, 5), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.one_of(st.sampled_from(["F32", "U8", "BF16", "F4", "NEW", ""]), VALUES),
        "shape": st.one_of(st.lists(st.sampled_from(NUMBERS), max_size=20), VALUES),
        "data_offsets": st.one_of(st.tuples(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS)), VALUES),
    },
)


@EXAMPLES
@given(
    st.dictionaries(st.one_of(st.text(max_size=8), st.just("__metadata__")), st.one_of(ENTRIES, VALUES), max_size=5),
    st.integers(-3, 300),
    st.binary(max_size=40),
)
def test_headers_of_safetensors_that_are_json_and_nothing_else(header, off, data):
    text = json.dumps(header).encode()
    announced = max(0, len(text) + (off if off < 3 else 0))
    outcome = look("safetensors", announced.to_bytes(8, "little") + text + data)
    assert outcome == "refused" or announced <= len(text) + len(data)


OPCODES = st.sampled_from(
    [b"(", b".", b"0", b"1", b"2", b"]", b"}", b")", b"t", b"\x85", b"\x86", b"\x87", b"R", b"b", b"a", b"e", b"s", b"u", b"Q", b"\x81",
     b"\x92", b"o", b"l", b"d", b"\x8f", b"\x90", b"\x91", b"\x93", b"\x94", b"h\x00", b"h\x01", b"q\x00", b"q\x01", b"K\x05", b"J\xff\xff\xff\xff",
     b"N", b"\x88", b"X\x07\x00\x00\x00storage", b"ctorch\nFloatStorage\n", b"ctorch._utils\n_rebuild_tensor_v2\n",
     b"ctorch._utils\n_rebuild_parameter\n", b"ccollections\nOrderedDict\n", b"ctorch\nSize\n", b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x00",
     b"P0\n", b"i__main__\nX\n", b"\x82\x01", b"\x97", b"\x98", b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f", b"T\xff\xff\xff\x7f", b"X\xff\xff\xff\xff",
     b"I99999999999999999999\n", b"F1e999\n"]
)  # fmt: skip


@EXAMPLES
@given(st.lists(OPCODES, max_size=60))
def test_pickles_out_of_any_opcodes(codes):
    assert look("pytorch", b"\x80\x02" + b"".join(codes) + b".") in ("answered", "refused")


@EXAMPLES
@given(st.integers(0, 40), st.sampled_from(NUMBERS), st.integers(0, 12), st.binary(max_size=100))
def test_gguf_with_any_counts(tensors, keys, kind, rest):
    head = b"GGUF\x03\x00\x00\x00" + tensors.to_bytes(8, "little") + (keys % 2**64).to_bytes(8, "little")
    outcome = look("gguf", head + (1).to_bytes(8, "little") + b"k" + kind.to_bytes(4, "little") + rest)
    assert (
        outcome == "refused" or tensors == 0 or len(rest) >= tensors * 24
    )  # a tensor's entry takes at least so many bytes
