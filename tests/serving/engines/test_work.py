"""Work is bounded, does not block others, and ends when its client goes."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from starlette.applications import Starlette

from serving.engines.transformers_engine import app as app_module
from serving.engines.transformers_engine.generation import Delta
from tests.serving.engines.conftest import app_of, served

LONG: dict[str, Any] = {"prompt": "the sea", "max_tokens": 400, "logit_bias": {"1": -100}}


class Slow:
    """In generate()'s place: writes for ever until cancelled, and counts how many do."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.ended = 0
        self.lock = threading.Lock()

    def __call__(self, model: Any, plan: Any, *, emit: Callable[[Delta], None], cancelled: threading.Event) -> None:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        deadline = time.monotonic() + 20
        while not cancelled.is_set() and time.monotonic() < deadline:
            emit(Delta(0, "x", generated=1))
            time.sleep(0.01)
        with self.lock:
            self.running -= 1
            self.ended += 1


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    made = Slow()
    monkeypatch.setattr(app_module, "generate", made)
    return made


@pytest.fixture
def slow_url(engine_app: Starlette, llama: Path, slow: Slow) -> Iterator[str]:
    with served(app_of(llama)) as url:
        yield url


def wait_for(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


CHAT = {"messages": [{"role": "user", "content": "hi"}]}


def test_lost_stream_frees_its_slot(slow: Slow, slow_url: str) -> None:
    with httpx.stream("POST", f"{slow_url}/v1/chat/completions", json=CHAT | {"stream": True}) as answer:
        next(answer.iter_lines())
        assert slow.running == 1
    wait_for(lambda: slow.running == 0 and slow.ended == 1)


def test_lost_plain_request_frees_its_slot(slow: Slow, slow_url: str) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{slow_url}/v1/chat/completions", json=CHAT, timeout=0.5)
    wait_for(lambda: slow.running == 0 and slow.ended == 1)


def test_no_more_than_max_concurrency_compute_and_lost_ones_never_start(slow: Slow, slow_url: str) -> None:
    def lose(timeout_s: float) -> None:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{slow_url}/v1/chat/completions", json=CHAT, timeout=timeout_s)

    with ThreadPoolExecutor(16) as clients:
        holders = [clients.submit(lose, 6) for _ in range(2)]
        wait_for(lambda: slow.running == 2)
        # Both slots are taken until long after these are gone.
        list(clients.map(lose, [0.7] * 14))
        for holder in holders:
            holder.result()
    wait_for(lambda: slow.running == 0)
    assert slow.most == 2  # max_concurrency of tiny.arguments_of
    assert slow.ended < 16


def test_health_answers_while_all_slots_compute(slow: Slow, slow_url: str) -> None:
    def lose() -> None:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{slow_url}/v1/chat/completions", json=CHAT, timeout=3)

    with ThreadPoolExecutor(4) as clients:
        for _ in range(4):
            clients.submit(lose)
        wait_for(lambda: slow.running == 2)
        started = time.monotonic()
        assert httpx.get(f"{slow_url}/health").status_code == 200
        assert time.monotonic() - started < 2


def test_real_generation_stops_when_its_client_goes(engine_url: str) -> None:
    body = LONG | {"stream": True, "n": 128}
    with httpx.stream("POST", f"{engine_url}/v1/completions", json=body) as answer:
        next(answer.iter_lines())
    started = time.monotonic()
    answers = [httpx.post(f"{engine_url}/v1/completions", json=LONG | {"max_tokens": 1}) for _ in range(4)]
    assert all(answer.status_code == 200 for answer in answers)
    assert time.monotonic() - started < 10


def test_concurrent_requests_do_not_disturb_each_other(engine_url: str) -> None:
    def ask(seed: int) -> str:
        body = LONG | {"max_tokens": 30, "temperature": 1.0, "seed": seed}
        return str(httpx.post(f"{engine_url}/v1/completions", json=body, timeout=30).json()["choices"][0]["text"])

    alone = [ask(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as clients:
        assert list(clients.map(ask, range(8))) == alone


def failing_after(deltas: int, error: Exception) -> Callable[..., None]:
    def generate(model: Any, plan: Any, *, emit: Callable[[Delta], None], cancelled: threading.Event) -> None:
        for _ in range(deltas):
            emit(Delta(0, "x", generated=1))
        raise error

    return generate


def test_failure_before_the_first_event_has_a_status(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(app_of(llama)) as url:
        for stream in (True, False):
            monkeypatch.setattr(app_module, "generate", failing_after(0, torch.OutOfMemoryError("no memory")))
            answer = httpx.post(f"{url}/v1/chat/completions", json=CHAT | {"stream": stream})
            assert answer.status_code == 503
            assert answer.json()["error"]["type"] == "server_error"
        monkeypatch.setattr(app_module, "generate", failing_after(0, RuntimeError("broken")))
        answer = httpx.post(f"{url}/v1/chat/completions", json=CHAT)
        assert answer.status_code == 500
        assert "broken" in answer.json()["error"]["message"]


def test_failure_in_a_stream_is_an_event(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "generate", failing_after(2, RuntimeError("broken")))
    with served(app_of(llama)) as url:
        answer = httpx.post(f"{url}/v1/chat/completions", json=CHAT | {"stream": True})
    events = [line for line in answer.text.splitlines() if line]
    assert '"error"' in events[-2]
    assert events[-1] == "data: [DONE]"
