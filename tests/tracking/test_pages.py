"""The pages of experiments and runs cost the same with few and with many."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.access import Actor
from tracking import actions
from tracking.actions.reports import Point

STEPS = 5


@pytest.fixture
def alice(cast):
    return Actor(cast.alice)


@pytest.fixture
def lab(cast, alice):
    return actions.create_experiment(team=cast.team, name="lab", by=alice)


@pytest.fixture
def log(cast, lab, alice):
    def log(count: int, first: int = 0):
        made = []
        for number in range(first, first + count):
            run = actions.start_run(team=cast.team, experiment=lab, name=f"run-{number:02}", by=alice)
            points = [
                Point(key, number + step / 10, step, 1_000 + step) for key in ("loss", "acc") for step in range(STEPS)
            ]
            actions.log_batch(run=run, metrics=points, parameters={"lr": str(number), "same": "x"}, by=alice)
            made.append(actions.update_run(run=run, state="succeeded", by=alice))
        return made

    return log


def asked(client, address: str) -> tuple[int, str]:
    """How many queries a page takes, once the caches are warm, and its text."""
    assert client.get(address).status_code == 200
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = client.get(address)
    assert answer.status_code == 200
    return len(queries), answer.content.decode()


def test_the_table_of_an_experiment(client_of, cast, lab, log):
    victor, page = client_of(cast.victor), lab.get_absolute_url()
    log(3)
    few, text = asked(victor, page)
    assert len(re.findall(r'id="run-\d+"', text)) == 3
    log(57, first=3)
    for address in (page, f"{page}?order=metrics.loss+DESC", f"{page}?filter=metrics.loss+>+1+AND+params.same+=+'x'"):
        many, text = asked(victor, address)
        assert len(re.findall(r'id="run-\d+"', text)) == 50, address  # a page of the sixty
        assert many == few, address
    assert few <= 12


def test_the_list_of_experiments(client_of, cast, alice, log):
    victor = client_of(cast.victor)
    log(3)
    few, _ = asked(victor, "/experiments/")
    for number in range(30):
        experiment = actions.create_experiment(team=cast.team, name=f"more-{number}", by=alice)
        actions.start_run(team=cast.team, experiment=experiment, by=alice)
    many, text = asked(victor, "/experiments/")
    assert "more-29" in text and many == few <= 12


def test_the_comparison(client_of, cast, log):
    victor, runs = client_of(cast.victor), log(60)
    addresses = ["/runs/compare?" + "&".join(f"run={run.pk}" for run in runs[:count]) for count in (3, 10, 60)]
    (few, three), (ten, _), (many, text) = (asked(victor, address) for address in addresses)
    assert few == ten == many <= 12
    assert three.index(">lr ") < three.index(">same<")  # what differs comes first
    assert "run-02" in three and "run-03" not in three and "more do not" not in three
    assert "run-09" in text and "run-10" not in text and "50 more do not" in text
