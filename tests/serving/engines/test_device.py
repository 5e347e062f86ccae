"""What can be held about GPUs without one: the choice of precision, and that a device which fails or lacks says so."""

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from transformers import AutoModelForCausalLM

from serving.engines.arguments import EngineOptions
from serving.engines.errors import EngineError
from serving.engines.transformers_engine import app as app_module
from serving.engines.transformers_engine.loading import load_language_model
from tests.serving.engines.conftest import app_of, served

CHAT = {"messages": [{"role": "user", "content": "the sea"}]}
needs_none = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@needs_none
def test_torch_without_cuda_says_so(llama: Path) -> None:
    with pytest.raises(EngineError, match=r"the model cannot go to cuda: .*torch .*a GPU needs a build for CUDA"):
        load_language_model(llama, EngineOptions(), device="cuda")


def test_half_precision_follows_the_files_on_a_gpu_and_not_on_a_cpu(llama: Path, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    AutoModelForCausalLM.from_pretrained(str(llama), dtype=torch.bfloat16).save_pretrained(folder)
    for path in llama.glob("tokenizer*"):
        (folder / path.name).write_bytes(path.read_bytes())
    assert load_language_model(folder, EngineOptions(), device="cpu").network.dtype == torch.float32
    assert load_language_model(folder, EngineOptions(dtype="bfloat16"), device="cpu").network.dtype == torch.bfloat16
    # The "meta" device stands for any that is not a CPU: it needs no hardware, and the choice is made by name.
    assert load_language_model(folder, EngineOptions(), device="meta").network.dtype == torch.bfloat16


def test_failed_device_makes_the_replica_unhealthy(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(model: Any, plan: Any, *, emit: Any, cancelled: threading.Event) -> None:
        raise torch.AcceleratorError("CUDA error: device-side assert triggered\nmore about it")

    app = app_of(llama)
    app_module.require_health(app)
    monkeypatch.setattr(app_module, "generate", fails)
    with served(app) as url:
        assert httpx.get(f"{url}/health").status_code == 200
        answer = httpx.post(f"{url}/v1/chat/completions", json=CHAT)
        assert answer.status_code == 500
        assert "device-side assert" in answer.json()["error"]["message"]
        health = httpx.get(f"{url}/health")
        assert health.status_code == 503
        assert health.json()["error"]["message"].endswith("CUDA error: device-side assert triggered")
    with pytest.raises(EngineError, match="only a new replica can use it again"):
        app_module.require_health(app)


def test_running_out_of_memory_is_not_a_failed_device(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(model: Any, plan: Any, *, emit: Any, cancelled: threading.Event) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    app = app_of(llama)
    monkeypatch.setattr(app_module, "generate", fails)
    with served(app) as url:
        assert httpx.post(f"{url}/v1/chat/completions", json=CHAT).status_code == 503
        assert httpx.get(f"{url}/health").status_code == 200
    app_module.require_health(app)


def test_token_without_an_embedding_is_refused_before_the_device(llama: Path, tmp_path: Path) -> None:
    """A tokenizer that knows more tokens than the model: looking one up on a GPU would spoil it for all requests."""
    from tokenizers import AddedToken
    from transformers import AutoTokenizer

    folder = tmp_path / "model"
    folder.mkdir()
    for path in llama.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    tokenizer.add_tokens([AddedToken(f"<|extra{n}|>", special=True) for n in range(3)])
    tokenizer.save_pretrained(folder)
    with served(app_of(folder)) as url:
        answer = httpx.post(f"{url}/v1/completions", json={"prompt": "the sea <|extra2|>"})
    assert answer.status_code == 400
    assert "is not in the vocabulary" in answer.json()["error"]["message"]
