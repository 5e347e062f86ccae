from serving.actions.deployments import (
    create_deployment,
    delete_deployment,
    scale_deployment,
    start_deployment,
    stop_deployment,
    update_deployment,
)
from serving.actions.targets import hold_target, release_target

__all__ = [
    "create_deployment",
    "delete_deployment",
    "hold_target",
    "release_target",
    "scale_deployment",
    "start_deployment",
    "stop_deployment",
    "update_deployment",
]
