"""vLLM's configuration is one that Ray's library accepts; a machine without vLLM says what to install."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from serving.engines import scaled_deployment, vllm
from serving.engines.errors import EngineError
from serving.engines.files import model_folder
from tests.serving.engines import tiny

HAS_VLLM = importlib.util.find_spec("vllm") is not None


def config(llama: Path, **changes: Any) -> dict[str, Any]:
    return vllm.llm_config(tiny.arguments_of(llama, cache_dir=llama / "cache", **changes))


def test_model_is_the_folder_that_each_node_fetches(llama: Path) -> None:
    arguments = tiny.arguments_of(llama, cache_dir=llama / "cache")
    made = vllm.llm_config(arguments)
    folder = model_folder(llama / "cache", arguments["digest"])
    assert made["model_loading_config"] == {"model_id": "team/tiny", "model_source": str(folder)}
    assert made["callback_config"]["callback_kwargs"]["arguments"]["digest"] == arguments["digest"]


def test_gpus_decide_the_hardware(llama: Path) -> None:
    assert config(llama)["placement_group_config"] == {"bundle_per_worker": {"CPU": 1}}
    assert config(llama, num_gpus=1)["placement_group_config"] == {"bundle_per_worker": {"CPU": 1, "GPU": 1}}


def test_gpus_are_shared_out_among_the_workers(llama: Path) -> None:
    """Ray's library reserves the bundle once per worker, and vLLM alone would use one GPU."""
    two = config(llama, num_gpus=2)
    assert two["engine_kwargs"]["tensor_parallel_size"] == 2
    assert two["placement_group_config"] == {"bundle_per_worker": {"CPU": 1, "GPU": 1}}
    four = config(llama, num_gpus=4, engine={"pipeline_parallel_size": 2})
    assert four["engine_kwargs"]["tensor_parallel_size"] == 2
    half = config(llama, num_gpus=0.5)
    assert half["placement_group_config"] == {"bundle_per_worker": {"CPU": 1, "GPU": 0.5}}
    assert "tensor_parallel_size" not in half["engine_kwargs"]


@pytest.mark.parametrize(("num_gpus", "size"), [(1, 2), (4, 2), (1.5, 1)])
def test_gpus_that_do_not_fit_the_workers_are_refused(llama: Path, num_gpus: float, size: int) -> None:
    with pytest.raises(EngineError, match=f"num_gpus is {num_gpus:g}, .*make {size} workers"):
        config(llama, num_gpus=num_gpus, engine={"tensor_parallel_size": size})


def test_engine_options_reach_vllm(llama: Path) -> None:
    kwargs = config(llama, engine={"max_model_len": 128, "enforce_eager": True})["engine_kwargs"]
    assert kwargs["max_model_len"] == 128
    assert kwargs["enforce_eager"] is True
    assert "runner" not in kwargs
    assert config(llama, task="feature-extraction")["engine_kwargs"]["runner"] == "pooling"


def test_code_in_a_model_never_runs(llama: Path) -> None:
    with pytest.raises(EngineError, match="trust_remote_code"):
        config(llama, engine={"trust_remote_code": True})


@pytest.mark.skipif(HAS_VLLM, reason="vLLM is installed")
def test_missing_vllm_says_what_to_install(llama: Path) -> None:
    with pytest.raises(EngineError, match="install the `vllm` extra"):
        vllm.build(tiny.arguments_of(llama, cache_dir=llama / "cache"))


@pytest.mark.parametrize("num_gpus", [0, 1])
def test_rays_library_accepts_the_configuration(llama: Path, num_gpus: int) -> None:
    llm = pytest.importorskip("ray.serve.llm", exc_type=ImportError)
    made = llm.LLMConfig(**config(llama, num_gpus=num_gpus))
    assert made.model_id == "team/tiny"
    assert made.accelerator_config.kind == ("gpu" if num_gpus else "cpu")


def test_files_are_fetched_by_rays_callback(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray.llm._internal.common.callbacks.base", exc_type=ImportError)
    from serving.engines import vllm_files

    fetched: list[Any] = []
    monkeypatch.setattr(vllm_files, "materialise", lambda manifest, **settings: fetched.append(settings["digest"]))
    made = config(llama)["callback_config"]
    callback = vllm_files.FetchFiles(llm_config=None, **made["callback_kwargs"])
    callback.run_callback_sync("on_before_download_model_files_distributed")
    assert fetched == [made["callback_kwargs"]["arguments"]["digest"]]


def test_scaled_deployments_have_the_names_that_ray_gives() -> None:
    assert scaled_deployment("transformers", "acme/dates-1.5") == "engine"
    assert scaled_deployment("vllm", "acme/dates-1.5") == "LLMServer:acme--dates-1_5"
