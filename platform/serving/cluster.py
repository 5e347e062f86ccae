"""A client of Ray's dashboard: Serve applications, the cluster's resources, logs. Nothing here touches the database.

The driver connection that `import ray` would need can die and take its process along; REST calls with time limits can't.
"""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings

log = logging.getLogger(__name__)
READ_TIMEOUT_S = 5.0
# The first PUT starts Serve's controller and proxy, which takes seconds on a small machine.
DEPLOY_TIMEOUT_S = 60.0
# A proxy at every node with replicas; ours asks the head's only, so one is enough.
PROXY_LOCATION = "HeadOnly"
APPLICATIONS = "/api/serve/applications/"
ENGINE_DEPLOYMENT = "engine"  # as serving.engines.transformers_engine names it
VLLM_DEPLOYMENT = "LLMServer:"  # as ray.serve.llm begins the name of what runs the model


class RayError(Exception):
    """Ray answered with an error, or not in time: what it runs is unknown."""


class RayDown(RayError):
    """Nothing listens where Ray should be, so nothing runs there."""


@dataclass(frozen=True)
class Replica:
    """One replica as Serve tells it; `state` in lower case (starting, running, stopping, stopped, …)."""

    id: str
    state: str
    node: str
    node_id: str
    actor_id: str
    worker_id: str
    pid: int | None
    started_s: float | None
    log: str


@dataclass(frozen=True)
class App:
    """One Serve application. `config` is the exact configuration that was put."""

    name: str
    status: str
    message: str = ""
    config: dict[str, Any] | None = None
    deployment_status: str = ""
    deployment_message: str = ""
    replicas: Sequence[Replica] = ()
    dead_replicas: Sequence[Replica] = ()


@dataclass(frozen=True)
class Observed:
    """What Ray Serve runs now."""

    serve_is_up: bool
    http: tuple[str, int] | None = None
    apps: dict[str, App] = field(default_factory=dict)


@dataclass(frozen=True)
class Node:
    id: str
    address: str
    cpus: float
    gpus: float
    memory_bytes: int


@dataclass(frozen=True)
class Resources:
    """What the cluster's living nodes have in all."""

    nodes: Sequence[Node]

    @property
    def cpus(self) -> float:
        return sum(node.cpus for node in self.nodes)

    @property
    def gpus(self) -> float:
        return sum(node.gpus for node in self.nodes)

    @property
    def memory_bytes(self) -> int:
        return sum(node.memory_bytes for node in self.nodes)

    def described(self) -> str:
        """'2 CPUs, no GPU and 22.4 GiB of memory on 1 node'."""
        gpus = f"{self.gpus:g} GPU{'s' * (self.gpus != 1)}" if self.gpus else "no GPU"
        return (
            f"{self.cpus:g} CPU{'s' * (self.cpus != 1)}, {gpus} and {self.memory_bytes / 1024**3:.1f} GiB of memory "
            f"on {len(self.nodes)} node{'s' * (len(self.nodes) != 1)}"
        )


def observe() -> Observed:
    """All applications; raises RayError."""
    body = json.loads(_call("GET", APPLICATIONS, timeout_s=READ_TIMEOUT_S))
    http = body.get("http_options")
    return Observed(
        serve_is_up=bool(body.get("controller_info")),
        http=(http["host"], http["port"]) if http else None,
        apps={name: _app(name, found) for name, found in body.get("applications", {}).items()},
    )


def deploy(applications: Sequence[dict[str, Any]]) -> None:
    """Make Serve run exactly these applications. It starts them in the background. Raises RayError."""
    host, port = serve_address()
    config = {
        "proxy_location": PROXY_LOCATION,
        "http_options": {"host": host, "port": port},
        "applications": list(applications),
    }
    _call("PUT", APPLICATIONS, body=config, timeout_s=DEPLOY_TIMEOUT_S)


def shut_down_serve() -> None:
    """End Serve's controller and proxy and whatever runs under them; the next `deploy` starts them again."""
    _call("DELETE", APPLICATIONS, timeout_s=DEPLOY_TIMEOUT_S)


def serve_address() -> tuple[str, int]:
    """Where Serve's HTTP proxy shall listen: on loopback, unless the operator says otherwise."""
    return settings.RAY_SERVE_HOST, urlsplit(settings.RAY_SERVE_URL).port or 80


