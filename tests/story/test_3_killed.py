"""Worker, web server and Ray are killed in the middle of an evaluation and a deployment, and the story still ends right."""

import contextlib
import os
import signal
import time

import httpx
import pytest
from openai import OpenAI

from .conftest import Instance, wait_for
from .test_2_rest import wait_state

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(900)]


def kill(instance: Instance, *words: str) -> None:
    victims = instance.named(*words)
    assert victims, words
    for process in victims:
        with contextlib.suppress(ProcessLookupError):  # its parent, killed a moment ago, took it along
            os.kill(process.pid, signal.SIGKILL)


def many_dates(alice: httpx.Client) -> None:
    """A dataset that takes long enough to be killed in the middle."""
    if alice.get("/datasets/acme/many-dates").status_code == 200:
        return
    rows = alice.get("/datasets/acme/dates/versions/1/files/data.jsonl").content
    assert alice.post("/datasets", json={"team": "acme", "name": "many-dates", "description": ""}).status_code == 201
    address = "/datasets/acme/many-dates/versions"
    assert alice.post(address, json={"message": "The same pairs four times."}).status_code == 201
    assert alice.put(f"{address}/1/files/data.jsonl", content=rows * 4).status_code in (200, 201)
    assert alice.post(f"{address}/1/register").status_code == 200


def test_nothing_is_lost_and_nothing_done_twice(instance: Instance):
    alice, dana = instance.api("alice"), instance.api("dana")
    production = alice.get("/models/acme/date-normaliser/aliases/production").json()["number"]
    body = {
        "team": "acme",
        "name": "survivor",
        "model": "acme/date-normaliser",
        "version": production,
        "stage": "production",
        "replicas": 1,
    }
    assert dana.post("/deployments", json=body).status_code == 201
    many_dates(alice)
    asked = {"model": "acme/date-normaliser", "version": production, "dataset": "acme/many-dates"}
    started = alice.post("/evaluations", json=asked).json()
    number = started["id"]

    def done() -> int:
        return int(alice.get(f"/evaluations/{number}").json()["done"])

    wait_for("some examples", lambda: done() > 5, timeout_s=180, every_s=0.1)
    kill(instance, "celery", "worker")
    kill(instance, "granian", "config.wsgi")
    time.sleep(2)
    kill(instance, "raylet")
    wait_for("the site again", lambda: httpx.get(f"{instance.site}/healthz", timeout=2).status_code == 200)
    result = wait_for(
        "the evaluation to end",
        lambda: (found := alice.get(f"/evaluations/{number}").json())["state"] in ("succeeded", "failed") and found,
        timeout_s=300,
    )
    assert result["state"] == "succeeded", result
    assert result["done"] == result["total"]
    examples, cursor = [], ""
    while cursor is not None:
        page = alice.get(
            f"/evaluations/{number}/examples", params={"limit": 200} | ({"cursor": cursor} if cursor else {})
        ).json()
        examples += [example["index"] for example in page["results"]]
        cursor = page["next"]
    assert sorted(examples) == list(range(result["total"]))  # every one, and no one twice
    wait_state(dana, "survivor", "running", timeout_s=240)
    client = OpenAI(base_url=f"{instance.gateway}/v1", api_key=instance.people["dana"]["api_key"])
    answer = client.chat.completions.create(
        model="acme/survivor", messages=[{"role": "user", "content": "March 3, 2021"}], temperature=0
    )
    assert answer.choices[0].message.content == "2021-03-03"


def test_a_second_start_finds_everything_again(instance: Instance):
    """Ctrl-C leaves no process (asserted by `stop`); the next start brings people, models and deployments back."""
    instance.stop()
    instance.start()
    dana = instance.api("dana")
    assert dana.get("/models/acme/date-normaliser").status_code == 200
    wait_state(dana, "survivor", "running", timeout_s=240)
    assert dana.delete("/deployments/acme/survivor").status_code in (202, 204)
