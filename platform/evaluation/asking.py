"""Several calls of served models at a time, over kept-alive connections.

Threads do nothing but call; what comes back is read and kept by the one thread that holds the job.
"""

from __future__ import annotations

import http.client
import json
import logging
import queue
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from serving.calls import Door

log = logging.getLogger(__name__)
CONCURRENCY = 4
Q = TypeVar("Q")
A = TypeVar("A")


class Unreachable(Exception):
    """Nobody was there to ask; the text says why."""


@dataclass(frozen=True)
class Reply:
    """What came over HTTP, and how long it took from the request's first byte to the answer's last."""

    status: int
    content: bytes
    latency_ms: float


class Line:
    """One thread's connections: kept open, one per host."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], http.client.HTTPConnection] = {}
        self._closing = False

    def post(self, way: Door, path: str, body: dict[str, Any], *, timeout_s: float) -> Reply:
        """Send JSON. Raises TimeoutError without an answer in time and Unreachable where nobody answered."""
        address = urlsplit(way.address)
        content = json.dumps(body).encode()
        while True:
            connection = self._connection(address.scheme, address.netloc, timeout_s)
            reused = connection.sock is not None
            started = time.perf_counter()
            try:
                target = address.path.rstrip("/") + path
                connection.request("POST", target, content, {"Content-Type": "application/json", **way.headers})
                response = connection.getresponse()
                received = response.read()
            except TimeoutError:
                connection.close()
                raise
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if reused and not self._closing:
                    continue  # a kept-alive connection that was closed under us: once more on a fresh one
                raise Unreachable(str(error) or type(error).__name__) from error
            return Reply(response.status, received, (time.perf_counter() - started) * 1000)

    def _connection(self, scheme: str, host: str, timeout_s: float) -> http.client.HTTPConnection:
        found = self._open.get((scheme, host))
        if found is None:
            make = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
            found = self._open[scheme, host] = make(host, timeout=timeout_s)
        found.timeout = timeout_s
        if found.sock is not None:
            found.sock.settimeout(timeout_s)
        return found

    def cut(self) -> None:
        """End a request that its thread waits for: the read fails at once, and the engine sees the client go."""
        self._closing = True
        for connection in list(self._open.values()):
            sock = connection.sock
            if sock is not None:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it has ended already

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()


class Pool(Generic[Q, A]):
    """`put` questions, `get` answers in any order. Leaving the `with` block drops what is under way at once.

    `work(line, question)` makes the calls; `failed(question, error)` is the answer where it raised."""

    def __init__(
        self, work: Callable[[Line, Q], A], failed: Callable[[Q, Exception], A], *, concurrency: int = CONCURRENCY
    ) -> None:
        self._do, self._failed = work, failed
        self._questions: queue.SimpleQueue[tuple[Q] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[A] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._lines = [Line() for _ in range(concurrency)]
        self._threads = [threading.Thread(target=self._work, args=(line,), daemon=True) for line in self._lines]
        self.outstanding = 0

    def __enter__(self) -> Pool[Q, A]:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        for _ in self._threads:
            self._questions.put(None)
        for line in self._lines:
            line.cut()
        for thread in self._threads:
            thread.join(timeout=5)

    def put(self, question: Q) -> None:
        self.outstanding += 1
        self._questions.put((question,))

    def get(self, timeout_s: float) -> A | None:
        """The next answer; None when there is none within the time."""
        try:
            answer = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self.outstanding -= 1
        return answer

    def _work(self, line: Line) -> None:
        while (held := self._questions.get()) is not None and not self._closing.is_set():
            try:
                answer = self._do(line, held[0])
            except Exception as error:
                # Without an answer the job would wait for ever.
                log.exception("A question could not be asked")
                line.close()
                answer = self._failed(held[0], error)
            self._answers.put(answer)
        line.close()


def storable(text: str) -> str:
    """PostgreSQL keeps neither NUL characters nor half surrogate pairs."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
