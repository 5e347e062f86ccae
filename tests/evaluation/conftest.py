"""A registered model and dataset, and a small server that speaks the OpenAI protocol in the model's place."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from tests.registry.conftest import make_asset, make_draft, make_version, model_files, storage_root

__all__ = ["make_asset", "make_draft", "make_version", "storage_root"]


def jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


ROWS = [{"input": f"in {number}", "expected": f"out {number}"} for number in range(40)]


@pytest.fixture
def model_version(make_asset, make_version):
    return make_version(make_asset("date-normaliser"))


@pytest.fixture
def make_rows(make_asset, make_version):
    """make_rows(rows) -> a registered version of acme/dates with them."""
    return lambda rows, name="dates": make_version(make_asset(name, kind="dataset"), {"rows.jsonl": jsonl(rows)})


@pytest.fixture
def rows(make_rows):
    return make_rows(ROWS)


@pytest.fixture
def plain_model(make_asset, make_version):
    """A model without a chat template."""
    return make_version(make_asset("completer"), model_files(**{"tokenizer_config.json": b"{}"}))


class Stand(ThreadingHTTPServer):
    """Answers 'in n' with 'out n'. `wrong`: other answers by input; `fail`: (status, how often) by input."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.paths, self.bodies = Counter(), Counter(), []
        self.wrong, self.fail, self.delay_s = {}, {}, 0.0

    def handle_error(self, request, client_address):
        pass  # clients that were killed

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/target"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        stand = self.server
        text = body["prompt"] if "prompt" in body else body["messages"][0]["content"]
        stand.asked[text] += 1
        stand.paths[self.path] += 1
        stand.bodies.append(body)
        time.sleep(stand.delay_s)
        status, left = stand.fail.get(text, (200, 0))
        if left > 0:
            stand.fail[text] = (status, left - 1)
            return self._send(status, {"error": {"message": f"no luck with {text}", "param": "messages"}})
        output = stand.wrong.get(text, text.replace("in", "out"))
        choice = {"text": output} if "prompt" in body else {"message": {"role": "assistant", "content": output}}
        self._send(200, {"choices": [choice], "usage": {"completion_tokens": 3, "prompt_tokens": 2}})

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


@pytest.fixture
def evaluating(cast, actor, model_version, rows, stand):
    """start(**parameters) -> an evaluation by Alice; up() puts the stand in the place of its model; finish() takes all turns."""
    from evaluation import actions, runner
    from evaluation.models import Evaluation
    from serving.models import Deployment

    def start(version=None, dataset_version=None, **given):
        return actions.create_evaluation(
            version=version or model_version,
            dataset_version=dataset_version or rows,
            given=given,
            by=actor(cast.alice),
        )

    def up():
        Deployment.objects.filter(purpose="evaluation", desired="running").update(state="running", endpoint=stand.url)

    def finish(evaluation, turns=30):
        runner.take_turn(evaluation.pk)
        up()
        for _ in range(turns):
            if runner.take_turn(evaluation.pk) is None:
                break
        return Evaluation.objects.with_labels().get(pk=evaluation.pk)

    return SimpleNamespace(start=start, up=up, finish=finish, alice=actor(cast.alice), stand=stand)
