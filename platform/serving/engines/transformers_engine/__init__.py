"""The light engine: transformers under Ray Serve, speaking OpenAI's protocol. Serve imports `build` by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray.serve import Application


def build(args: Mapping[str, Any]) -> Application:
    """The Serve application of one model; the deployment in it is named `engine`.

    Cheap to import and to call: torch and transformers come in only inside the replica.
    """
    from serving.engines.arguments import parse_arguments
    from serving.engines.transformers_engine.deployment import engine_deployment

    arguments = parse_arguments(args)  # a bad argument fails here, before any replica is started
    return engine_deployment(arguments.options.max_concurrency).bind(dict(args))
