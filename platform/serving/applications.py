"""The Ray Serve application of a revision: Serve's declarative configuration, the same each time it is built."""

from typing import Any

from django.conf import settings

from registry.internal import sign
from serving.cluster import ENGINE_DEPLOYMENT, VLLM_DEPLOYMENT
from serving.models import Deployment, Revision

IMPORT_PATHS = {
    Revision.Engine.TRANSFORMERS.value: "serving.engines.transformers_engine:build",
    Revision.Engine.VLLM.value: "serving.engines.vllm:build",
}
OURS = "num_cpus"  # the one engine option that is for Ray and not for the engine


def application(deployment: Deployment, revision: Revision) -> dict[str, Any]:
    """What is put for this revision with the deployment's number of replicas. Costs one query, for the files."""
    return {
        "name": revision.application,
        "route_prefix": f"/{revision.application}",
        "import_path": IMPORT_PATHS[revision.engine],
        "runtime_env": {},
        "args": _arguments(deployment, revision),
        "deployments": [_options(deployment, revision)],
    }


def _arguments(deployment: Deployment, revision: Revision) -> dict[str, Any]:
    version = revision.version
    files = version.files.select_related("blob").order_by("path")
    arguments: dict[str, Any] = {
        "model": str(deployment),
        "digest": revision.digest,
        "task": version.asset.task,
        "manifest": [{"path": file.path, "size": file.blob.size, "sha256": file.blob_id} for file in files],
        "files_url": f"{settings.INTERNAL_URL}/internal/files/",
        "token": sign(version),
        "cache_dir": str(settings.ENGINE_CACHE),
        "engine": {name: value for name, value in revision.engine_options.items() if name != OURS},
    }
    if revision.engine == Revision.Engine.VLLM:
        arguments["num_gpus"] = revision.num_gpus
    return arguments


def _options(deployment: Deployment, revision: Revision) -> dict[str, Any]:
    options: dict[str, Any] = {
        "name": ENGINE_DEPLOYMENT,
        "num_replicas": deployment.replicas,
        "health_check_period_s": 5.0,
        "health_check_timeout_s": 30.0,
        "graceful_shutdown_wait_loop_s": 0.5,
        "graceful_shutdown_timeout_s": 10.0,
    }
    if revision.engine == Revision.Engine.VLLM:
        # vLLM's own placement asks for CPUs and GPUs; its deployment is named after the model.
        options["name"] = VLLM_DEPLOYMENT + str(deployment).replace("/", "--").replace(".", "_")
        return options
    # Zero GPUs are left out, so that Ray doesn't hide the GPUs' absence behind a resource of its own.
    actor = {"num_cpus": revision.cpus, **({"num_gpus": revision.num_gpus} if revision.num_gpus else {})}
    return {**options, "ray_actor_options": actor}
