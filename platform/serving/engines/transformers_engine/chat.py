"""POST /v1/chat/completions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from jinja2 import TemplateError

from serving.engines.errors import ApiError
from serving.engines.transformers_engine.answers import (
    DONE,
    Envelope,
    Usage,
    chat_logprobs,
    encode,
    event,
    room_for,
    sampling_of,
)
from serving.engines.transformers_engine.generation import Delta, Plan, TokenRecord
from serving.engines.transformers_engine.jobs import Job
from serving.engines.transformers_engine.loading import LanguageModel
from serving.engines.transformers_engine.protocol import ChatRequest, Message
from serving.engines.transformers_engine.tools import ToolCall, ToolCallScanner, wanted_tools


@dataclass(frozen=True)
class ChatPlan:
    """A checked request: what to generate, and how to tell it."""

    request: ChatRequest
    plan: Plan
    reads_tools: bool


def plan_chat(request: ChatRequest, model: LanguageModel) -> ChatPlan:
    """Check a request against the model. Raises ApiError; runs in a thread, since prompts may be long."""
    template = _template(model)
    tools = wanted_tools(request, template)
    messages = [_for_template(message, at, template) for at, message in enumerate(request.messages)]
    try:
        text = model.tokenizer.apply_chat_template(messages, tools=tools, add_generation_prompt=True, tokenize=False)
    except (TemplateError, TypeError, ValueError, KeyError) as error:
        raise ApiError(f"messages: the model's chat template refuses them: {error}", param="messages") from None
    prompt = encode(model, text, special=False, param="messages")
    if not prompt:
        raise ApiError("messages: the model's chat template makes an empty prompt of them", param="messages")
    asked, asked_in = request.max_completion_tokens, "max_completion_tokens"
    if asked is None:
        asked, asked_in = request.max_tokens, "max_tokens"
    plan = Plan(
        prompt=prompt,
        max_tokens=room_for(model, prompt, asked=asked, asked_in=asked_in, prompt_in="messages"),
        sampling=sampling_of(request, model, top_logprobs=(request.top_logprobs or 0) if request.logprobs else None),
        stops=request.stop,
        rows=request.n or 1,
        keep_special=tools is not None,  # some vocabularies hold <tool_call> as a special token
    )
    return ChatPlan(request, plan, reads_tools=tools is not None)


def _template(model: LanguageModel) -> str:
    template = model.tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    if not template:
        raise ApiError(
            "this model has no chat template, so it cannot chat; use /v1/completions with a prompt", param="messages"
        )
    return str(template)


def _for_template(message: Message, at: int, template: str) -> dict[str, Any]:
    # Few templates know OpenAI's newer name for the system's role.
    role = "system" if message.role == "developer" and "developer" not in template else message.role
    entry: dict[str, Any] = {"role": role, "content": message.content or ""}
    if message.name is not None:
        entry["name"] = message.name
    if message.tool_call_id is not None:
        entry["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        entry["tool_calls"] = [
            _parsed_call(call, f"messages[{at}].tool_calls[{index}]") for index, call in enumerate(message.tool_calls)
        ]
    return entry


def _parsed_call(call: dict[str, Any], param: str) -> dict[str, Any]:
    """Clients send the arguments as JSON text; templates want the object."""
    function = call.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise ApiError(f"{param}.function: must have a name and arguments", param=f"{param}.function")
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except ValueError:
            raise ApiError(f"{param}.function.arguments: is not JSON", param=f"{param}.function.arguments") from None
    return {**call, "function": {**function, "arguments": arguments}}


@dataclass
class _Choice:
    """One choice of a plain answer, as it grows."""

    text: str = ""
    tokens: list[TokenRecord] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    finish_reason: str | None = None


class _Reader:
    """Turns deltas into text and tool calls, choice by choice."""

    def __init__(self, chat: ChatPlan) -> None:
        self._scanners = [ToolCallScanner() if chat.reads_tools else None for _ in range(chat.plan.rows)]

    def read(self, delta: Delta) -> tuple[str, list[ToolCall], str | None]:
        scanner = self._scanners[delta.index]
        if scanner is None:
            return delta.text, [], delta.finish_reason
        text, calls = scanner.feed(delta.text)
        if delta.finish_reason is None:
            return text, calls, None
        text += scanner.flush()
        finished = "tool_calls" if scanner.found and delta.finish_reason == "stop" else delta.finish_reason
        return text, calls, finished


async def answer_chat(chat: ChatPlan, job: Job[Delta], model: LanguageModel, envelope: Envelope) -> dict[str, Any]:
    """The whole answer at once."""
    choices = [_Choice() for _ in range(chat.plan.rows)]
    reader = _Reader(chat)
    usage = Usage(len(chat.plan.prompt))
    async for delta in job:
        text, calls, finished = reader.read(delta)
        choice = choices[delta.index]
        choice.text += text
        choice.calls += calls
        choice.tokens += delta.tokens
        choice.finish_reason = finished
        usage.completion_tokens += delta.generated
    return envelope.wrap("chat.completion", [_plain(chat, model, at, choice) for at, choice in enumerate(choices)]) | {
        "usage": usage.body()
    }


def _plain(chat: ChatPlan, model: LanguageModel, index: int, choice: _Choice) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None}
    if choice.calls:
        message["content"] = choice.text.strip() or None
        message["tool_calls"] = [_call(call) for call in choice.calls]
    return {
        "index": index,
        "message": message,
        "logprobs": chat_logprobs(model, choice.tokens) if chat.request.logprobs else None,
        "finish_reason": choice.finish_reason,
    }


async def stream_chat(
    chat: ChatPlan, job: Job[Delta], model: LanguageModel, envelope: Envelope
) -> AsyncIterator[bytes]:
    """The answer as server-sent events."""
    reader = _Reader(chat)
    usage = Usage(len(chat.plan.prompt))
    calls_so_far = [0] * chat.plan.rows
    greeted = False

    def chunk(index: int, delta: dict[str, Any], *, finish: str | None = None, logprobs: Any = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        data = envelope.wrap("chat.completion.chunk", [choice])
        return event(data | {"usage": None} if chat.request.include_usage else data)

    async for delta in job:
        if not greeted:  # not before the first token: an error until then has a status of its own
            greeted = True
            for index in range(chat.plan.rows):
                yield chunk(index, {"role": "assistant", "content": ""})
        usage.completion_tokens += delta.generated
        text, calls, finished = reader.read(delta)
        logprobs = chat_logprobs(model, delta.tokens) if chat.request.logprobs and delta.tokens else None
        if text or logprobs:
            yield chunk(delta.index, {"content": text}, logprobs=logprobs)
        for call in calls:
            yield chunk(delta.index, {"tool_calls": [{"index": calls_so_far[delta.index], **_call(call)}]})
            calls_so_far[delta.index] += 1
        if finished:
            yield chunk(delta.index, {}, finish=finished)
    if chat.request.include_usage:
        yield event(envelope.wrap("chat.completion.chunk", []) | {"usage": usage.body()})
    yield DONE


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
