"""A model that does not load fails the deployment, with a message that says why."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from serving.engines.arguments import EngineOptions, parse_arguments
from serving.engines.errors import EngineError
from serving.engines.transformers_engine import build
from serving.engines.transformers_engine.loading import load_encoder, load_language_model
from tests.serving.engines import tiny

OPTIONS = EngineOptions()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.make_llama(tmp_path / "model")


def test_context_is_the_models_or_the_option(model: Path) -> None:
    assert load_language_model(model, OPTIONS, device="cpu").context_length == 512
    assert load_language_model(model, EngineOptions(max_model_len=64), device="cpu").context_length == 64
    with pytest.raises(EngineError, match="'max_model_len' is 4096; the model reads 512 tokens"):
        load_language_model(model, EngineOptions(max_model_len=4096), device="cpu")


def test_authors_sampling_is_the_default(model: Path) -> None:
    path = model / "generation_config.json"
    saved = json.loads(path.read_text())
    path.write_text(json.dumps(saved | {"do_sample": True, "temperature": 0.6, "top_p": 0.9}))
    assert load_language_model(model, OPTIONS, device="cpu").defaults == {"temperature": 0.6, "top_p": 0.9}
    path.write_text(json.dumps(saved | {"do_sample": False}))
    assert load_language_model(model, OPTIONS, device="cpu").defaults == {"temperature": 0.0}


def test_truncated_weights_say_what_safetensors_says(model: Path) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(EngineError, match="the model does not load: SafetensorError"):
        load_language_model(model, OPTIONS, device="cpu")


def test_missing_weights_are_not_made_up(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EngineError, match=r"1 of its weights are not in .*: model.layers.1.mlp.up_proj.weight"):
        load_language_model(model, OPTIONS, device="cpu")


def test_weights_of_another_shape_are_refused(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"intermediate_size": 64}))
    with pytest.raises(EngineError, match="the model does not load"):
        load_language_model(model, OPTIONS, device="cpu")


def test_pickled_weights_are_never_read(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    with pytest.raises(EngineError, match=r"the model does not load: .*safetensors"):
        load_language_model(model, OPTIONS, device="cpu")


def test_code_in_a_model_never_runs(model: Path, tmp_path: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    mark = tmp_path / "ran"
    (model / "modeling_mine.py").write_text(f"open({str(mark)!r}, 'w').write('x')\n")
    changed = config | {"model_type": "mine", "auto_map": {"AutoConfig": "modeling_mine.MyConfig"}}
    (model / "config.json").write_text(json.dumps(changed))
    with pytest.raises(EngineError, match="does not load"):
        load_language_model(model, OPTIONS, device="cpu")
    assert not mark.exists()


@pytest.mark.parametrize(("missing", "said"), [("config.json", "configuration"), ("tokenizer.json", "tokenizer")])
def test_missing_files_are_said(model: Path, missing: str, said: str) -> None:
    (model / missing).unlink()
    with pytest.raises(EngineError, match=f"{said} does not load|{missing}"):
        load_language_model(model, OPTIONS, device="cpu")


def test_encoder_without_sentence_transformers_files_takes_the_mean(bert: Path) -> None:
    encoder = load_encoder(bert, OPTIONS, device="cpu")
    assert (encoder.pooling, encoder.normalise, encoder.context_length, encoder.dimensions) == ("mean", True, 128, 32)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"task": "poetry"}, "'task' is 'poetry'"),
        ({"token": ""}, "'token' is missing"),
        ({"files_url": "file:///etc/"}, "'files_url'"),
        ({"engine": {"max_concurrency": 0}}, "'max_concurrency' is 0"),
        ({"engine": {"treads": 2}}, "'treads' is unknown"),
        ({"engine": {"dtype": "int3"}}, "'dtype' is 'int3'"),
    ],
)
def test_bad_arguments_are_named(llama: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(EngineError, match=said):
        parse_arguments(tiny.arguments_of(llama, cache_dir=llama / "unused", **change))


def test_token_is_in_no_repr(llama: Path) -> None:
    assert "test-token" not in repr(parse_arguments(tiny.arguments_of(llama, cache_dir=llama / "unused")))


def test_build_imports_neither_torch_nor_django(llama: Path) -> None:
    arguments = tiny.arguments_of(llama, cache_dir=llama / "unused")
    program = (
        "import json, sys; from serving.engines.transformers_engine import build; "
        "build(json.loads(sys.stdin.read())); "
        "print([name for name in ('torch', 'transformers', 'django') if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(arguments), capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_build_refuses_bad_arguments_before_any_replica(llama: Path) -> None:
    with pytest.raises(EngineError, match="'digest' is missing"):
        build(tiny.arguments_of(llama, cache_dir=llama / "unused", digest=""))
