"""Valid files of each format, made by the formats' own libraries."""

import io
import tempfile
from pathlib import Path


def gguf_file(**keys):
    import gguf
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "m.gguf")
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_context_length(2048)
        writer.add_embedding_length(64)
        writer.add_block_count(2)
        writer.add_head_count(4)
        writer.add_head_count_kv(2)
        writer.add_file_type(15)
        writer.add_tokenizer_model("gpt2")
        writer.add_token_list(["a", "b", "c"])
        writer.add_chat_template("{{ messages }}")
        writer.add_tensor("token_embd.weight", np.zeros((2, 64), np.float16))
        writer.add_tensor("blk.0.q.weight", np.zeros((4, 36), np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q4_0)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return Path(path).read_bytes()


def torch_file(value=None, **options):
    import torch

    if value is None:
        value = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.LayerNorm(8)).state_dict()
    stream = io.BytesIO()
    torch.save(value, stream, **options)
    return stream.getvalue()


def onnx_file(external=None):
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.zeros((4, 3), np.float32), "w")
    if external is not None:
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=external)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["z"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 3])],
        [weight],
    )
    opset = [helper.make_opsetid("", 21)]
    return helper.make_model(graph, producer_name="a test", opset_imports=opset).SerializeToString()


def parquet_file(rows=None, **options):
    import pyarrow
    import pyarrow.parquet

    if rows is None:
        rows = [{"input": f"i{n}", "expected": n, "tags": ["a", "b"]} for n in range(250)]
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), stream, **({"row_group_size": 100} | options))
    return stream.getvalue()


def tokenizer_file(tokens=("a", "b"), special="<s>"):
    import json

    return json.dumps(
        {
            "model": {"type": "BPE", "vocab": {token: place for place, token in enumerate(tokens)}, "merges": []},
            "added_tokens": [{"id": 99, "content": special, "special": True}],
        }
    ).encode()
