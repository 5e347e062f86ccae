"""Ports of one instance on loopback: chosen once, kept in DATA/ports.json, chosen again where something else took them."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable
from pathlib import Path

from config.embedded.secrets import write_private

FILE_NAME = "ports.json"
# Below Linux's range for outgoing connections (32768 and up), so that no client socket sits on a port kept for a server.
LOWEST, HIGHEST = 20000, 32000


class PortTaken(Exception):
    """Something else listens on a port that this instance was told to use."""


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on `host:port` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: connections of a stopped server that linger in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose(data: Path, names: Iterable[str], *, avoid: Iterable[int] = ()) -> dict[str, int]:
    """A free port for each name: the one remembered in `data` where it is still free, else a fresh one."""
    path = data / FILE_NAME
    try:
        known: dict[str, int] = json.loads(path.read_text())
    except (OSError, ValueError):
        known = {}
    used = set(avoid)
    chosen: dict[str, int] = {}
    for name in names:
        port = known.get(name, 0)
        if not LOWEST <= port < HIGHEST or port in used or not is_free(port):
            port = _fresh(used)
        used.add(port)
        chosen[name] = port
    if chosen != known:
        write_private(path, json.dumps(chosen, indent=2) + "\n")
    return chosen


def _fresh(used: set[int]) -> int:
    # At random, so that two instances that start together hardly ever choose the same one.
    for _attempt in range(1000):
        port = random.randrange(LOWEST, HIGHEST)  # noqa: S311 - a port is no secret
        if port not in used and is_free(port):
            return port
    raise PortTaken(f"No free port found on 127.0.0.1 between {LOWEST} and {HIGHEST}.")


def require_free(port: int, host: str, *, what: str, remedy: str) -> None:
    """Raise PortTaken, naming the port and the remedy, unless a server could listen there."""
    if not is_free(port, host):
        raise PortTaken(f"Port {port}, wanted for {what}, is taken by another program. {remedy}")