def resources(*, timeout_s: float = READ_TIMEOUT_S) -> Resources:
    """What the cluster has; raises RayError."""
    body = json.loads(_call("GET", "/api/v0/nodes?detail=1", timeout_s=timeout_s))
    nodes = []
    for row in body["data"]["result"]["result"]:
        if row["state"] == "ALIVE":
            has = row["resources_total"]
            nodes.append(
                Node(
                    id=row["node_id"],
                    address=row["node_ip"],
                    cpus=has.get("CPU", 0.0),
                    gpus=has.get("GPU", 0.0),
                    memory_bytes=int(has.get("memory", 0)),
                )
            )
    return Resources(nodes)


def log_files(node_id: str, worker_id: str) -> list[str]:
    """The names of the output files of one worker process."""
    query = urlencode({"node_id": node_id, "glob": f"worker-{worker_id}*"})
    found = json.loads(_call("GET", f"/api/v0/logs?{query}", timeout_s=READ_TIMEOUT_S))["data"]["result"]
    return [name for kind in ("worker_out", "worker_err") for name in found.get(kind, [])]


def log_tail(node_id: str, name: str, *, lines: int) -> str:
    """The last lines of one log file of a node; '' when Ray has it no longer."""
    query = urlencode({"node_id": node_id, "filename": name.lstrip("/"), "lines": lines})
    try:
        return _call("GET", f"/api/v0/logs/file?{query}", timeout_s=READ_TIMEOUT_S).decode(errors="replace")
    except RayDown:
        raise
    except RayError as error:
        log.info("No log %s: %s", name, error)
        return ""


def _call(method: str, path: str, *, body: Any = None, timeout_s: float) -> bytes:
    headers = {"Content-Type": "application/json"}
    if token := _token():
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(  # noqa: S310  # the operator chooses the address, no caller
        settings.RAY_DASHBOARD_URL + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers=headers,
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:  # noqa: S310
            answer: bytes = response.read()
            return answer
    except urllib.error.HTTPError as error:
        text = error.read(20_000).decode(errors="replace")
        raise RayError(f"Ray answered {error.code}: {text.strip()[:2000]}") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionRefusedError):
            raise RayDown(f"Nothing answers at Ray's address {settings.RAY_DASHBOARD_URL}.") from error
        raise RayError(f"Ray can't be reached: {error.reason}") from error
    except (OSError, ValueError) as error:  # a time-out or a connection that broke in the middle
        raise RayError(f"Ray did not answer: {error or type(error).__name__}") from error


def _token() -> str:
    """Read each time: the file is written anew when an instance moves."""
    if not settings.RAY_TOKEN_PATH:
        return settings.RAY_TOKEN
    try:
        return Path(settings.RAY_TOKEN_PATH).read_text().strip()
    except OSError as error:
        raise RayError(f"Ray's token can't be read: {error}") from error


def _app(name: str, found: dict[str, Any]) -> App:
    # Ours have one deployment. vLLM's have a router too, which computes nothing; it matters where it isn't healthy.
    parts = sorted(found["deployments"].values(), key=lambda part: part["status"] == "HEALTHY")
    first = parts[0] if parts else {}
    parts = [part for part in parts if part["name"].startswith(VLLM_DEPLOYMENT)] or parts
    return App(
        name=name,
        status=found["status"],
        message=found["message"],
        config=found.get("deployed_app_config"),
        deployment_status=first.get("status", ""),
        deployment_message=first.get("message", ""),
        replicas=[_replica(row) for part in parts for row in part["replicas"]],
        dead_replicas=[_replica(row) for part in parts for row in part.get("recent_dead_replicas", [])],
    )


def _replica(row: dict[str, Any]) -> Replica:
    return Replica(
        id=row["replica_id"],
        state=str(row["state"]).lower(),
        node=row.get("node_ip") or "",
        node_id=row.get("node_id") or "",
        actor_id=row.get("actor_id") or "",
        worker_id=row.get("worker_id") or "",
        pid=row.get("pid"),
        started_s=row.get("start_time_s"),
        log=row.get("log_file_path") or "",
    )
