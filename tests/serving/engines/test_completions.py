"""Completions as OpenAI's own client sees them."""

from typing import Any

import httpx
import openai
import pytest

NO_END = {"1": -100}


def greedy(client: openai.OpenAI, **changes: Any) -> Any:
    request = {"model": "team/tiny", "prompt": "the sea", "max_tokens": 12, "temperature": 0, "logit_bias": NO_END}
    return client.completions.create(**(request | changes))


def test_plain_answer(client: openai.OpenAI) -> None:
    answer = greedy(client)
    assert answer.object == "text_completion"
    assert answer.choices[0].text
    assert answer.choices[0].logprobs is None
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 12


def test_sixteen_tokens_without_a_limit(client: openai.OpenAI) -> None:
    assert greedy(client, max_tokens=None).usage.completion_tokens == 16


def test_prompts_may_be_lists_and_ids(client: openai.OpenAI) -> None:
    one, two = greedy(client).choices[0].text, greedy(client, prompt="blue").choices[0].text
    answer = greedy(client, prompt=["the sea", "blue"], n=2)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert [choice.text for choice in answer.choices] == [one, one, two, two]
    assert greedy(client, prompt=[5, 6]).choices[0].text == greedy(client, prompt=[[5, 6], [7]]).choices[0].text


def test_echo_with_logprobs(client: openai.OpenAI) -> None:
    answer = greedy(client, echo=True, logprobs=2)
    choice = answer.choices[0]
    assert choice.text == "the sea" + greedy(client).choices[0].text
    logprobs = choice.logprobs
    total = answer.usage.total_tokens
    assert len(logprobs.tokens) == len(logprobs.token_logprobs) == len(logprobs.text_offset) == total
    assert logprobs.token_logprobs[0] is None
    assert logprobs.top_logprobs[0] is None
    assert all(value <= 0 for value in logprobs.token_logprobs[1:])
    assert all(2 <= len(likely) <= 3 for likely in logprobs.top_logprobs[1:])
    for token, offset in zip(logprobs.tokens, logprobs.text_offset, strict=True):
        assert token.startswith("bytes:") or choice.text[offset : offset + len(token)] == token


def test_scores_of_a_prompt_are_those_of_writing_it(client: openai.OpenAI) -> None:
    """What evaluation harnesses rely on: a text's score as a prompt is its score as an answer."""
    written = greedy(client, logprobs=0, prompt=[5, 6])
    scored = greedy(client, logprobs=0, prompt=[5, 6], echo=True)
    assert scored.choices[0].logprobs.token_logprobs[2:] == pytest.approx(
        written.choices[0].logprobs.token_logprobs, abs=1e-4
    )
    only = greedy(client, prompt="the deep blue sea", echo=True, logprobs=1, max_tokens=0)
    assert only.choices[0].text == "the deep blue sea"
    assert only.usage.completion_tokens == 0
    assert only.choices[0].finish_reason == "length"
    assert len(only.choices[0].logprobs.tokens) == only.usage.prompt_tokens


def test_stream_says_what_the_plain_answer_says(client: openai.OpenAI) -> None:
    settings: Any = {"prompt": ["the sea", "blue"], "n": 2, "temperature": 1.0, "seed": 4, "echo": True, "logprobs": 1}
    plain = greedy(client, **settings)
    texts, tokens = [""] * 4, [list[str]() for _ in range(4)]
    chunks = list(greedy(client, stream=True, stream_options={"include_usage": True}, **settings))
    for chunk in chunks[:-1]:
        choice = chunk.choices[0]
        texts[choice.index] += choice.text
        tokens[choice.index] += choice.logprobs.tokens
    assert texts == [choice.text for choice in plain.choices]
    assert tokens == [choice.logprobs.tokens for choice in plain.choices]
    assert chunks[-1].choices == []
    assert chunks[-1].usage == plain.usage
    assert len({chunk.id for chunk in chunks}) == 1


def test_stop_strings_cut_the_text(client: openai.OpenAI) -> None:
    text = greedy(client).choices[0].text
    answer = greedy(client, stop=[text[4:6]])
    assert answer.choices[0].text == text[: text.index(text[4:6])]
    assert answer.choices[0].finish_reason == "stop"


def test_empty_prompt_begins_with_the_begin_token(client: openai.OpenAI) -> None:
    assert greedy(client, prompt="").usage.prompt_tokens == 1


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": [99_999]}, "prompt"),
        ({"prompt": "x" * 900}, "prompt"),
        ({"prompt": ["x"] * 257}, "prompt"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 600}, "max_tokens"),
        ({"logprobs": True}, "logprobs"),
        ({"logprobs": 21}, "logprobs"),
        ({"suffix": "end"}, "suffix"),
        ({"best_of": 3}, "best_of"),
    ],
)
def test_bad_input_names_its_field(engine_url: str, change: dict[str, Any], param: str) -> None:
    answer = httpx.post(f"{engine_url}/v1/completions", json={"prompt": "a"} | change)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_missing_prompt_is_named(engine_url: str) -> None:
    answer = httpx.post(f"{engine_url}/v1/completions", json={"model": "m"})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "you must provide the parameter 'prompt'"
