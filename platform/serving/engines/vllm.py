"""vLLM through Ray Serve's own LLM library, on files that each node fetches by digest as the light engine does."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from serving.engines.arguments import OURS, EngineArguments, parse_arguments, parse_vllm_options
from serving.engines.errors import EngineError
from serving.engines.files import model_folder

if TYPE_CHECKING:
    from ray.serve import Application


def build(args: Mapping[str, Any]) -> Application:
    """The Serve application of one model under vLLM.

    `args` are the light engine's, with `num_gpus` (per replica; 0 runs on CPU) beside them; further keys of `engine`
    are vLLM's own engine arguments. `model` must be the name that clients ask for: vLLM refuses any other.
    Raises EngineError where vLLM is not installed.
    """
    if importlib.util.find_spec("vllm") is None:
        raise EngineError("engine 'vllm' needs vLLM on every Ray node: install the `vllm` extra (countersign[vllm])")
    try:
        from ray.serve.llm import LLMConfig, build_openai_app
    except ImportError as error:
        raise EngineError(f"engine 'vllm' needs ray.serve.llm: install the `vllm` extra: {error}") from error
    config = LLMConfig(**llm_config(args))
    return build_openai_app(
        {
            "llm_configs": [config],
            # Our gateway is in front already: one thin router is enough, and it computes nothing.
            "ingress_deployment_config": {"num_replicas": 1, "ray_actor_options": {"num_cpus": 0.1}},
        }
    )


def llm_config(args: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `ray.serve.llm.LLMConfig` for our arguments."""
    engine = dict(args.get("engine") or {})
    arguments = parse_arguments({**args, "engine": {name: engine[name] for name in OURS if name in engine}})
    num_gpus = args.get("num_gpus") or 0
    bundle = _bundle(engine, num_gpus)
    return {
        "model_loading_config": {
            "model_id": arguments.model,
            # The callback puts the files here before vLLM looks; the path is the same on every node.
            "model_source": str(model_folder(arguments.cache_dir, arguments.digest)),
        },
        "engine_kwargs": _engine_kwargs(arguments, engine),
        # Also what tells Ray's library whether this is for a GPU or a CPU.
        "placement_group_config": {"bundle_per_worker": bundle},
        "deployment_config": {
            "num_replicas": 1,  # scaled by Serve's config, by the deployment's name
            "max_ongoing_requests": max(64, arguments.options.max_concurrency * 16),
        },
        "callback_config": {
            "callback_class": "serving.engines.vllm_files:FetchFiles",
            "callback_kwargs": {"arguments": dict(args) | {"engine": {}}},
        },
    }


def _bundle(engine: dict[str, Any], num_gpus: float) -> dict[str, float]:
    """What one worker of a replica needs; Ray's library reserves it for each of them.

    A replica's GPUs are its workers', one each: without a word in `engine`, the model is split over them by tensor.
    """
    if not num_gpus:
        return {"CPU": 1}
    stages = engine.get("pipeline_parallel_size") or 1
    if num_gpus > 1:
        engine.setdefault("tensor_parallel_size", max(1, int(num_gpus // stages)))
    workers = stages * (engine.get("tensor_parallel_size") or 1)
    if max(num_gpus, 1) != workers:
        raise EngineError(
            f"num_gpus is {num_gpus:g}, and engine options tensor_parallel_size × pipeline_parallel_size make {workers} "
            "workers of a GPU each; set num_gpus to that number"
        )
    return {"CPU": 1, "GPU": min(num_gpus, 1)}


def _engine_kwargs(arguments: EngineArguments, engine: Mapping[str, Any]) -> dict[str, Any]:
    kwargs: dict[str, Any] = {name: value for name, value in engine.items() if name not in OURS}
    parse_vllm_options(engine)
    kwargs["dtype"] = arguments.options.dtype
    kwargs["max_num_seqs"] = arguments.options.max_concurrency
    kwargs["load_format"] = "safetensors"
    if arguments.options.max_model_len is not None:
        kwargs["max_model_len"] = arguments.options.max_model_len
    if arguments.task == "feature-extraction":
        kwargs.setdefault("runner", "pooling")
    return kwargs
