"""Tool calls of models whose chat template writes them as `<tool_call>{json}</tool_call>` (Hermes, Qwen)."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass

from serving.engines.errors import ApiError
from serving.engines.transformers_engine.protocol import ChatRequest
from serving.engines.transformers_engine.text import StopScanner

OPENING, CLOSING = "<tool_call>", "</tool_call>"


@dataclass(frozen=True)
class ToolCall:
    """A call that the model wrote; `arguments` is JSON text, as OpenAI has it."""

    id: str
    name: str
    arguments: str


def wanted_tools(request: ChatRequest, template: str) -> list[dict[str, object]] | None:
    """The tools to show to the model. Raises ApiError for what this engine and template cannot honour."""
    choice = request.tool_choice
    if not request.tools or choice == "none":
        if choice not in (None, "none", "auto"):
            raise ApiError("tool_choice is only allowed when tools are given", param="tool_choice")
        return None
    if "tools" not in template or OPENING not in template:
        raise ApiError(
            "tools: this model's chat template has no tool calls that this engine can read back; send no tools",
            param="tools",
        )
    if choice not in (None, "auto"):
        raise ApiError(
            "tool_choice: this engine cannot force a call; use 'auto', or deploy the model with engine 'vllm'",
            param="tool_choice",
        )
    for at, tool in enumerate(request.tools):
        function = tool.get("function")
        if tool.get("type") != "function" or not isinstance(function, dict) or not function.get("name"):
            raise ApiError(
                f"tools[{at}]: must be of type 'function' with a function.name", param=f"tools[{at}].function"
            )
    return request.tools


class ToolCallScanner:
    """Tells text from tool calls in what a model writes, piece by piece."""

    def __init__(self) -> None:
        self._text = StopScanner((OPENING,))
        self._call: str | None = None
        self.found = False

    def feed(self, text: str) -> tuple[str, list[ToolCall]]:
        """The text and the complete calls that `text` settles."""
        out = ""
        calls: list[ToolCall] = []
        while True:
            if self._call is None:
                pending = self._text.held + text
                out += self._text.feed(text)
                if not self._text.stopped:
                    return out, calls
                self._call = ""
                text = pending[pending.index(OPENING) + len(OPENING) :]
                self._text = StopScanner((OPENING,))
            self._call += text
            written, closing, text = self._call.partition(CLOSING)
            if not closing:
                return out, calls
            self._call = None
            call = _parse(written)
            if call is None:
                out += OPENING + written + CLOSING  # not a call after all: the client sees what was written
            else:
                self.found = True
                calls.append(call)

    def flush(self) -> str:
        """Text that was held back, at the end."""
        unfinished = "" if self._call is None else OPENING + self._call
        self._call = None
        return self._text.flush() + unfinished


def _parse(written: str) -> ToolCall | None:
    try:
        call = json.loads(written)
        name, arguments = call["name"], call.get("arguments", {})
    except (ValueError, TypeError, KeyError):
        return None
    if not isinstance(name, str):
        return None
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(id=f"call_{secrets.token_hex(12)}", name=name, arguments=text)
