"""The formats that are understood: what their files say of themselves, and how a lie in them is named."""

import io
import json
import os
import pickle
import re
import struct
import zipfile
from decimal import Decimal

import pytest

from accounts.errors import Invalid
from tests.registry.format_files import gguf_file, onnx_file, parquet_file, tokenizer_file, torch_file

from .conftest import model_files, safetensors


def parsed(kind, content, path="f"):
    import importlib

    from registry.inspection.source import Source

    module = importlib.import_module(f"registry.inspection.{kind}")
    return module.parse(Source(path, io.BytesIO(content), len(content)))


def refused(kind, content):
    with pytest.raises(Invalid) as raised:
        parsed(kind, content)
    return raised.value.detail


def raw_safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_safetensors_of_every_type():
    header = {
        "a": {"dtype": "F8_E4M3", "shape": [2, 3], "data_offsets": [0, 6]},
        "b": {"dtype": "BF16", "shape": [2], "data_offsets": [6, 10]},
        "c": {"dtype": "F4", "shape": [4], "data_offsets": [10, 12]},
        "d": {"dtype": "I64", "shape": [], "data_offsets": [12, 20]},
    }
    found = parsed("safetensors", raw_safetensors(header, bytes(20)))
    assert [(t.name, t.dtype, t.shape, t.size, t.elements) for t in found.tensors] == [
        ("a", "F8_E4M3", (2, 3), 6, 6), ("b", "BF16", (2,), 4, 2), ("c", "F4", (4,), 2, 4), ("d", "I64", (), 8, 1),
    ]  # fmt: skip


def test_safetensors_say_where_their_tensors_lie(tmp_path):
    import numpy as np
    from safetensors.numpy import save

    content = save({"x": np.arange(6, dtype=np.float32).reshape(2, 3), "y": np.ones(2, np.float16)})
    for tensor in parsed("safetensors", content).tensors:
        there = content[tensor.at : tensor.at + tensor.size]
        expected = np.arange(6, dtype=np.float32) if tensor.name == "x" else np.ones(2, np.float16)
        assert there == expected.tobytes()


