"""Asking a served model several questions at a time, over HTTP with kept-alive connections.

Threads do nothing but ask; what comes back is read and kept by the one thread that holds the evaluation.
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
from enum import StrEnum
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from evaluation.parameters import Parameters
from evaluation.rows import Question

log = logging.getLogger(__name__)
CONCURRENCY = 4
LONGEST_ERROR = 500


class Outcome(StrEnum):
    """What became of a question. The last two may pass, so the question is asked again later."""

    ANSWERED = "answered"
    REFUSED = "refused"  # by the model, which would do so again: too long, for instance
    STUMBLED = "stumbled"  # a server error or no answer in time: perhaps because of this very question
    UNREACHABLE = "unreachable"  # nobody was there to ask


@dataclass(frozen=True)
class Answer:
    """`latency_ms` and `tokens` (of the answer) are there when it was answered, `error` when it wasn't."""

    question: Question
    outcome: Outcome = Outcome.ANSWERED
    output: str = ""
    latency_ms: float | None = None
    tokens: int | None = None
    error: str = ""

    @property
    def may_pass(self) -> bool:
        return self.outcome in (Outcome.STUMBLED, Outcome.UNREACHABLE)


class Asker:
    """`put` questions, `get` answers in any order. Leaving the `with` block drops what is under way at once."""

    def __init__(self, endpoint: str, model: str, parameters: Parameters, *, concurrency: int = CONCURRENCY) -> None:
        self._address = urlsplit(endpoint)
        self._model = model
        self._parameters = parameters
        self._timeout_s = min(600.0, 60 + parameters.max_tokens / 4)
        self._questions: queue.SimpleQueue[Question | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._connections: list[http.client.HTTPConnection] = []
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(concurrency)]
        self.outstanding = 0

    def __enter__(self) -> Asker:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        for _ in self._threads:
            self._questions.put(None)
        for connection in list(self._connections):
            _cut(connection)
        for thread in self._threads:
            thread.join(timeout=5)

    def put(self, question: Question) -> None:
        self.outstanding += 1
        self._questions.put(question)

    def get(self, timeout_s: float) -> Answer | None:
        """The next answer; None when there is none within the time."""
        try:
            answer = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self.outstanding -= 1
        return answer

    def _work(self) -> None:
        connection = self._connect()
        while (question := self._questions.get()) is not None and not self._closing.is_set():
            try:
                answer = self._ask(connection, question)
            except Exception as error:
                # Without an answer the evaluation would wait for ever.
                log.exception("A question could not be asked")
                connection.close()
                answer = Answer(question, Outcome.STUMBLED, error=f"{type(error).__name__}: {error}")
            self._answers.put(answer)
        connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        secure = self._address.scheme == "https"
        make: Callable[..., http.client.HTTPConnection] = (
            http.client.HTTPSConnection if secure else http.client.HTTPConnection
        )
        connection = make(self._address.hostname or "", self._address.port, timeout=self._timeout_s)
        self._connections.append(connection)
        return connection

    def _ask(self, connection: http.client.HTTPConnection, question: Question) -> Answer:
        path, body = request_of(question, self._model, self._parameters)
        content = json.dumps(body).encode()
        while True:
            reused = connection.sock is not None
            started = time.perf_counter()
            try:
                address = self._address.path.rstrip("/") + path
                connection.request("POST", address, content, {"Content-Type": "application/json"})
                response = connection.getresponse()
                received = response.read()
            except TimeoutError:
                connection.close()
                return Answer(question, Outcome.STUMBLED, error=f"No answer within {self._timeout_s:.0f} s.")
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if reused and not self._closing.is_set():
                    continue  # a kept-alive connection that was closed under us: once more on a fresh one
                reason = str(error) or type(error).__name__
                return Answer(question, Outcome.UNREACHABLE, error=f"The model could not be reached: {reason}")
            return read_answer(question, response.status, received, (time.perf_counter() - started) * 1000)


def _cut(connection: http.client.HTTPConnection) -> None:
    """End a request that another thread waits for: its read fails at once, and the engine sees the client go."""
    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has ended already


def request_of(question: Question, model: str, parameters: Parameters) -> tuple[str, dict[str, Any]]:
    """Path and body of the OpenAI protocol for a question."""
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": parameters.max_tokens,
        "temperature": parameters.temperature,
        "seed": parameters.seed,
    }
    if parameters.endpoint == "completions":
        return "/v1/completions", {**body, "prompt": question.input}
    return "/v1/chat/completions", {**body, "messages": [{"role": "user", "content": question.input}]}


def read_answer(question: Question, status: int, content: bytes, latency_ms: float) -> Answer:
    """An HTTP answer as an Answer."""
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if status != 200:
        return Answer(question, _outcome(status), error=_reason(status, body, content))
    try:
        choice = body["choices"][0]
        text = choice["text"] if "text" in choice else choice["message"]["content"]
        usage = body.get("usage") or {}
        tokens = usage.get("completion_tokens")
        output = _storable(str(text or ""))
        return Answer(question, Outcome.ANSWERED, output, latency_ms, int(tokens) if tokens is not None else None)
    except (TypeError, KeyError, IndexError, ValueError, AttributeError):
        return Answer(question, Outcome.REFUSED, error="The answer isn't in the shape of the OpenAI protocol.")


def _outcome(status: int) -> Outcome:
    if status in (404, 502, 503, 504):  # 404: Ray Serve has not got, or no longer has, the route
        return Outcome.UNREACHABLE
    return Outcome.STUMBLED if status >= 500 or status in (408, 425, 429) else Outcome.REFUSED


def _reason(status: int, body: Any, content: bytes) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    text = str(message or content[:LONGEST_ERROR].decode(errors="replace").strip().split("\n")[0] or "no reason given")
    return _storable(f"{status}: {text}")[:LONGEST_ERROR]


def _storable(text: str) -> str:
    """PostgreSQL keeps neither NUL characters nor half surrogate pairs."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
