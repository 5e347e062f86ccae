"""A prompt, deployments that answer, and a small server that speaks the OpenAI protocol in their place."""

import json
import time
from types import SimpleNamespace

import pytest

from tests.evaluation.conftest import jsonl, make_rows
from tests.registry.conftest import make_asset, make_draft, make_version, storage_root
from tests.stand import Stand, serving

__all__ = ["jsonl", "make_asset", "make_draft", "make_rows", "make_version", "storage_root"]


class Answering(Stand):
    """`answer(body)` gives the text (or a whole message); `judge(body)` that of the model 'judge'."""

    def __init__(self):
        super().__init__()
        self.answer = lambda body: body["messages"][-1]["content"].upper()
        self.judge = lambda body: json.dumps({"score": 1, "reason": "fine"})

    def respond(self, exchange, body, text):
        time.sleep(self.delay_s)
        if exchange.path.endswith("/embeddings"):
            rows = [{"embedding": [float(text.lower().count(letter)) for letter in "abcdef"]} for text in body["input"]]
            return exchange.send_json(200, {"data": rows})
        given = self.judge(body) if body["model"].endswith("/judge") else self.answer(body)
        message = given if isinstance(given, dict) else {"role": "assistant", "content": given}
        exchange.send_json(
            200, {"choices": [{"message": message}], "usage": {"completion_tokens": 3, "prompt_tokens": 7}}
        )


@pytest.fixture
def stand():
    with serving(Answering()) as running:
        yield running


@pytest.fixture
def prompt(cast, actor):
    from prompts.actions import create_prompt, create_version

    found = create_prompt(team=cast.team, name="support/reply", by=actor(cast.alice))
    create_version(prompt=found, type="text", template="say {{ word }}", model="acme/echo", by=actor(cast.alice))
    found.refresh_from_db()
    return found


@pytest.fixture
def deploy(cast, actor, make_asset, make_version, stand):
    """deploy(name) -> a deployment that answers by the stand."""
    from serving.actions import create_deployment
    from serving.models import Deployment

    held = {}

    def make(name="echo", **fields):
        if not held:
            held["version"] = make_version(make_asset("echo-model"))
        row = create_deployment(
            team=cast.team, name=name, version=held["version"], stage="development", by=actor(cast.dana)
        )
        Deployment.objects.filter(pk=row.pk).update(**{"state": "running", "endpoint": stand.url, **fields})
        return Deployment.objects.with_revision().get(pk=row.pk)

    return make


@pytest.fixture
def testing(cast, actor, prompt, deploy, stand):
    """suite(**content) keeps tests, start(**) queues a run of the newest version, finish(run) takes all its turns."""
    from prompt_tests import actions, runner
    from prompt_tests.models import SuiteRun
    from prompts.actions import create_version

    alice = actor(cast.alice)
    deploy("echo")

    def suite(**content):
        return actions.save_suite(prompt=prompt, content=content, by=alice)

    def start(version=None, **more):
        if version is None and "content" not in more:
            version = prompt.versions.first()
        return actions.create_run(prompt=prompt, version=version, by=alice, **more)

    def finish(run, turns=30):
        for _ in range(turns):
            if runner.take_turn(run.pk) is None:
                break
        return SuiteRun.objects.with_labels().get(pk=run.pk)

    def write(template, **more):
        return create_version(prompt=prompt, type="text", template=template, by=alice, **{"model": "acme/echo", **more})

    def case(word, *assertions, expected="", name=""):
        return {"name": name, "variables": {"word": word}, "expected": expected, "assertions": list(assertions)}

    return SimpleNamespace(
        suite=suite, start=start, finish=finish, write=write, case=case, alice=alice, stand=stand, prompt=prompt
    )