ENTRY = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}
SAFETENSORS = [
    (raw_safetensors({"a": ENTRY, "b": ENTRY}, bytes(4)), "overlaps"),
    (raw_safetensors({"a": {**ENTRY, "data_offsets": [1, 5]}}, bytes(5)), "leaves a gap"),
    (raw_safetensors({"a": {**ENTRY, "data_offsets": [4, 0]}}, bytes(4)), "not valid"),
    (raw_safetensors({"a": {**ENTRY, "data_offsets": [-4, 0]}}, bytes(4)), "not valid"),
    (raw_safetensors({"a": {**ENTRY, "shape": [2**62, 2**62]}}, bytes(4)), "not valid"),
    (raw_safetensors({"a": {**ENTRY, "shape": [True, 4]}}, bytes(4)), "not valid"),
    (raw_safetensors({"a": {**ENTRY, "shape": [5]}}, bytes(4)), "its shape needs 5"),
    (raw_safetensors({"a": 1}), "not valid"),
    (raw_safetensors(b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{}}'), "names 'a' twice"),
    (raw_safetensors(b"[" * 200_000), "not JSON"),
    ((33 << 20).to_bytes(8, "little") + b"{}", "does not begin with a safetensors header"),
    ((2**63).to_bytes(8, "little") + b"{}", "does not begin with a safetensors header"),
]


@pytest.mark.parametrize(("content", "words"), SAFETENSORS)
def test_a_lying_safetensors_header_is_refused(content, words):
    assert words in refused("safetensors", content)


@pytest.mark.parametrize("order", ["<", ">"])
def test_gguf(order):
    content = gguf_file()
    if order == ">":
        header = struct.pack(">4sIQQ", b"GGUF", 3, 0, 1)
        content = header + struct.pack(">Q20sIQ5s", 20, b"general.architecture", 8, 5, b"llama") + bytes(64)
    found = parsed("gguf", content)
    assert found.facts["architecture"] == "llama"
    if order == ">":
        return
    facts = {
        "context_length": 2048,
        "hidden_size": 64,
        "layers": 2,
        "heads": 4,
        "kv_heads": 2,
        "quantisation": "Q4_K_M",
    }
    assert facts.items() <= found.facts.items()
    assert found.facts["vocabulary"] == 3 and found.facts["chat_template"] is True
    assert [(t.name, t.dtype, t.shape, t.size) for t in found.tensors] == [
        ("token_embd.weight", "F16", (2, 64), 256), ("blk.0.q.weight", "Q4_0", (4, 64), 144),
    ]  # fmt: skip


def gguf_head(version=3, tensors=0, keys=0, rest=b""):
    return struct.pack("<4sIQQ", b"GGUF", version, tensors, keys) + rest


GGUF = [
    (b"nope" * 10, "does not begin with 'GGUF'"),
    (gguf_head(version=1), "version 1"),
    (gguf_head(tensors=2**60), "more than fit"),
    (gguf_head(keys=2**60), "more than fit"),
    (gguf_head(keys=1, rest=struct.pack("<Q", 2**50) + bytes(40)), "are believed"),
    (gguf_head(keys=1, rest=struct.pack("<Q1sIIQ", 1, b"k", 9, 0, 2**61) + bytes(40)), "more than can be in it"),
    (gguf_head(keys=1, rest=struct.pack("<Q1sIIQ", 1, b"k", 9, 8, 2**61) + bytes(40)), "more than can be in it"),
    (gguf_head(keys=1, rest=struct.pack("<Q1sI", 1, b"k", 99) + bytes(40)), "type 99 is not known"),
    (gguf_head(keys=2, rest=struct.pack("<Q1sIB", 1, b"k", 0, 1) * 2), "there twice"),
    (gguf_head(tensors=1, rest=struct.pack("<Q1sI", 1, b"t", 4_000_000) + bytes(40)), "4000000 dimensions"),
    (gguf_head(tensors=1, rest=struct.pack("<Q1sIQIQ", 1, b"t", 1, 2**62, 0, 0) + bytes(40)), "ends before"),
    (gguf_head(tensors=1, rest=struct.pack("<Q1sIQIQ", 1, b"t", 1, 4, 0, 2**40) + bytes(40)), "where none can be"),
    (gguf_file()[:-100], "ends before"),
]


@pytest.mark.parametrize(("content", "words"), GGUF)
def test_absurd_gguf_is_refused_before_memory_is_taken(content, words):
    assert words in refused("gguf", content)


def test_gguf_may_not_hide_one_tensor_in_another():
    entry = struct.pack("<Q1sIQIQ", 1, b"%c", 1, 8, 0, 0)
    content = gguf_head(tensors=2, rest=entry.replace(b"%", b"a") + entry.replace(b"%", b"b") + bytes(200))
    assert "overlap" in refused("gguf", content) or "same name" in refused("gguf", content)


@pytest.mark.parametrize("new", [True, False])
def test_pytorch_checkpoints_are_read_and_never_loaded(new):
    import torch

    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.LayerNorm(8))
    value = {
        "model": network.state_dict(),
        "optimizer": torch.optim.AdamW(network.parameters()).state_dict(),
        "half": torch.zeros(3, dtype=torch.bfloat16),
        "small": [torch.zeros(2).to(torch.float8_e4m3fn)],
        "part": torch.ones(4, 4)[1:, ::2],
        "shown": torch.ones(1).expand(5),
    }
    found = parsed("pytorch", torch_file(value, _use_new_zipfile_serialization=new))
    assert {t.name: (t.dtype, t.shape, t.size) for t in found.tensors} == {
        "model.0.weight": ("F32", (8, 4), 128), "model.0.bias": ("F32", (8,), 32),
        "model.1.weight": ("F32", (8,), 32), "model.1.bias": ("F32", (8,), 32),
        "half": ("BF16", (3,), 6), "small.0": ("F8_E4M3", (2,), 2), "part": ("F32", (3, 2), 24), "shown": ("F32", (5,), 20),
    }  # fmt: skip
    assert "calls" not in found.facts


