"""One test, asked and judged. Runs in threads: nothing here touches the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from accounts.access import Actor
from evaluation.asking import Line, Reply, Unreachable, storable
from evaluation.client import Outcome, outcome_of, reason_of
from prompt_tests import judging
from prompt_tests.assertions import Answered, Assertion, Judge, Similarity, Verdict, judge_here
from prompt_tests.assertions.similarity import MAX_TEXT, cosine
from prompt_tests.units import Unit
from serving.calls import door
from serving.models import Deployment
from serving.prices import cost_of

# What a version's parameters may say to the model; others (a Langfuse config may hold anything) are the application's own.
SENT = (
    "temperature", "top_p", "top_k", "min_p", "max_tokens", "max_completion_tokens", "stop", "seed", "presence_penalty",
    "frequency_penalty", "repetition_penalty", "logit_bias", "tool_choice", "parallel_tool_calls", "reasoning_effort",
)  # fmt: skip


@dataclass(frozen=True)
class Question:
    """A test, rendered: what is sent to whom. `error`: it can't be asked, for this reason."""

    unit: Unit
    messages: list[dict[str, Any]] = field(default_factory=list)
    tools: list[Any] = field(default_factory=list)
    response_format: Any = None
    parameters: dict[str, Any] = field(default_factory=dict)
    includes: list[dict[str, Any]] = field(default_factory=list)
    borrowed: list[int] = field(default_factory=list)
    error: str = ""

    def body(self, model: str) -> dict[str, Any]:
        sent = {name: self.parameters[name] for name in SENT if self.parameters.get(name) is not None}
        # Repeats differ, and yet can be repeated.
        body: dict[str, Any] = {"model": model, "messages": self.messages, "seed": self.unit.repeat, **sent}
        if self.tools:
            body["tools"] = self.tools
        if self.response_format is not None:
            body["response_format"] = self.response_format
        return body

    @property
    def timeout_s(self) -> float:
        tokens = self.parameters.get("max_tokens") or self.parameters.get("max_completion_tokens") or 1_024
        return min(600.0, 60 + (tokens if isinstance(tokens, int | float) else 1_024) / 4)


@dataclass(frozen=True)
class Judged:
    """What came of a test. `may_pass`: nobody answered, and perhaps somebody will later."""

    question: Question
    outcome: Outcome = Outcome.ANSWERED
    answer: Answered = field(default_factory=lambda: Answered(""))
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    verdicts: list[Verdict] = field(default_factory=list)
    error: str = ""

    @property
    def may_pass(self) -> bool:
        return self.outcome in (Outcome.STUMBLED, Outcome.UNREACHABLE)

    @property
    def passed(self) -> bool:
        return not self.error and all(verdict.passed for verdict in self.verdicts)


class _NotNow(Exception):
    """A call that an assertion needs brought no answer."""

    def __init__(self, outcome: Outcome, text: str) -> None:
        super().__init__(text)
        self.outcome = outcome


