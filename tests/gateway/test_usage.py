import json

from gateway import usage


def test_usage_of_a_plain_answer():
    body = json.dumps(
        {
            "choices": [{"text": 'a "usage": {"prompt_tokens": 9}'}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 2},
        }
    ).encode()
    assert usage.of_answer(body) == usage.Usage(5, 2)
    assert usage.of_answer(b'{"usage": null}') is None
    assert usage.of_answer(b'{"usage": {"prompt_tokens": "x", "completion_tokens": -1}}') == usage.Usage(0, 0)
    assert usage.of_answer(b"") is None
    assert usage.of_answer(b'{"usage": {') is None


def test_usage_of_a_stream_whatever_the_pieces():
    stream = b'data: {"choices": [1], "usage": null}\n\n' * 500
    stream += b'data: {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}}\n\ndata: [DONE]\n\n'
    for size in (1, 7, 1000, 100_000):
        tail = usage.Tail()
        for start in range(0, len(stream), size):
            tail.add(stream[start : start + size])
        assert tail.usage == usage.Usage(5, 3)


def test_a_stream_without_usage():
    tail = usage.Tail()
    tail.add(b'data: {"choices": [1], "usage": null}\n\ndata: [DONE]\n\n')
    assert tail.usage is None
