"""Deployments whose model is a small server that speaks the OpenAI protocol and streams."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from tests.registry.conftest import make_asset, make_draft, make_version, storage_root

__all__ = ["make_asset", "make_draft", "make_version", "storage_root"]


class Stand(ThreadingHTTPServer):
    """Answers 'You said: …', word by word. `says`: other answers by question; `fail`: (status, how often) by question;
    `calls`: tool calls by question; `seen`: bodies."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen, self.asked, self.broken = [], Counter(), 0
        self.says, self.fail, self.calls, self.delay_s = {}, {}, {}, 0.0
        self.plain = False  # without a chat template

    def handle_error(self, request, client_address):
        self.broken += 1

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/target"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        stand = self.server
        if stand.plain and "messages" in body:
            return self._send(400, {"error": {"message": "This model has no chat template"}})
        text = body["prompt"] if "prompt" in body else body["messages"][-1]["content"]
        stand.seen.append(body)
        stand.asked[text] += 1
        status, left = stand.fail.get(text, (200, 0))
        if left > 0:
            stand.fail[text] = (status, left - 1)
            return self._send(status, {"error": {"message": f"no luck with {text}"}})
        said = stand.says.get(text, f"You said: {text}")
        said = said.pop(0) if isinstance(said, list) else said
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for call in stand.calls.get(text, []):
            self._event({"choices": [{"delta": {"tool_calls": [call]}}]})
        words = [] if text in stand.calls else said.split(" ")
        for place, word in enumerate(words):
            time.sleep(stand.delay_s)
            piece = word if place == 0 else f" {word}"
            self._event({"choices": [{"text": piece} if "prompt" in body else {"delta": {"content": piece}}]})
        self._event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        self._event({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": len(words)}})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, value):
        self._chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def _chunk(self, content):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def _send(self, status, value):
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def stand():
    server = Stand()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


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