class Tester:
    """Asks and judges, for one person. `served`: the deployments that answer, by name."""

    def __init__(self, served: Mapping[str, Deployment], by: Actor) -> None:
        self._served = served
        self._ways = {name: door(deployment, by) for name, deployment in served.items()}

    def work(self, line: Line, question: Question) -> Judged:
        if question.error:
            return Judged(question, Outcome.REFUSED, error=question.error)
        name = question.unit.model
        try:
            reply = self._call(line, name, "/v1/chat/completions", question.body(name), question.timeout_s)
            if reply.status == 400 and b"chat template" in reply.content:
                reply = self._complete(line, question)
        except _NotNow as error:
            return Judged(question, error.outcome, error=str(error))
        if reply.status != 200:
            text = reason_of(reply.status, _json(reply), reply.content)
            return Judged(question, outcome_of(reply.status), error=text)
        judged = self._read(question, reply)
        if judged.error:
            return judged
        try:
            verdicts = [self._verdict(line, one, judged.answer) for one in question.unit.assertions]
        except _NotNow as error:
            return Judged(question, error.outcome, error=str(error))
        return replace(judged, verdicts=verdicts)

    def _complete(self, line: Line, question: Question) -> Reply:
        """A model without a chat template completes the text."""
        body = question.body(question.unit.model)
        text = "\n\n".join(str(message.get("content") or "") for message in body.pop("messages"))
        for name in ("tools", "tool_choice", "parallel_tool_calls", "response_format"):
            body.pop(name, None)
        return self._call(line, question.unit.model, "/v1/completions", {**body, "prompt": text}, question.timeout_s)

    def _call(self, line: Line, model: str, path: str, body: dict[str, Any], timeout_s: float) -> Reply:
        try:
            return line.post(self._ways[model], path, body, timeout_s=timeout_s)
        except TimeoutError:
            raise _NotNow(Outcome.STUMBLED, f"{model} gave no answer within {timeout_s:.0f} s.") from None
        except Unreachable as error:
            raise _NotNow(Outcome.UNREACHABLE, f"{model} could not be reached: {error}") from None

    def _read(self, question: Question, reply: Reply) -> Judged:
        try:
            body = json.loads(reply.content)
            choice, usage = body["choices"][0], body.get("usage") or {}
            message = {"content": choice["text"]} if "text" in choice else choice["message"]
            calls = [call for call in message.get("tool_calls") or [] if isinstance(call, dict)]
            output = storable(str(message.get("content") or ""))
            used = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
            prompt_tokens, completion_tokens = (int(n) if n is not None else None for n in used)
        except (TypeError, KeyError, IndexError, ValueError, AttributeError, RecursionError):
            text = "The answer isn't in the shape of the OpenAI protocol."
            return Judged(question, Outcome.REFUSED, error=text)
        known = [n for n in (prompt_tokens, completion_tokens) if n is not None]
        answer = Answered(
            output,
            question.unit.expected,
            json.loads(storable(json.dumps(calls)).replace("\\u0000", "\\ufffd")),
            reply.latency_ms,
            sum(known) if known else None,
            cost_of(self._served[question.unit.model], prompt_tokens, completion_tokens),
            as_text(question.messages),
        )
        return Judged(question, Outcome.ANSWERED, answer, prompt_tokens, completion_tokens)

    def _verdict(self, line: Line, assertion: Assertion, answer: Answered) -> Verdict:
        if isinstance(assertion, Judge):
            return self._judge(line, assertion, answer)
        if isinstance(assertion, Similarity) and assertion.model:
            return self._similar(line, assertion, answer)
        return judge_here(assertion, answer)

    def _judge(self, line: Line, judge: Judge, answer: Answered) -> Verdict:
        asked, text = judging.messages(judge.rubric, answer), ""
        for _ in range(judging.ATTEMPTS):
            body = {"model": judge.model, "messages": asked, "temperature": 0, "seed": 0, "max_tokens": 1_024}
            found = self._ask(line, judge.model, "/v1/chat/completions", body)
            try:
                text = str(found["choices"][0]["message"]["content"] or "")
                opinion = judging.read(text)
            except judging.NoVerdict as problem:
                asked = judging.again(asked, text, problem)
            except (TypeError, KeyError, IndexError, AttributeError):
                return Verdict(judge.type, judge.title, False, f"{judge.model} does not speak the OpenAI protocol.")
            else:
                reason = storable(opinion.reason) or "It gave no reason."
                return Verdict(judge.type, judge.title, opinion.score >= judge.minimum, reason, opinion.score)
        said = storable(" ".join(text.split())[:200])
        reason = f"The judge gave no verdict in {judging.ATTEMPTS} attempts, so nothing speaks for the answer. It said: {said}"
        return Verdict(judge.type, judge.title, False, reason)

    def _similar(self, line: Line, similarity: Similarity, answer: Answered) -> Verdict:
        # Engines refuse an empty text; it is like nothing.
        texts = [answer.output.strip()[:MAX_TEXT], answer.expected.strip()[:MAX_TEXT]]
        if not all(texts):
            which = "output" if not texts[0] else "expected text"
            return Verdict(similarity.type, similarity.title, False, f"The {which} is empty.", 0.0)
        body = {"model": similarity.model, "input": texts}
        found = self._ask(line, similarity.model, "/v1/embeddings", body)
        try:
            one, two = (row["embedding"] for row in found["data"])
            score = max(0.0, min(1.0, cosine(one, two)))
        except (TypeError, KeyError, ValueError):
            reason = f"{similarity.model} gives no embeddings."
            return Verdict(similarity.type, similarity.title, False, reason)
        reason = f"{score:.3f}: cosine of the embeddings by {similarity.model}."
        return Verdict(similarity.type, similarity.title, score >= similarity.minimum, reason, score)

    def _ask(self, line: Line, model: str, path: str, body: dict[str, Any]) -> Any:
        reply = self._call(line, model, path, body, 180.0)
        if reply.status != 200:
            raise _NotNow(outcome_of(reply.status), f"{model}: {reason_of(reply.status, _json(reply), reply.content)}")
        return _json(reply)


def failed(question: Question, error: Exception) -> Judged:
    """Something of ours went wrong: it is asked again, and in the end kept as this test's error."""
    return Judged(question, Outcome.STUMBLED, error=storable(f"{type(error).__name__}: {error}"))


def as_text(messages: list[dict[str, Any]]) -> str:
    """A conversation as one text."""
    lines = []
    for message in messages:
        content = message.get("content")
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        lines.append(f"{message.get('role') or 'user'}: {text}")
    return "\n\n".join(lines)


def _json(reply: Reply) -> Any:
    try:
        return json.loads(reply.content)
    except (ValueError, RecursionError):
        return None
