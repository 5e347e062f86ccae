"""Tools, where the chat template writes calls that this engine can read back."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from serving.engines.transformers_engine import app as app_module
from serving.engines.transformers_engine.generation import Delta
from serving.engines.transformers_engine.tools import ToolCallScanner
from tests.serving.engines import tiny
from tests.serving.engines.conftest import app_of, served

TEMPLATE = (
    "{% if tools %}{{ tools | tojson }} answer with <tool_call>{}</tool_call>{% endif %}"
    "{% for m in messages %}{{ m.role }}: {{ m.content }}"
    "{% for call in m.tool_calls or [] %}{{ call.function.arguments.city }}{% endfor %}{% endfor %}"
)
WEATHER: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
ASK: Any = [{"role": "user", "content": "Rome?"}]
WRITTEN = 'Let me see. <tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tool_call>'


@pytest.fixture
def prompts() -> list[str]:
    return []


@pytest.fixture
def caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prompts: list[str]) -> Iterator[openai.OpenAI]:
    """A client of a model that always writes the same call, three characters at a time."""

    def generate(model: Any, plan: Any, *, emit: Callable[[Delta], None], cancelled: threading.Event) -> None:
        prompts.append(model.tokenizer.decode(plan.prompt))
        for start in range(0, len(WRITTEN), 3):
            emit(Delta(0, WRITTEN[start : start + 3], generated=1))
        emit(Delta(0, "", generated=1, finish_reason="stop"))

    monkeypatch.setattr(app_module, "generate", generate)
    folder = tiny.make_llama(tmp_path / "tools", chat_template=TEMPLATE)
    with served(app_of(folder)) as url, openai.OpenAI(base_url=url + "/v1", api_key="x", max_retries=0) as client:
        yield client


def test_call_is_read_back(caller: openai.OpenAI, prompts: list[str]) -> None:
    choice = caller.chat.completions.create(model="m", messages=ASK, tools=WEATHER).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Let me see."
    assert choice.message.tool_calls is not None
    call: Any = choice.message.tool_calls[0]
    assert (call.type, call.function.name, json.loads(call.function.arguments)) == (
        "function",
        "get_weather",
        {"city": "Rome"},
    )
    assert "get_weather" in prompts[0]


def test_streamed_call_has_openais_shape(caller: openai.OpenAI) -> None:
    chunks = list(caller.chat.completions.create(model="m", messages=ASK, tools=WEATHER, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    assert text == "Let me see. "
    assert [(call.index, call.function.name if call.function else None) for call in calls] == [(0, "get_weather")]
    assert calls[0].id
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_no_tools_are_shown_when_none_are_wanted(caller: openai.OpenAI, prompts: list[str]) -> None:
    choice = caller.chat.completions.create(model="m", messages=ASK, tools=WEATHER, tool_choice="none").choices[0]
    assert "get_weather" not in prompts[0]
    assert choice.message.content == WRITTEN
    assert choice.finish_reason == "stop"


def test_earlier_calls_reach_the_template_as_objects(caller: openai.OpenAI, prompts: list[str]) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
    history: Any = [
        *ASK,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "sun"},
    ]
    caller.chat.completions.create(model="m", messages=history, tools=WEATHER)
    assert "Paris" in prompts[0]
    call["function"]["arguments"] = "{"  # type: ignore[index]
    with pytest.raises(openai.BadRequestError) as caught:
        caller.chat.completions.create(model="m", messages=history, tools=WEATHER)
    assert caught.value.param == "messages[1].tool_calls[0].function.arguments"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "get_weather"}}}, "tool_choice"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
    ],
)
def test_what_cannot_be_honoured_is_refused(caller: openai.OpenAI, change: Any, param: str) -> None:
    request = {"model": "m", "messages": ASK, "tools": WEATHER} | change
    with pytest.raises(openai.BadRequestError) as caught:
        caller.chat.completions.create(**request)
    assert caught.value.param == param


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_scanner_tells_text_from_calls(size: int) -> None:
    written = f"a < b {WRITTEN} and <tool_call>no json</tool_call> {WRITTEN} <tool_call>{{"
    scanner = ToolCallScanner()
    text, calls = "", []
    for start in range(0, len(written), size):
        more, found = scanner.feed(written[start : start + size])
        text += more
        calls += found
    text += scanner.flush()
    assert [call.name for call in calls] == ["get_weather", "get_weather"]
    assert text == "a < b Let me see.  and <tool_call>no json</tool_call> Let me see.  <tool_call>{"
