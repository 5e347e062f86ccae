"""What replicas write: Serve's own log of each, and the output of its process."""

from dataclasses import dataclass
from typing import Any

from accounts.errors import NotFound, Unavailable
from serving import cluster
from serving.models import Deployment

MAX_LINES = 1000


@dataclass(frozen=True)
class ReplicaLog:
    """The end of one replica's log."""

    replica: dict[str, Any]
    text: str


def read(deployment: Deployment, *, replica: str = "", lines: int = 200) -> list[ReplicaLog]:
    """The last lines of each replica that was seen last, or of one. Raises NotFound, Unavailable."""
    rows = [row for row in deployment.observed_replicas if not replica or row["id"] == replica]
    if replica and not rows:
        raise NotFound(f"{deployment} has no replica '{replica}' now.")
    try:
        return [ReplicaLog(row, _tail(row, lines)) for row in rows]
    except cluster.RayError as error:
        raise Unavailable(f"The logs can't be read now. {error}") from error


def _tail(row: dict[str, Any], lines: int) -> str:
    if not row["node_id"]:
        return ""  # not placed on a node yet
    names = [row["log"]] if row["log"] else []
    if row["worker_id"]:
        names += cluster.log_files(row["node_id"], row["worker_id"])
    texts = [cluster.log_tail(row["node_id"], name, lines=lines) for name in names]
    found = [line for text in texts for line in text.splitlines() if not _marker(line)]
    return "\n".join(found[-lines:])


def _marker(line: str) -> bool:
    """Ray's marks for its own log monitor."""
    return line.startswith((":job_id:", ":actor_name:", ":task_name:"))
