"""What each worker process of the embedded Ray runs first (Ray is told so by an environment variable, see ray.py)."""

from __future__ import annotations

from typing import Any


def stay_on_loopback() -> None:
    """Keep gRPC servers off the network: Serve's replicas open one for calls between deployments on every interface.

    They check the token, but what they take are pickles. A head node on loopback has no other machine to talk to.
    """
    import ray._common.tls_utils as tls_utils

    plain: Any = tls_utils.add_port_to_grpc_server

    def add_port_to_grpc_server(server: Any, address: str) -> Any:
        return plain(server, address.replace("[::]", "127.0.0.1"))

    tls_utils.add_port_to_grpc_server = add_port_to_grpc_server