def test_a_whole_pickled_module_says_what_loading_it_would_call():
    import torch

    found = parsed("pytorch", torch_file(torch.nn.Sequential(torch.nn.Linear(4, 8))))
    assert [t.name for t in found.tensors] == ["0.weight", "0.bias"]
    assert "torch.nn.modules.linear.Linear" in found.facts["calls"]


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/countersign-was-here",)


def test_what_a_pickle_calls_is_named_and_not_called(tmp_path):
    from pathlib import Path

    found = parsed("pytorch", torch_file({"x": Evil()}))
    assert found.facts["calls"] == ["posix.system"] and not found.tensors
    assert not Path("/tmp/countersign-was-here").exists()


def archive(**entries):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as out:
        for name, content in entries.items():
            out.writestr(name.replace("__", "/"), content)
    return stream.getvalue()


def storage_pickle(shape, stride, elements, offset=0):
    """What torch.save writes of one tensor, with numbers of our choice."""
    import torch

    class Told:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (Stored(), offset, shape, stride, False, {})

    class Stored:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Stored):
                return ("storage", torch.FloatStorage, "0", "cpu", elements)
            return None

    stream = io.BytesIO()
    Pickler(stream, 2).dump({"w": Told()})
    return stream.getvalue()


TORCH = [
    (torch_file()[:-300], "cut short"),
    (torch_file(_use_new_zipfile_serialization=False)[:300], "pickle is broken"),
    (b"\x80\x02garbage", "pickle is broken"),
    (b"\x80\x02" + b"(" * 1000 + b".", "pickle is broken"),
    (archive(a__data__pkl=b"x", **{"a__data.pkl": b"\x80\x02K"}), "pickle is broken"),
    (archive(**{"a__data.pkl": storage_pickle((4,), (1,), 4)}), "are not in the archive"),
    (archive(**{"a__data.pkl": storage_pickle((4,), (1,), 4), "a__data__0": b"123"}), "are not in the archive"),
    (archive(**{"a__data.pkl": storage_pickle((4,), (1,), 3), "a__data__0": bytes(12)}), "beyond its storage"),
    (archive(**{"a__data.pkl": storage_pickle((2**62, 2**62), (1, 1), 3)}), "absurd"),
    (archive(**{"a__data.pkl": storage_pickle((4,), (-1,), 4)}), "absurd"),
    (archive(**{"a__data.pkl": storage_pickle((4,), (1,), 4, offset=2**70)}), "absurd"),
]


@pytest.mark.parametrize(("content", "words"), TORCH)
def test_a_lying_checkpoint_is_refused(content, words):
    assert words in refused("pytorch", content)


def test_other_archives_and_pickles_are_left_alone():
    from registry.inspection.source import NotRead

    assert parsed("pytorch", pickle.dumps({"a": 1})).tensors == []
    with pytest.raises(NotRead, match="no PyTorch checkpoint"):
        parsed("pytorch", archive(readme="x"))


def test_pickles_that_grow_are_given_up():
    from registry.inspection.source import NotRead

    with pytest.raises(NotRead, match="too large"):
        parsed("pytorch", b"\x80\x02" + b"]" * 300_000 + b".")
    doubled = b"\x80\x02]" + b"2\x86" * 500 + b"."  # 2**500 ways down, one object each
    assert parsed("pytorch", doubled).tensors == []


