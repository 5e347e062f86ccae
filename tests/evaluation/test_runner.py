import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from django.db import close_old_connections, connection
from django.utils import timezone

from evaluation import actions, runner, tasks, turns
from evaluation.leases import LEASES
from evaluation.leasing import LeaseLost
from evaluation.models import Evaluation, Example
from serving.models import Deployment


def expire(evaluation):
    Evaluation.objects.filter(pk=evaluation.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_every_row_is_asked_once_with_the_parameters(evaluating):
    evaluation = evaluating.finish(evaluating.start(max_tokens=9, temperature=0.5, seed=3))
    assert evaluation.state == "succeeded"
    assert set(evaluating.stand.asked.values()) == {1}
    assert len(evaluating.stand.asked) == 40
    body = evaluating.stand.bodies[0]
    assert body["messages"][0]["role"] == "user"
    assert {key: body[key] for key in ("model", "max_tokens", "temperature", "seed")} == {
        "model": "acme/date-normaliser", "max_tokens": 9, "temperature": 0.5, "seed": 3,
    }  # fmt: skip
    assert set(evaluating.stand.paths) == {"/target/v1/chat/completions"}
    assert all(e.latency_ms > 0 and e.tokens == 3 for e in evaluation.examples.all())


def test_a_model_without_chat_template_is_asked_for_completions(evaluating, plain_model):
    evaluation = evaluating.finish(evaluating.start(version=plain_model))
    assert evaluation.state == "succeeded"
    assert set(evaluating.stand.paths) == {"/target/v1/completions"}


def test_it_waits_while_the_model_starts_and_says_so(evaluating):
    evaluation = evaluating.start()
    assert runner.take_turn(evaluation.pk) == runner.PAUSE_WHILE_STARTING_S
    evaluation.refresh_from_db()
    assert evaluation.state == "running"
    assert evaluation.message.startswith("Starting the model")
    assert evaluation.lease_owner == ""  # no worker is kept busy by waiting
    assert not evaluating.stand.asked


def test_a_model_that_does_not_load_fails_it_with_the_engines_words(evaluating):
    evaluation = evaluating.start()
    runner.take_turn(evaluation.pk)
    Deployment.objects.update(state="failed", failures=1, message="header too large")
    assert runner.take_turn(evaluation.pk) is not None  # the first time may be an accident
    Deployment.objects.update(failures=2)
    assert runner.take_turn(evaluation.pk) is None
    evaluation.refresh_from_db()
    assert evaluation.state == "failed"
    assert "header too large" in evaluation.message


def test_a_model_that_never_comes_up_fails_it(evaluating):
    evaluation = evaluating.start()
    runner.take_turn(evaluation.pk)
    Evaluation.objects.update(waiting_since=timezone.now() - timedelta(minutes=16))
    assert runner.take_turn(evaluation.pk) is None
    evaluation.refresh_from_db()
    assert evaluation.state == "failed"
    assert "15 minutes" in evaluation.message


def test_a_refused_example_is_kept_with_its_reason_and_counts_as_wrong(evaluating):
    evaluating.stand.fail = {"in 3": (400, 99)}
    evaluation = evaluating.finish(evaluating.start())
    assert (evaluation.state, evaluation.errors) == ("succeeded", 1)
    example = evaluation.examples.get(index=3)
    assert example.error == "400: no luck with in 3"
    assert not example.correct
    assert evaluating.stand.asked["in 3"] == 1
    assert evaluation.results["exact_match"]["value"] == 39 / 40
    assert evaluation.results["latency_p50_ms"]["n"] == 39


def test_too_many_refusals_fail_it_with_the_first_reason(evaluating):
    evaluating.stand.fail = {f"in {number}": (400, 99) for number in range(40)}
    evaluation = evaluating.finish(evaluating.start())
    assert evaluation.state == "failed"
    assert "no luck with in 0" in evaluation.message
    assert not evaluation.results


def test_what_stumbles_is_asked_again_and_scored_once(evaluating):
    evaluating.stand.fail = {"in 3": (500, 1), "in 9": (503, 2)}
    evaluation = evaluating.finish(evaluating.start())
    assert (evaluation.state, evaluation.errors) == ("succeeded", 0)
    assert evaluating.stand.asked["in 3"] == 2
    assert evaluating.stand.asked["in 9"] == 3
    assert evaluation.examples.count() == 40


def test_what_stumbles_for_ever_becomes_an_error(evaluating):
    evaluating.stand.fail = {"in 3": (500, 10_000)}
    evaluation = evaluating.finish(evaluating.start())
    assert (evaluation.state, evaluation.errors) == ("succeeded", 1)
    assert evaluation.examples.get(index=3).error.startswith("500")


def test_a_model_that_is_gone_is_waited_for_and_no_example_is_spoilt(evaluating):
    evaluation = evaluating.start()
    runner.take_turn(evaluation.pk)
    Deployment.objects.update(state="running", endpoint="http://127.0.0.1:9/gone")
    for _ in range(turns.PATIENCE + 2):
        assert runner.take_turn(evaluation.pk) > 0
    evaluation.refresh_from_db()
    assert (evaluation.state, evaluation.done) == ("running", 0)
    assert "could not be reached" in evaluation.message
    evaluating.up()
    assert evaluating.finish(evaluation).state == "succeeded"


def test_a_model_that_stays_away_fails_it(evaluating):
    evaluation = evaluating.start()
    runner.take_turn(evaluation.pk)
    Deployment.objects.update(state="running", endpoint="http://127.0.0.1:9/gone")
    Evaluation.objects.update(stalls=turns.LONGEST_STALL)
    assert runner.take_turn(evaluation.pk) is None
    evaluation.refresh_from_db()
    assert (evaluation.state, evaluation.done) == ("failed", 0)
    assert "could not be reached" in evaluation.message


def test_a_broken_row_beyond_those_checked_at_first_fails_it_with_its_number(evaluating, make_rows, monkeypatch):
    monkeypatch.setattr("evaluation.rows.CHECKED_AT_ONCE", 1)
    rows = make_rows([{"input": "in 1", "expected": "out 1"}, {"input": "in 2"}], name="broken")
    evaluation = evaluating.finish(evaluating.start(dataset_version=rows))
    assert evaluation.state == "failed"
    assert "rows.jsonl, row 2" in evaluation.message


def test_a_turn_is_short_and_the_next_goes_on(evaluating, monkeypatch):
    monkeypatch.setattr(turns, "TURN_S", 0.2)
    evaluating.stand.delay_s = 0.05
    evaluation = evaluating.start()
    runner.take_turn(evaluation.pk)
    evaluating.up()
    assert runner.take_turn(evaluation.pk) == 0
    evaluation.refresh_from_db()
    assert 0 < evaluation.done < 40
    assert evaluation.done == evaluation.examples.count()
    assert evaluating.finish(evaluation).state == "succeeded"
    assert set(evaluating.stand.asked.values()) == {1}


def test_of_two_workers_one_gets_the_lease(evaluating):
    evaluation = evaluating.start()
    assert LEASES.take(evaluation.pk, "one")
    assert not LEASES.take(evaluation.pk, "two")
    assert runner.take_turn(evaluation.pk) is None
    LEASES.renew(evaluation.pk, "one")
    with pytest.raises(LeaseLost):
        LEASES.renew(evaluation.pk, "two")
    expire(evaluation)
    assert LEASES.take(evaluation.pk, "two")
    with pytest.raises(LeaseLost):
        LEASES.renew(evaluation.pk, "one")
    assert not LEASES.release(evaluation.pk, "one")
    assert LEASES.release(evaluation.pk, "two")


def test_a_worker_that_lost_its_lease_stores_nothing(evaluating):
    from evaluation.client import Answer
    from evaluation.rows import Question

    evaluation = evaluating.start()
    LEASES.take(evaluation.pk, "one")
    answer = Answer(Question(0, "in 0", "out 0"), output="out 0")
    actions.store_answers(evaluation_id=evaluation.pk, owner="one", answers=[answer, answer])
    assert Evaluation.objects.get().done == Example.objects.count() == 1
    with pytest.raises(LeaseLost):
        actions.store_answers(evaluation_id=evaluation.pk, owner="two", answers=[answer])
    for act in (actions.finish_evaluation, lambda **kw: actions.fail_evaluation(message="x", **kw)):
        with pytest.raises(LeaseLost):
            act(evaluation_id=evaluation.pk, owner="two")


def test_beat_goes_on_with_what_nobody_is_at(evaluating, monkeypatch):
    sent = []
    monkeypatch.setattr("evaluation.wake.current_app.send_task", lambda name, args, **_: sent.append((name, args)))
    held, fresh, lost, ended = (evaluating.start() for _ in range(4))
    LEASES.take(held.pk, "one")
    expire(lost)
    actions.cancel_evaluation(evaluation=ended, by=evaluating.alice)
    expire(ended)
    tasks.resume()
    assert sent == [("evaluation.tasks.run", [lost.pk])]
    tasks.run(fresh.pk)
    assert sent[1:] == [("evaluation.tasks.run", [fresh.pk])]


def test_a_broker_that_is_down_does_not_stop_anything(evaluating, monkeypatch, django_capture_on_commit_callbacks):
    from kombu.exceptions import OperationalError

    def down(*_, **__):
        raise OperationalError("no broker")

    monkeypatch.setattr("evaluation.wake.current_app.send_task", down)
    with django_capture_on_commit_callbacks(execute=True):
        evaluation = evaluating.start()
    assert Evaluation.objects.filter(pk=evaluation.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_cancelling_stops_a_worker_in_the_middle_of_an_answer(evaluating, transactional_db):
    evaluating.stand.delay_s = 30
    evaluation = evaluating.start()
    runner.take_turn(evaluation.pk)
    evaluating.up()

    def work():
        try:
            runner.take_turn(evaluation.pk)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    deadline = time.monotonic() + 10
    while not evaluating.stand.asked and time.monotonic() < deadline:
        time.sleep(0.02)
    started = time.monotonic()
    actions.cancel_evaluation(evaluation=evaluation, by=evaluating.alice)
    worker.join(timeout=10)
    assert not worker.is_alive()
    assert time.monotonic() - started < 2
    evaluation.refresh_from_db()
    assert (evaluation.state, evaluation.examples.count()) == ("cancelled", 0)
    close_old_connections()


@pytest.mark.django_db(transaction=True)
def test_after_a_killed_worker_another_goes_on_and_no_example_is_scored_twice(
    evaluating, transactional_db, storage_root
):
    evaluating.stand.delay_s = 0.15
    evaluation = evaluating.start()
    runner.take_turn(evaluation.pk)
    evaluating.up()
    code = f"import django; django.setup(); from evaluation import runner; runner.take_turn({evaluation.pk})"
    inside = {"COUNTERSIGN_DATA": str(storage_root.parent), "GATEWAY_INTERNAL_URL": evaluating.stand.url}
    environment = {**os.environ, **inside}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as worker:
        deadline = time.monotonic() + 60
        while not Example.objects.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        worker.send_signal(signal.SIGKILL)
    done = Example.objects.count()
    evaluation.refresh_from_db()
    assert 0 < done < 40
    assert evaluation.done == done
    assert evaluation.lease_owner
    assert runner.take_turn(evaluation.pk) is None  # the dead worker's lease still stands
    expire(evaluation)
    assert LEASES.abandoned() == [evaluation.pk]
    first = dict(evaluation.examples.values_list("index", "pk"))
    evaluating.stand.delay_s = 0
    while runner.take_turn(evaluation.pk) is not None:
        pass
    evaluation.refresh_from_db()
    assert (evaluation.state, evaluation.done) == ("succeeded", 40)
    assert sorted(evaluation.examples.values_list("index", flat=True)) == list(range(40))
    assert first.items() <= dict(evaluation.examples.values_list("index", "pk")).items()
