"""A registered model and dataset, and a small server that speaks the OpenAI protocol in the model's place."""

import json
import time
from types import SimpleNamespace

import pytest

from tests.registry.conftest import make_asset, make_draft, make_version, model_files, storage_root
from tests.stand import Stand, serving

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


class Scored(Stand):
    """Answers 'in n' with 'out n'. `wrong`: other answers by input."""

    def __init__(self):
        super().__init__()
        self.wrong = {}

    def respond(self, exchange, body, text):
        time.sleep(self.delay_s)
        output = self.wrong.get(text, text.replace("in", "out"))
        choice = {"text": output} if "prompt" in body else {"message": {"role": "assistant", "content": output}}
        exchange.send_json(200, {"choices": [choice], "usage": {"completion_tokens": 3, "prompt_tokens": 2}})


@pytest.fixture
def stand():
    with serving(Scored()) as running:
        yield running


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