def test_onnx():
    found = parsed("onnx", onnx_file())
    assert found.facts["inputs"] == [{"name": "x", "dtype": "F32", "shape": ["batch", 4]}]
    assert found.facts["outputs"] == [{"name": "z", "dtype": "F32", "shape": ["batch", 3]}]
    assert found.facts["operators"] == {"MatMul": 1, "Relu": 1} and found.facts["opset"] == {"ai.onnx": 21}
    assert [(t.name, t.dtype, t.shape, t.size) for t in found.tensors] == [("w", "F32", (4, 3), 48)]
    assert onnx_file()[found.tensors[0].at :][:48] == bytes(48)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello, world, this is text", "not an ONNX model"),
        (b"", "no ONNX graph"),
        (onnx_file()[:-20], "cut short"),
        (b"\x3a" + b"\xff" * 9 + b"\x01", "are left"),
        (onnx_file(external="../../etc/passwd"), "no path beside it"),
        (onnx_file(external="/etc/passwd"), "no path beside it"),
        (onnx_file(external="c:\\x"), "no path beside it"),
    ],
)
def test_a_lying_onnx_file_is_refused(content, words):
    assert words in refused("onnx", content)


def test_facts_of_other_formats(make_asset, make_version):
    facts = make_version(make_asset("g"), {"a-Q4.gguf": gguf_file(), "notes.bin": b"no checkpoint"}).facts
    assert facts["formats"] == ["gguf"] and facts["parameters"] == 384 and facts["context_length"] == 2048
    assert facts["quantisation"] == {"method": "Q4_K_M"} and facts["servable"] is False
    facts = make_version(make_asset("t"), {"pytorch_model.bin": torch_file()}).facts
    assert (
        facts["formats"] == ["pytorch"]
        and facts["parameters"] == 56
        and "config.json is missing" in facts["not_servable"]
    )
    facts = make_version(make_asset("o"), {"model.onnx": onnx_file(external="w.data"), "w.data": bytes(48)}).facts
    assert facts["onnx"]["opset"] == {"ai.onnx": 21} and facts["parameters"] == 12


def test_a_model_in_two_formats_is_counted_once(make_asset, make_version):
    facts = make_version(make_asset(), model_files(**{"pytorch_model.bin": torch_file()})).facts
    assert facts["formats"] == ["pytorch", "safetensors"] and facts["parameters"] == 32


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"model.onnx": onnx_file(external="w.data")}, "w.data: it is missing, and model.onnx keeps weights in it"),
        ({"x.gguf": gguf_file()[:-100]}, r"x.gguf, byte \d+: tensor"),
        ({"sub/x.pt": torch_file()[:-300]}, r"sub/x.pt, byte \d+: it begins as an archive"),
        ({"pytorch_model.bin.index.json": b'{"weight_map": {"w": "a.bin"}}'}, "a.bin: it is missing"),
        ({"tokenizer.json": b"{"}, "tokenizer.json, line 1"),
        ({"adapter_config.json": b"[]"}, "adapter_config.json: it holds no JSON object"),
        ({"generation_config.json": b"x"}, "generation_config.json, line 1"),
    ],
)
def test_a_broken_file_refuses_registration_by_name(files, words, make_draft, make_asset, actor, cast):
    from registry import actions

    version = make_draft(make_asset(), files)
    with pytest.raises(Invalid) as raised:
        actions.register_version(version=version, by=actor(cast.alice))
    assert re.search(words, raised.value.detail)
    version.refresh_from_db()
    assert version.state == "draft"


def test_an_adapter_names_its_base(make_asset, make_version, cast):
    from governance.models import Evidence

    config = {
        "peft_type": "LORA",
        "base_model_name_or_path": "acme/base",
        "r": 8,
        "lora_alpha": 16,
        "target_modules": ["v", "q"],
    }
    version = make_version(
        make_asset(),
        {
            "adapter_config.json": json.dumps(config).encode(),
            "adapter_model.safetensors": safetensors({"q.lora_A": [8, 4]}),
        },
    )
    assert version.facts["adapter"] == {
        "type": "LORA", "base_model": "acme/base", "rank": 8, "alpha": 16, "target_modules": ["q", "v"],
    }  # fmt: skip
    assert version.facts["not_servable"].startswith("It is an adapter of acme/base")
    lineage = Evidence.objects.get(subject_digest=version.digest, kind="lineage")
    assert "base model acme/base" in lineage.payload["sources"]


