"""Whoever is slow to send or to take bytes keeps nobody else waiting.

A request has a thread of its own from its headers to the end of its answer. Of many threads a few are at work at a time; one that
waits for the network lets another work, and holds no connection to the database meanwhile. Connections whose other end is gone
are ended by the kernel.
"""

import os
import socket
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any

from django.db import connections

AT_WORK = 8
# Seconds: a quiet connection is asked whether anybody is there; one that takes nothing of what waits for it is ended.
_QUIET_S, _ASK_EVERY_S, _ASK_TIMES, _TAKES_NOTHING_S = 30, 10, 3, 60

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Patient:
    """A WSGI application of which at most `at_work` threads work at a time, those not counted that wait for a client. `begin` is called
    once, with the first request: only then does the server listen."""

    def __init__(
        self, application: Application, at_work: int = AT_WORK, begin: Callable[[], None] | None = None
    ) -> None:
        self._application, self._begin = application, begin
        self._turns: SimpleQueue[None] = SimpleQueue()
        for _ in range(at_work):
            self._turns.put(None)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        begin, self._begin = self._begin, None
        if begin is not None:
            begin()
        self._turns.get()
        try:
            if environ.get("CONTENT_LENGTH") or environ.get("HTTP_TRANSFER_ENCODING"):
                environ["wsgi.input"] = _Body(environ["wsgi.input"], self._turns)
            answer = self._application(environ, start_response)
        finally:
            self._turns.put(None)
        if getattr(answer, "needs_no_database", False):
            _let_go()
        return answer


class _Body:
    """A request's body; reading it may take as long as the client does."""

    def __init__(self, stream: Any, turns: "SimpleQueue[None]") -> None:
        self._stream, self._turns, self._began = stream, turns, False

    def read(self, *size: int) -> bytes:
        return self._waited(self._stream.read, *size)

    def readline(self, *size: int) -> bytes:
        return self._waited(self._stream.readline, *size)

    def _waited(self, read: Callable[..., bytes], *size: int) -> bytes:
        if any(one.in_atomic_block for one in connections.all(initialized_only=True)):
            # It may hold what those wait for who would take its turn.
            return read(*size)
        if not self._began:
            self._began = True
            _let_go()
        self._turns.put(None)
        try:
            return read(*size)
        finally:
            self._turns.get()


def _let_go() -> None:
    """Give this thread's connections back to the pool, unless a transaction is under way; a later query takes one again."""
    for one in connections.all(initialized_only=True):
        if not one.in_atomic_block:
            one.close()


def end_dead_connections() -> None:
    """What the sockets on which this process listens accept from now on ends when nobody is at the other end any more, or takes
    nothing of an answer for a minute."""
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        try:
            one = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        with one:
            if one.family in (socket.AF_INET, socket.AF_INET6) and _listens(one):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _QUIET_S)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _ASK_EVERY_S)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _ASK_TIMES)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _TAKES_NOTHING_S * 1000)


def _listens(one: socket.socket) -> bool:
    return one.type == socket.SOCK_STREAM and bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
