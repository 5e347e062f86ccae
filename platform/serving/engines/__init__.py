"""What runs inside Ray Serve's replicas. Nothing here imports Django: a replica stays light, and a node needs no database."""

from __future__ import annotations

IMPORT_PATHS = {
    "transformers": "serving.engines.transformers_engine:build",
    "vllm": "serving.engines.vllm:build",
}


def scaled_deployment(engine: str, model: str) -> str:
    """The name, inside the Serve application, of the deployment whose `num_replicas` are the model's replicas."""
    if engine == "vllm":
        return "LLMServer:" + model.replace("/", "--").replace(".", "_")  # as Ray's library names it
    return "engine"
