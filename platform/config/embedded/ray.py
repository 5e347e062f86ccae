"""A Ray head node for this machine: everything on loopback, token authentication on, as lean as Serve allows.

It runs in the foreground (see ray_head.py) and takes its own processes with it when it ends. Serve itself is started by
whoever deploys first, through the dashboard's REST API, at the port that is kept for it.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from config.embedded import secrets as instance_secrets
from config.embedded.process import Command, ServiceFailed
from config.embedded.secrets import write_private

PORT_NAMES = (
    "ray-gcs", "ray-dashboard", "ray-agent", "ray-agent-grpc", "ray-runtime-env", "ray-metrics", "ray-dashboard-metrics",
    "ray-node-manager", "ray-object-manager", "ray-serve",
)  # fmt: skip
# Ray puts its sockets at TEMP/session_2026-11-21_03-54-11_123456_1234567/sockets/plasma_store; a socket's path can't
# have more than 107 bytes.
LONGEST_TEMP_DIR = 107 - len("/session_2026-11-21_03-54-11_123456_1234567/sockets/plasma_store.12345")
OBJECT_STORE_BYTES = 200 * 1024 * 1024
SESSIONS_KEPT = 2


@dataclass(frozen=True)
class Ray:
    """The head node of one instance; `command` runs it in the foreground."""

    data: Path
    ports: dict[str, int]
    token: str

    @property
    def dashboard_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['ray-dashboard']}"

    @property
    def serve_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['ray-serve']}"

    @property
    def token_path(self) -> Path:
        return self.data / "ray" / "token"

    @property
    def temp_dir(self) -> Path:
        """DATA/ray/tmp, or a short folder named after it where that path is too long for sockets."""
        inside = self.data / "ray" / "tmp"
        if len(os.fsencode(inside)) <= LONGEST_TEMP_DIR:
            return inside
        name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:10]
        return Path(tempfile.gettempdir()) / f"countersign-{os.geteuid()}-{name}"

    @property
    def env(self) -> dict[str, str]:
        """What clients of this Ray need in their environment."""
        return {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token_path),
            "RAY_DASHBOARD_URL": self.dashboard_url,
            "RAY_SERVE_URL": self.serve_url,
            "RAY_USAGE_STATS_ENABLED": "0",
            # Ray's single-machine mode: without it, clients look up the machine's outward address instead of 127.0.0.1.
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        }

    @property
    def command(self) -> Command:
        ports = self.ports
        settings = {
            "node_ip_address": "127.0.0.1",
            "node_name": "127.0.0.1",
            "dashboard_host": "127.0.0.1",
            "include_dashboard": True,
            "gcs_server_port": ports["ray-gcs"],
            "dashboard_port": ports["ray-dashboard"],
            "dashboard_agent_listen_port": ports["ray-agent"],
            "metrics_agent_port": ports["ray-agent-grpc"],
            "runtime_env_agent_port": ports["ray-runtime-env"],
            "metrics_export_port": ports["ray-metrics"],
            "node_manager_port": ports["ray-node-manager"],
            "object_manager_port": ports["ray-object-manager"],
            "min_worker_port": 0,
            "max_worker_port": 0,
            "object_store_memory": OBJECT_STORE_BYTES,
            "temp_dir": str(self.temp_dir),
            # The autoscaler starts machines, the log monitor copies output to drivers: there are neither.
            "no_monitor": True,
            "include_log_monitor": False,
        }
        argv = (sys.executable, "-m", "config.embedded.ray_head", "start", json.dumps(settings))
        env = {
            **self.env,
            **SWITCHES,
            "RAY_TMPDIR": str(self.temp_dir),
            "DASHBOARD_METRIC_PORT": str(ports["ray-dashboard-metrics"]),
        }
        return Command(argv, env=env)

    def prepare(self) -> None:
        """Write the token and clear away what earlier sessions left; call it before each start of `command`."""
        write_private(self.token_path, self.token)
        temp_dir = self.temp_dir
        try:
            temp_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError as error:
            raise ServiceFailed(f"{temp_dir} must be a folder, for Ray's files.") from error
        # In the shared temporary folder, another user could have made it first.
        if temp_dir.lstat().st_uid != os.geteuid() or temp_dir.is_symlink():
            raise ServiceFailed(f"{temp_dir} belongs to another user. Use a shorter DATA= path.")
        temp_dir.chmod(0o700)
        sessions = sorted(path for path in temp_dir.glob("session_2*") if not path.is_symlink())
        for session in sessions[:-SESSIONS_KEPT]:
            shutil.rmtree(session, ignore_errors=True)

    def ready(self) -> bool:
        """Whether the dashboard answers to our token and knows Serve's REST API."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["ray-dashboard"], timeout=5)
        try:
            connection.request("GET", "/api/serve/applications/", headers={"Authorization": f"Bearer {self.token}"})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


# Ray's own switches: for staying on loopback, for an idle machine's memory, for logs that don't grow for ever.
SWITCHES = {
    "__RAY_WORKER_PROCESS_SETUP_HOOK_ENV_VAR": "config.embedded.ray_worker.stay_on_loopback",
    # No pool of idle workers: a replica's process is started when it is wanted.
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_num_workers_soft_limit": "0",
    # Nobody scrapes Ray's own metrics or reads its task events here; collecting them costs an idle core 3 %.
    "RAY_enable_metrics_collection": "0",
    "RAY_task_events_report_interval_ms": "0",
    "RAY_ROTATION_MAX_BYTES": str(16 * 1024 * 1024),
    "RAY_ROTATION_BACKUP_COUNT": "2",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_COLOR_PREFIX": "0",
    "PYTHONUNBUFFERED": "1",
}


def describe(data: Path, *, ports: dict[str, int]) -> Ray:
    """The head node of the instance in `data`, not started; `ports` has one for each of PORT_NAMES."""
    return Ray(data.resolve(), ports, instance_secrets.load_or_create(data).ray_token)
