"""Calls of a deployment by its own page. Services call the gateway; this is the person in front of the page, signed in."""

import http.client
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from accounts.access import Actor, require
from accounts.errors import Conflict, Problem, Unavailable
from accounts.roles import Permission
from serving.calls import door
from serving.models import Deployment

ANSWER_TIMEOUT_S = 120.0
BLOCK = 64 * 1024


class EngineRefused(Problem):
    """The engine answered with an error of its own; the text is the engine's."""

    title = "The model refused this request"


@dataclass(frozen=True)
class Answer:
    """A whole answer, with how long it took and what it used."""

    text: str
    seconds: float
    prompt_tokens: int
    completion_tokens: int

    @property
    def tokens_per_second(self) -> float:
        return self.completion_tokens / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Comparison:
    """How near two texts are to each other, -1 to 1, by their vectors."""

    dimensions: int
    similarity: float
    seconds: float


def generate(*, deployment: Deployment, prompt: str, max_tokens: int, temperature: float, by: Actor) -> Answer:
    """Answer a prompt, whole."""
    body = {"max_tokens": max_tokens, "temperature": temperature}
    started = time.monotonic()
    response = _ask(deployment, prompt, body, by)
    with response:
        answer = json.loads(response.read())
    choice, usage = answer["choices"][0], answer["usage"]
    text = choice["message"]["content"] if "message" in choice else choice["text"]
    return Answer(text, time.monotonic() - started, usage["prompt_tokens"], usage["completion_tokens"])


def stream(*, deployment: Deployment, prompt: str, max_tokens: int, temperature: float, by: Actor) -> Iterator[bytes]:
    """The engine's server-sent events as they come. Errors are raised here, before the first byte; closing the iterator ends the work."""
    body = {
        "max_tokens": max_tokens,
        "temperature": temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return _passed_on(_ask(deployment, prompt, body, by))


def compare(*, deployment: Deployment, first: str, second: str, by: Actor) -> Comparison:
    """Embed two texts and compare them (cosine)."""
    started = time.monotonic()
    with _post(deployment, "/v1/embeddings", {"input": [first, second]}, by) as response:
        one, two = (row["embedding"] for row in json.loads(response.read())["data"])
    seconds = time.monotonic() - started
    product = sum(a * b for a, b in zip(one, two, strict=True))
    return Comparison(len(one), product / (math.hypot(*one) * math.hypot(*two) or 1.0), seconds)


class _Response:
    """An answer with the connection that it came by; closing it tells the engine that nobody listens."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self.connection, self.response = connection, response

    def __enter__(self) -> "_Response":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self) -> bytes:
        return self.response.read()

    def read1(self) -> bytes:
        return self.response.read1(BLOCK)

    def close(self) -> None:
        # In this order: the response holds the socket open as long as it lives.
        self.response.close()
        self.connection.close()


def _ask(deployment: Deployment, prompt: str, body: dict[str, Any], by: Actor) -> _Response:
    """By the chat door; a model without a chat template completes the text instead."""
    try:
        chat = {**body, "messages": [{"role": "user", "content": prompt}]}
        return _post(deployment, "/v1/chat/completions", chat, by)
    except EngineRefused as refusal:
        if "chat template" not in refusal.detail:
            raise
    return _post(deployment, "/v1/completions", {**body, "prompt": prompt}, by)


def _post(deployment: Deployment, path: str, body: dict[str, Any], by: Actor) -> _Response:
    require(by, Permission.MODEL_INVOKE, deployment)
    if not deployment.endpoint:
        raise Conflict(f"{deployment} is {deployment.state} and answers nothing now.")
    way = door(deployment, by)
    base = urlsplit(way.address)
    make = http.client.HTTPSConnection if base.scheme == "https" else http.client.HTTPConnection
    connection = make(base.hostname or "127.0.0.1", base.port, timeout=ANSWER_TIMEOUT_S)
    try:
        payload = json.dumps({"model": str(deployment), **body})
        connection.request("POST", base.path + path, payload, {"Content-Type": "application/json", **way.headers})
        response = connection.getresponse()
        if response.status == 200:
            return _Response(connection, response)
        text = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise Unavailable(f"{deployment} did not answer: {error or type(error).__name__}.") from error
    connection.close()
    if response.status >= 500:
        raise Unavailable(f"{deployment} answered {response.status}: {_message(text)}")
    raise EngineRefused(_message(text))


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:300]


def _passed_on(response: _Response) -> Iterator[bytes]:
    with response:
        try:
            while block := response.read1():
                yield block
        except (OSError, http.client.HTTPException) as error:
            problem = {"error": {"message": f"The connection to the model broke: {error or type(error).__name__}."}}
            yield b"data: " + json.dumps(problem).encode() + b"\n\n"
