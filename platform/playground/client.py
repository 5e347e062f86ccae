"""Asking models several things at a time, with answers that stream. Threads do nothing but ask; what comes back is kept by the
one thread that holds the run."""

from __future__ import annotations

import http.client
import json
import logging
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from serving.calls import Door

log = logging.getLogger(__name__)
CONCURRENCY = 4
TIMEOUT_S = 180.0  # the longest silence of a model
SHOW_EVERY_S = 0.1
LONGEST_ERROR = 1_000
LONGEST_OUTPUT = 1_000_000  # characters

Show = Callable[[int, str], None]


@dataclass(frozen=True)
class Job:
    """A call to make: `body` in the protocol's words, without 'stream'."""

    cell_id: int
    way: Door
    body: dict[str, Any]


@dataclass
class Answer:
    """`error` is empty when it was answered; `may_pass` says whether asking again may help."""

    cell_id: int
    output: str = ""
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    finish_reason: str = ""
    latency_ms: float | None = None
    first_token_ms: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error: str = ""
    error_code: str = ""
    may_pass: bool = False


class Asker:
    """`put` jobs, `get` answers in any order. Leaving the `with` block drops what is under way at once."""

    def __init__(self, show: Show, *, concurrency: int = CONCURRENCY) -> None:
        self._show = show
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._connections: set[http.client.HTTPConnection] = set()
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
            self._jobs.put(None)
        for connection in list(self._connections):
            _cut(connection)
        for thread in self._threads:
            thread.join(timeout=5)

    def put(self, job: Job) -> None:
        self.outstanding += 1
        self._jobs.put(job)

    def get(self, timeout_s: float) -> Answer | None:
        """The next answer; None when there is none within the time."""
        try:
            answer = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self.outstanding -= 1
        return answer

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self._closing.is_set():
            try:
                answer = self._ask(job)
            except Exception as error:
                # Without an answer the run would wait for ever.
                log.exception("A cell could not be asked")
                answer = Answer(job.cell_id, error=f"{type(error).__name__}: {error}", error_code="internal")
            self._answers.put(answer)

    def _ask(self, job: Job) -> Answer:
        answer = self._call(job, "/v1/chat/completions", job.body)
        if "chat template" in answer.error and (prompt := _as_text(job.body)) is not None:
            rest = {name: value for name, value in job.body.items() if name != "messages"}
            return self._call(job, "/v1/completions", {**rest, "prompt": prompt})
        return answer

    def _call(self, job: Job, path: str, body: dict[str, Any]) -> Answer:
        answer = Answer(job.cell_id)
        address = urlsplit(job.way.address)
        make = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        connection = make(address.hostname or "", address.port, timeout=TIMEOUT_S)
        self._connections.add(connection)
        content = json.dumps({**body, "stream": True, "stream_options": {"include_usage": True}}).encode()
        started = time.perf_counter()
        try:
            headers = {"Content-Type": "application/json", "Accept": "text/event-stream", **job.way.headers}
            connection.request("POST", address.path.rstrip("/") + path, content, headers)
            response = connection.getresponse()
            if response.status != 200:
                _refused(answer, response.status, response.read(1_000_000))
            else:
                self._read(answer, response, started)
        except TimeoutError:
            answer.error, answer.error_code, answer.may_pass = (
                f"The model said nothing for {TIMEOUT_S:.0f} s. Ask for less, or try again.", "timeout", True,
            )  # fmt: skip
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            answer.error, answer.error_code, answer.may_pass = (
                f"The connection to the model broke: {reason}. Try again; the deployment's log says more.",
                "unreachable",
                True,
            )
        finally:
            self._connections.discard(connection)
            connection.close()
        answer.latency_ms = (time.perf_counter() - started) * 1000
        answer.error = answer.error.replace("\0", "\ufffd")[:LONGEST_ERROR]
        return answer

    def _read(self, answer: Answer, response: http.client.HTTPResponse, started: float) -> None:
        """Take the stream apart; an engine that answers whole is understood too."""
        parts: list[str] = []
        size, shown_at, calls = 0, 0.0, dict[int, dict[str, Any]]()
        whole = not (response.headers.get("Content-Type") or "").startswith("text/event-stream")
        for chunk in [json.loads(response.read())] if whole else events(response):
            if error := chunk.get("error"):
                answer.error = str(error.get("message") if isinstance(error, dict) else error)
                answer.error_code, answer.may_pass = "engine", True
                break
            _usage(answer, chunk.get("usage"))
            for choice in chunk.get("choices") or []:
                delta = choice.get("delta") or choice.get("message") or choice
                text = delta.get("content") or delta.get("text") or ""
                answer.finish_reason = str(choice.get("finish_reason") or answer.finish_reason)[:40]
                _merge(calls, delta.get("tool_calls") or [])
                if (text or calls) and answer.first_token_ms is None:
                    answer.first_token_ms = (time.perf_counter() - started) * 1000
                if text:
                    parts.append(str(text))
                    size += len(text)
            now = time.perf_counter()
            if parts and now - shown_at > SHOW_EVERY_S:
                shown_at = now
                parts = ["".join(parts)]
                self._show(answer.cell_id, parts[0])
            if size > LONGEST_OUTPUT:
                answer.finish_reason = "cut"
                break
        answer.output = _storable("".join(parts)[:LONGEST_OUTPUT])
        answer.tool_calls = json.loads(
            _storable(json.dumps([calls[index] for index in sorted(calls)], ensure_ascii=False))
        )


