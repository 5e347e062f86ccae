from serving.actions.deployments import (
    check_servable,
    create_deployment,
    delete_deployment,
    scale_deployment,
    start_deployment,
    stop_deployment,
    update_deployment,
)
from serving.actions.prices import set_prices
from serving.actions.requests import apply_request, request_create, request_update
from serving.actions.targets import hold_target, release_target

__all__ = [
    "apply_request",
    "check_servable",
    "create_deployment",
    "delete_deployment",
    "hold_target",
    "release_target",
    "request_create",
    "request_update",
    "scale_deployment",
    "set_prices",
    "start_deployment",
    "stop_deployment",
    "update_deployment",
]
