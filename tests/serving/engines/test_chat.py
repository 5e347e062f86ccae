"""Chat as OpenAI's own client sees it."""

import json
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.serving.engines import tiny
from tests.serving.engines.conftest import app_of, served

SEA: Any = [{"role": "user", "content": "the sea"}]
# Without the end token, so that the length is known.
NO_END = {"1": -100}


def greedy(client: openai.OpenAI, **changes: Any) -> Any:
    request = {"model": "team/tiny", "messages": SEA, "max_tokens": 24, "temperature": 0, "logit_bias": NO_END}
    return client.chat.completions.create(**(request | changes))


def joined(stream: Any) -> str:
    return "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)


def test_plain_answer(client: openai.OpenAI) -> None:
    answer = greedy(client)
    choice = answer.choices[0]
    assert answer.object == "chat.completion"
    assert answer.model == "team/tiny"
    assert answer.id.startswith("chatcmpl-")
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert choice.logprobs is None
    assert choice.finish_reason == "length"
    assert answer.usage.completion_tokens == 24
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 24


def test_greedy_repeats_itself(client: openai.OpenAI) -> None:
    assert greedy(client).choices[0].message.content == greedy(client).choices[0].message.content


def test_answer_goes_by_the_name_that_was_asked_for(client: openai.OpenAI) -> None:
    assert greedy(client, model="acme/route").model == "acme/route"


def test_end_token_finishes_and_is_not_text(client: openai.OpenAI) -> None:
    answer = greedy(client, logit_bias={"1": 100})
    assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("stop", "")
    assert answer.usage.completion_tokens == 1


def test_seed_decides_the_sample(client: openai.OpenAI) -> None:
    texts = [greedy(client, temperature=1.0, seed=seed).choices[0].message.content for seed in (5, 5, 6)]
    assert texts[0] == texts[1] != texts[2]


def test_choices_are_separate(client: openai.OpenAI) -> None:
    answer = greedy(client, temperature=1.0, seed=5, n=11)
    assert [choice.index for choice in answer.choices] == list(range(11))
    assert len({choice.message.content for choice in answer.choices}) > 5
    assert answer.choices[0].message.content == greedy(client, temperature=1.0, seed=5).choices[0].message.content
    assert answer.usage.completion_tokens == 11 * 24


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_either_limit_is_kept(client: openai.OpenAI, field: str) -> None:
    answer = client.chat.completions.create(model="m", messages=SEA, logit_bias=NO_END, **{field: 3})  # type: ignore[call-overload]
    assert answer.usage.completion_tokens == 3
    assert answer.choices[0].finish_reason == "length"


def test_without_a_limit_the_context_is(client: openai.OpenAI) -> None:
    answer = greedy(client, max_tokens=None)
    assert answer.usage.total_tokens == 512