def events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """The JSON of server-sent events until the last."""
    while line := response.readline(4_000_000):
        text = line.decode(errors="replace").strip()
        if not text.startswith("data:"):
            continue
        data = text[5:].strip()
        if data == "[DONE]":
            return
        value = json.loads(data)
        if isinstance(value, dict):
            yield value


def _merge(calls: dict[int, dict[str, Any]], deltas: list[dict[str, Any]]) -> None:
    """Tool calls arrive in pieces: the name once, the arguments bit by bit."""
    for place, delta in enumerate(deltas):
        call = calls.setdefault(
            int(delta.get("index", place)), {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        )
        call["id"] = delta.get("id") or call["id"]
        function = delta.get("function") or {}
        call["function"]["name"] += function.get("name") or ""
        call["function"]["arguments"] += function.get("arguments") or ""


def _usage(answer: Answer, usage: Any) -> None:
    if isinstance(usage, dict):
        for name in ("prompt_tokens", "completion_tokens"):
            value = usage.get(name)
            if isinstance(value, int) and 0 <= value < 2**31:
                setattr(answer, name, value)


def _refused(answer: Answer, status: int, content: bytes) -> None:
    try:
        error = json.loads(content)["error"]
        text = str(error["message"])
        answer.error_code = str(error.get("code") or status)[:40]
    except (ValueError, KeyError, TypeError, AttributeError):
        text = content[:LONGEST_ERROR].decode(errors="replace").strip()
        answer.error_code = str(status)
    answer.error = f"{text or 'The model gave no reason.'} ({status})"
    answer.may_pass = status >= 500 or status in (404, 408, 425, 429)


def _as_text(body: dict[str, Any]) -> str | None:
    """The one message of a request, for models that complete text; None where there are more, or tools."""
    messages = body.get("messages") or []
    if len(messages) != 1 or "tools" in body or not isinstance(messages[0].get("content"), str):
        return None
    return str(messages[0]["content"])


def _cut(connection: http.client.HTTPConnection) -> None:
    """End a request that another thread waits for: its read fails at once, and the engine sees the client go."""
    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has ended already


def _storable(text: str) -> str:
    """PostgreSQL keeps neither NUL characters nor half surrogate pairs."""
    return text.replace("\0", "\ufffd").replace("\\u0000", "\\ufffd").encode(errors="replace").decode()
