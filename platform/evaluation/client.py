"""Asking a served model the rows of a dataset, several at a time (evaluation.asking)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from evaluation.asking import CONCURRENCY, Line, Pool, Unreachable, storable
from evaluation.parameters import Parameters
from evaluation.rows import Question
from serving.calls import Door

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


class Asker(Pool[Question, Answer]):
    """Asks one served model the rows of a dataset."""

    def __init__(self, way: Door, model: str, parameters: Parameters, *, concurrency: int = CONCURRENCY) -> None:
        self._way, self._model, self._parameters = way, model, parameters
        self._timeout_s = min(600.0, 60 + parameters.max_tokens / 4)
        super().__init__(self._ask, _stumbled, concurrency=concurrency)

    def __enter__(self) -> Asker:
        super().__enter__()
        return self

    def _ask(self, line: Line, question: Question) -> Answer:
        path, body = request_of(question, self._model, self._parameters)
        try:
            reply = line.post(self._way, path, body, timeout_s=self._timeout_s)
        except TimeoutError:
            return Answer(question, Outcome.STUMBLED, error=f"No answer within {self._timeout_s:.0f} s.")
        except Unreachable as error:
            return Answer(question, Outcome.UNREACHABLE, error=f"The model could not be reached: {error}")
        return read_answer(question, reply.status, reply.content, reply.latency_ms)


def _stumbled(question: Question, error: Exception) -> Answer:
    return Answer(question, Outcome.STUMBLED, error=f"{type(error).__name__}: {error}")


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
        return Answer(question, outcome_of(status), error=reason_of(status, body, content))
    try:
        choice = body["choices"][0]
        text = choice["text"] if "text" in choice else choice["message"]["content"]
        usage = body.get("usage") or {}
        tokens = usage.get("completion_tokens")
        output = storable(str(text or ""))
        return Answer(question, Outcome.ANSWERED, output, latency_ms, int(tokens) if tokens is not None else None)
    except (TypeError, KeyError, IndexError, ValueError, AttributeError):
        return Answer(question, Outcome.REFUSED, error="The answer isn't in the shape of the OpenAI protocol.")


def outcome_of(status: int) -> Outcome:
    """What became of a question, by the status of what was answered."""
    if status in (404, 502, 503, 504):  # 404: Ray Serve has not got, or no longer has, the route
        return Outcome.UNREACHABLE
    return Outcome.STUMBLED if status >= 500 or status in (408, 425, 429) else Outcome.REFUSED


def reason_of(status: int, body: Any, content: bytes) -> str:
    """What a refusal says, in one line."""
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    text = str(message or content[:LONGEST_ERROR].decode(errors="replace").strip().split("\n")[0] or "no reason given")
    return storable(f"{status}: {text}")[:LONGEST_ERROR]