def test_stream_has_openais_shape(client: openai.OpenAI) -> None:
    chunks = list(greedy(client, stream=True, stream_options={"include_usage": True}))
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 2) + ["length"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 24
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len(chunks) > 5


def test_stream_says_what_the_plain_answer_says(client: openai.OpenAI) -> None:
    assert (
        joined(greedy(client, stream=True, max_tokens=200)) == greedy(client, max_tokens=200).choices[0].message.content
    )


def test_stream_without_usage_has_none(engine_url: str) -> None:
    body = {"messages": SEA, "max_tokens": 3, "stream": True}
    with httpx.stream("POST", f"{engine_url}/v1/chat/completions", json=body) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert all(json.loads(line.removeprefix("data: "))["choices"] for line in lines[:-1])
    assert not any("usage" in json.loads(line.removeprefix("data: ")) for line in lines[:-1])


def test_streamed_choices_each_begin_and_end(client: openai.OpenAI) -> None:
    texts = ["", "", ""]
    ends = []
    for chunk in greedy(client, stream=True, n=3, temperature=1.0, seed=5):
        choice = chunk.choices[0]
        assert choice.index not in ends
        texts[choice.index] += choice.delta.content or ""
        if choice.finish_reason:
            ends.append(choice.index)
    assert sorted(ends) == [0, 1, 2]
    assert texts == [c.message.content for c in greedy(client, n=3, temperature=1.0, seed=5).choices]


@pytest.mark.parametrize("start", range(1, 20, 3))
def test_stop_strings_never_leak(client: openai.OpenAI, start: int) -> None:
    text = greedy(client).choices[0].message.content
    stop = text[start : start + 3]  # begins and ends inside tokens
    expected = text[: text.index(stop)]
    answer = greedy(client, stop=[stop, "never written"])
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (expected, "stop")
    assert joined(greedy(client, stop=stop, stream=True)) == expected


def test_logprobs_describe_the_tokens(client: openai.OpenAI) -> None:
    answer = greedy(client, logprobs=True, top_logprobs=3)
    content = answer.choices[0].logprobs.content
    assert len(content) == answer.usage.completion_tokens == 24
    written = b"".join(bytes(token.bytes) for token in content)
    assert written.decode("utf-8", "replace") == answer.choices[0].message.content
    for token in content:
        assert token.logprob <= 0
        assert len(token.top_logprobs) == 3
        assert token.top_logprobs[0].logprob >= token.top_logprobs[1].logprob


def test_streamed_logprobs_are_the_plain_ones(client: openai.OpenAI) -> None:
    plain = greedy(client, logprobs=True).choices[0].logprobs.content
    streamed = []
    for chunk in greedy(client, logprobs=True, stream=True):
        if chunk.choices[0].logprobs:
            streamed += chunk.choices[0].logprobs.content
    assert [token.bytes for token in streamed] == [token.bytes for token in plain]
    assert [token.logprob for token in streamed] == pytest.approx([token.logprob for token in plain], abs=1e-5)


def test_logprobs_end_where_the_text_does(client: openai.OpenAI) -> None:
    text = greedy(client).choices[0].message.content
    answer = greedy(client, stop=text[6:9], logprobs=True).choices[0]
    written = b"".join(bytes(token.bytes) for token in answer.logprobs.content).decode("utf-8", "replace")
    assert written.startswith(answer.message.content)
    assert len(answer.logprobs.content) < 24


def test_content_may_be_parts_or_null(client: openai.OpenAI) -> None:
    parts = [{"role": "user", "content": [{"type": "text", "text": "the sea"}]}]
    assert greedy(client, messages=parts).choices[0].message.content == greedy(client).choices[0].message.content
    greedy(client, messages=[*SEA, {"role": "assistant", "content": None}, *SEA])


def test_developer_is_the_system_of_older_templates(client: openai.OpenAI) -> None:
    texts = [
        greedy(client, messages=[{"role": role, "content": "be brief"}, *SEA]).choices[0].message.content
        for role in ("system", "developer")
    ]
    assert texts[0] == texts[1]


def test_unknown_fields_and_nulls_are_let_through(client: openai.OpenAI) -> None:
    answer = greedy(
        client, metadata={"a": "b"}, user="u", seed=None, stop=None, n=None, top_p=None, response_format={"type": "text"},
        tools=None, store=False, service_tier="auto", extra_body={"priority": 3, "guided": None, "stream_options": None},
    )  # fmt: skip
    assert answer.choices[0].message.content


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "pirate", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [*SEA, {"role": "user", "content": 3}]}, "messages[1].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"temperature": 2.5}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"stop": 3}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"seed": 1.5}, "seed"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"logit_bias": {"99999": 1}}, "logit_bias"),
        ({"logit_bias": {"1": 101}}, "logit_bias[1]"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
    ],
)
def test_bad_input_names_its_field(engine_url: str, change: dict[str, Any], param: str) -> None:
    body = json.dumps({"model": "m", "messages": SEA, "max_tokens": 2} | change)
    answer = httpx.post(f"{engine_url}/v1/chat/completions", content=body)
    error = answer.json()["error"]
    assert answer.status_code == 400, error
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert set(error) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"x"', "\xff"])
def test_bodies_that_are_no_object_are_refused(engine_url: str, body: str) -> None:
    answer = httpx.post(f"{engine_url}/v1/chat/completions", content=body.encode("latin-1"))
    assert answer.status_code == 400
    assert "JSON" in answer.json()["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("change", "param"),
    [({"messages": [{"role": "user", "content": "x" * 900}]}, "messages"), ({"max_tokens": 510}, "max_tokens")],
)
def test_too_long_is_said_before_anything_is_streamed(
    client: openai.OpenAI, change: dict[str, Any], param: str, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        greedy(client, stream=stream, **change)
    assert caught.value.code == "context_length_exceeded"
    assert caught.value.param == param
    assert "512 tokens" in caught.value.message


def test_other_addresses_answer_in_openais_shape(engine_url: str) -> None:
    for method, path, status in [
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/no/such/thing", 404),
        ("GET", "/v1/models/other", 404),
    ]:
        answer = httpx.request(method, engine_url + path)
        assert answer.status_code == status
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_models_and_health(client: openai.OpenAI, engine_url: str) -> None:
    assert [model.id for model in client.models.list()] == ["team/tiny"]
    assert client.models.retrieve("team/tiny").owned_by == "team"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("other")
    assert caught.value.code == "model_not_found"
    health = httpx.get(f"{engine_url}/health").json()
    assert (health["status"], health["device"]) == ("ok", "cpu")


def test_language_model_does_not_embed(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="use /v1/chat/completions or /v1/completions"):
        client.embeddings.create(model="m", input="a")


def test_templates_refusal_is_told(tmp_path: Path) -> None:
    template = "{% if messages[0].role != 'system' %}{{ raise_exception('begin with a system message') }}{% endif %}"
    folder = tiny.make_llama(tmp_path / "strict", chat_template=template)
    with served(app_of(folder)) as url:
        answer = httpx.post(f"{url}/v1/chat/completions", json={"messages": SEA})
    assert answer.status_code == 400
    assert "begin with a system message" in answer.json()["error"]["message"]


def test_model_without_template_says_where_to_go(tmp_path: Path) -> None:
    folder = tiny.make_llama(tmp_path / "plain", chat_template=None)
    with served(app_of(folder)) as url:
        answer = httpx.post(f"{url}/v1/chat/completions", json={"messages": SEA})
        assert answer.status_code == 400
        assert "/v1/completions" in answer.json()["error"]["message"]
        assert httpx.post(f"{url}/v1/completions", json={"prompt": "the"}).status_code == 200