def test_a_configuration_says_its_architecture(make_asset, make_version):
    config = {
        "architectures": ["X"], "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 2, "hidden_size": 64,
        "rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 2}, "torch_dtype": "bfloat16",
        "text_config": {"max_position_embeddings": 4096, "vocab_size": 7},
        "quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128},
    }  # fmt: skip
    weights = safetensors({"q.qweight": [4, 8], "q.scales": [1, 8], "norm": [8]}, dtype="I32")
    facts = make_version(
        make_asset(),
        model_files(
            **{
                "config.json": json.dumps(config).encode(),
                "model.safetensors": weights,
                "tokenizer.json": tokenizer_file(("a", "b", "c")),
            }
        ),
    ).facts
    assert facts["layers"] == 4 and facts["kv_heads"] == 2 and facts["context_length"] == 4096
    assert facts["rope"] == {"theta": 10000.0, "type": "linear", "factor": 2}
    assert facts["quantisation"] == {"method": "gptq", "bits": 4, "group_size": 128}
    assert facts["parameters"] == 4 * 8 * 8 + 8  # eight to an element, the scales not counted
    assert facts["tokenizer"] == {
        "kind": "BPE", "vocabulary": 4, "special_tokens": ["<s>"], "added_tokens": 1, "chat_template": True,
    }  # fmt: skip


def test_the_same_weights_are_looked_into_once(make_asset, make_version, monkeypatch):
    from registry.inspection import formats
    from registry.models import FormatFacts

    first = make_version(make_asset()).facts
    assert FormatFacts.objects.count() == 1

    def never(source):
        raise AssertionError("read again")

    monkeypatch.setitem(formats._PARSERS, "safetensors", never)
    assert (
        make_version(make_asset("again"), model_files(**{"notes.txt": b"x"})).facts["parameters"] == first["parameters"]
    )


def test_rows_of_parquet(make_asset, make_version):
    from registry import datasets

    rows = [{"input": f"i{n}", "expected": n, "raw": b"\x00", "price": Decimal("1.5")} for n in range(250)]
    version = make_version(
        make_asset(kind="dataset"), {"a.parquet": parquet_file(rows), "b.jsonl": b'{"input": "z"}\n'}
    )
    assert version.facts["rows"] == 251 and version.facts["row_groups"] == 3
    assert version.facts["columns"] == ["input", "expected", "raw", "price"]
    assert version.facts["schema"]["expected"] == "int64"
    everything = list(datasets.rows(version))
    assert everything[0] == {"input": "i0", "expected": 0, "raw": "AA==", "price": "1.5"} and everything[250] == {
        "input": "z"
    }
    for start in (0, 1, 99, 100, 199, 249, 250, 251):
        assert list(datasets.rows(version, start, 3)) == everything[start : start + 3], start
    assert [(path, number) for path, number, _ in datasets.located_rows(version, 249, 2)] == [
        ("a.parquet", 250),
        ("b.jsonl", 1),
    ]


def test_records_of_json_and_a_parquet_cut_short(make_asset, make_version, make_draft, actor, cast):
    from registry import actions

    facts = make_version(make_asset("j", kind="dataset"), {"a.json": b'[{"a": 1}, {"a": 2}]'}).facts
    assert facts["records"] == 2
    whole = parquet_file()
    for content in (whole[:-20], whole[:60] + whole[-60:], whole[:4] + b"\xff" * 50 + whole[-8:]):
        version = make_draft(make_asset(f"p{len(content)}", kind="dataset"), {"a.parquet": content})
        with pytest.raises(Invalid, match=r"a\.parquet"):
            actions.register_version(version=version, by=actor(cast.alice))
