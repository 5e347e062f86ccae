"""Deployments whose model is a small server that speaks the OpenAI protocol and streams."""

import time
from types import SimpleNamespace

import pytest

from tests.registry.conftest import make_asset, make_draft, make_version, storage_root
from tests.stand import Stand, serving

__all__ = ["make_asset", "make_draft", "make_version", "storage_root"]


class Talker(Stand):
    """Answers 'You said: …', word by word. `says`: other answers by text; `calls`: tool calls by text; `plain`: without a chat template."""

    def __init__(self):
        super().__init__()
        self.says, self.calls, self.plain = {}, {}, False

    @property
    def seen(self):
        return self.bodies

    def respond(self, exchange, body, text):
        if self.plain and "messages" in body:
            self.bodies.pop()
            self.asked[text] -= 1
            return exchange.send_json(400, {"error": {"message": "This model has no chat template"}})
        exchange.stream(self._events(body, text))

    def _events(self, body, text):
        said = self.says.get(text, f"You said: {text}")
        said = said.pop(0) if isinstance(said, list) else said
        for call in self.calls.get(text, []):
            yield {"choices": [{"delta": {"tool_calls": [call]}}]}
        words = [] if text in self.calls else said.split(" ")
        for place, word in enumerate(words):
            time.sleep(self.delay_s)
            piece = word if place == 0 else f" {word}"
            yield {"choices": [{"text": piece} if "prompt" in body else {"delta": {"content": piece}}]}
        yield {"choices": [{"delta": {}, "finish_reason": "stop"}]}
        yield {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": len(words)}}


@pytest.fixture
def stand():
    with serving(Talker()) as running:
        yield running


def make_deployment(team, name, endpoint, **fields):
    from serving.models import Deployment

    state = "running" if endpoint else "stopped"
    values = {"state": state, "desired": state, "stage": "development", "endpoint": endpoint}
    return Deployment.objects.create(team=team, name=name, **(values | fields))


@pytest.fixture
def play(cast, actor, stand):
    """start(columns, rows, …) -> a run by Alice against acme/echo; finish(run) takes all turns; cells(run) -> the cells."""
    from decimal import Decimal

    from playground import actions, runner
    from playground.models import PlaygroundRun

    echo = make_deployment(
        cast.team, "echo", stand.url, input_price=Decimal(1), output_price=Decimal(2), price_currency="USD"
    )
    alice = actor(cast.alice)

    def text(template, **more):
        return {"content": {"type": "text", "template": template}, "model": "acme/echo", **more}

    def start(columns, rows=None, by=None, **more):
        return actions.start_run(team=cast.team, columns=columns, inputs=rows, by=by or alice, **more)

    def finish(run, turns=10):
        for _ in range(turns):
            if not runner.take_turn(run.pk):
                break
        return PlaygroundRun.objects.get(pk=run.pk)

    def go(columns, rows=None, **more):
        return finish(start(columns, rows, **more))

    return SimpleNamespace(
        echo=echo, alice=alice, stand=stand, text=text, start=start, finish=finish, go=go, actions=actions, runner=runner,
        cells=lambda run: list(run.cells.order_by("row", "column", "repeat", "turn")),
    )  # fmt: skip
