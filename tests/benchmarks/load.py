"""Requests per second of one address on kept-alive connections: by wrk where it is installed, else by a loop of our own.

The same generator measures both sides of a comparison, so a ratio holds with either.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
NUMBER = "@number@"  # stands in a body for a number that no other request of any run has, of as many characters


def generator() -> str:
    return "wrk" if shutil.which("wrk") else "tests/benchmarks/load.py"


def rate(url: str, *, connections: int, seconds: float, headers: dict[str, str], bodies: Sequence[str] = ()) -> float:
    """Answers per second; raises if any answer is not a 200. `bodies`: they are POSTed, each connection sends one of them over and over."""
    given = [f"{name}: {value}" for name, value in headers.items()]
    if shutil.which("wrk") and not bodies:
        threads = str(min(2, connections))
        command = ["wrk", "--timeout", "20s", "-t", threads, "-c", str(connections), "-d", f"{seconds:.0f}s"]
        command += [part for header in given for part in ("-H", header)]
        out = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
        found = re.search(r"Requests/sec: +([\d.]+)", out)
        if found is None or "Non-2xx" in out or "Socket errors" in out:
            raise RuntimeError(f"wrk on {url}:\n{out}")
        return float(found.group(1))
    # A process of its own: the tests' interpreter must not slow it down.
    command = [sys.executable, str(Path(__file__)), url, str(connections), str(seconds), *given]
    env = {**os.environ, "LOAD_BODIES": json.dumps(list(bodies))}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
    if done.returncode:
        raise RuntimeError(f"{url}:\n{done.stderr}")
    return float(done.stdout)


class _Connection:
    """One kept-alive connection, one request at a time."""

    def __init__(self, address: tuple[str, int], request: bytes) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parts = request.split(NUMBER.encode())
        self._read = b""
        self.send()

    def send(self) -> None:
        number = str(time.time_ns() // 100 % 10**8).zfill(len(NUMBER)).encode()
        self.socket.sendall(number.join(self._parts))

    def answered(self) -> bool:
        """Read what has come; whether an answer is whole."""
        block = self.socket.recv(1 << 18)
        if not block:
            raise ConnectionError("the server closed a connection")
        self._read += block
        head = self._read.find(b"\r\n\r\n")
        length = _LENGTH.search(self._read[:head]) if head >= 0 else None
        if head < 0 or (length and len(self._read) < head + 4 + int(length.group(1))):
            return False
        if not length or not self._read.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(self._read[:500].decode("latin-1"))
        self._read = b""
        return True


def run(url: str, connections: int, seconds: float, headers: list[str]) -> float:
    parts = urlsplit(url)
    bodies: list[str] = json.loads(os.environ.get("LOAD_BODIES", "[]"))
    target = f"{parts.path}{'?' + parts.query if parts.query else ''}"

    def request(number: int) -> bytes:
        lines = [f"{'POST' if bodies else 'GET'} {target} HTTP/1.1", f"Host: {parts.netloc}", *headers]
        body = bodies[number % len(bodies)].encode() if bodies else b""
        if bodies:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    waiting = selectors.DefaultSelector()
    for number in range(connections):
        made = _Connection((parts.hostname or "", parts.port or 80), request(number))
        waiting.register(made.socket, selectors.EVENT_READ, made)
    answers, start = 0, time.perf_counter()
    while (now := time.perf_counter()) < start + seconds:
        for key, _ in waiting.select(timeout=1):
            if key.data.answered():
                answers += 1
                key.data.send()
    return answers / (now - start)


if __name__ == "__main__":
    print(run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]))
