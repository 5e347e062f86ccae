"""A prompt is tried on a model that is really served, by the gateway; an answer is kept, becomes a test, and the tests run green."""

import re

import pytest

from .conftest import Instance, wait_for
from .test_2_rest import wait_state

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(600)]
MODEL = "acme/dates-play"


@pytest.fixture
def served(instance: Instance):
    """A deployment of the demo's model of one's own, gone afterwards."""
    dana = instance.api("dana")
    body = {"team": "acme", "name": "dates-play", "model": "acme/date-normaliser", "version": 2, "stage": "development"}
    made = dana.post("/deployments", json=body)
    assert made.status_code == 201, made.text
    wait_state(dana, "dates-play", "running")
    yield MODEL
    dana.post("/deployments/acme/dates-play/stop")


def test_from_the_first_answer_to_a_green_test(instance: Instance, served: str):
    alice, carol = instance.api("alice"), instance.api("carol")
    prompt = "/prompts/acme/ask-date"
    assert alice.post("/prompts", json={"team": "acme", "name": "ask-date"}).status_code == 201
    for template in ("{{ input }}", "On {{ input }}"):
        version = {"type": "text", "template": template, "model": served, "parameters": {"temperature": 0}}
        assert alice.post(f"{prompt}/versions", json=version).status_code == 201

    # Two versions on the rows of a dataset.
    columns = [{"prompt": "acme/ask-date", "version": number} for number in (1, 2)]
    asked = {"team": "acme", "columns": columns, "dataset": "acme/dates", "expected_field": "expected", "limit": 3}
    started = alice.post("/playground/runs", json=asked)
    assert started.status_code == 201, started.text
    place = f"/playground/runs/{started.json()['id']}"
    run = wait_for("the run", lambda: (body := alice.get(place).json())["state"] == "finished" and body)
    assert (run["done"], run["errors"], run["message"]) == (6, 0, "")
    cells = alice.get(f"{place}/cells").json()["results"]
    assert [(cell["row"], cell["column"]) for cell in cells] == [(row, column) for row in range(3) for column in (0, 1)]
    for cell in cells:
        assert cell["error"] == "" and cell["prompt_tokens"] > 0 and cell["completion_tokens"] > 0
        assert 0 < cell["first_token_ms"] <= cell["latency_ms"], "it streams"
    right = next(cell for cell in cells if cell["column"] == 0 and cell["matches"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", right["output"])

    # One answer is a row of a dataset and a test of the prompt now.
    assert alice.post("/datasets", json={"team": "acme", "name": "kept-dates"}).status_code == 201
    here = f"/playground/cells/{right['id']}"
    kept = alice.post(f"{here}/keep", json={"dataset": "acme/kept-dates"})
    assert kept.status_code == 201, kept.text
    assert kept.json()["row"] == {"input": right["values"]["input"], "expected": right["output"]}
    assert alice.post(f"{here}/test", json={}).status_code == 201
    tested = alice.post(f"{prompt}/tests/runs", json={"version": 1})
    assert tested.status_code == 201, tested.text
    number = tested.json()["id"]
    done = wait_for("the tests", lambda: (body := alice.get(f"/prompt-tests/{number}").json())["ended"] and body)
    assert done["green"] is True, done

    # Who may not call models may not do so here either, and what happened is in the ledger.
    assert carol.post("/playground/runs", json=asked).status_code == 403
    assert carol.post(f"{here}/continue", json={"said": "And the day after?"}).status_code == 403
    events = carol.get("/ledger", params={"action": "playground_run", "limit": 100}).json()["results"]
    assert {"playground_run.started", "playground_run.finished"} <= {event["action"] for event in events}
