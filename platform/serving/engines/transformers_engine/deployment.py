"""The Serve deployment: fetch, load, then answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ray
from ray import serve

from serving.engines.arguments import parse_arguments
from serving.engines.files import materialise

if TYPE_CHECKING:
    from ray.serve import Deployment
    from starlette.applications import Starlette

DEPLOYMENT_NAME = "engine"
# Requests wait in the replica, where a disconnect is noticed; beyond this many they wait in Serve's proxy.
QUEUE_PER_SLOT = 16


class TransformersEngine:
    """One replica: verified files, a loaded model, an ASGI app."""

    def __init__(self, args: Mapping[str, Any]) -> None:
        arguments = parse_arguments(args)
        folder = materialise(
            arguments.manifest,
            files_url=arguments.files_url,
            token=arguments.token,
            cache_dir=arguments.cache_dir,
            digest=arguments.digest,
        )
        # Here and not above: this import costs seconds and hundreds of megabytes.
        from serving.engines.transformers_engine.app import create_app, require_health

        self._require_health = require_health
        self._app = create_app(arguments, folder, device=_device())

    async def __serve_build_asgi_app__(self) -> Starlette:
        return self._app

    def check_health(self) -> None:
        """Serve asks every few seconds, and replaces a replica for which this raises."""
        self._require_health(self._app)


def engine_deployment(max_concurrency: int) -> Deployment:
    """The deployment with the options that follow from the engine; Serve's config overrides them by name."""
    deployment: Deployment = serve.deployment(  # type: ignore[assignment]  # its overloads are not declared
        serve.ingress()(TransformersEngine),
        name=DEPLOYMENT_NAME,
        max_ongoing_requests=max_concurrency * QUEUE_PER_SLOT,
        # A fraction, so that small models share a small machine; num_gpus comes from Serve's config.
        ray_actor_options={"num_cpus": 0.1},
        graceful_shutdown_wait_loop_s=1,
        graceful_shutdown_timeout_s=10,
    )
    return deployment


def _device() -> str:
    accelerators = ray.get_runtime_context().get_accelerator_ids()
    return "cuda" if accelerators.get("GPU") else "cpu"
