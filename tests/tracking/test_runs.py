from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.access import Actor
from accounts.errors import Conflict, Forbidden, Invalid
from governance.ledger.models import AuditEvent
from tracking import actions, tasks
from tracking.models import Metric, Run


@pytest.fixture
def alice(cast):
    return Actor(cast.alice)


@pytest.fixture
def run(cast, alice):
    return actions.create_run(team=cast.team, name="Train", total_steps=100, parameters={"lr": 0.1}, by=alice)


def test_a_run_from_announcement_to_end(run, alice):
    assert (run.state, run.step, run.started_at) == ("queued", 0, None)
    run = actions.update_run(run=run, state="running", message="Starting", by=alice)
    assert run.started_at
    run = actions.update_run(run=run, step=40, by=alice)
    assert (run.percent, run.message) == (40.0, "Starting")
    assert run.seconds_left is not None
    run = actions.update_run(run=run, state="succeeded", step=50, message="Early", by=alice)
    assert (run.state, run.step) == ("succeeded", 50)
    assert run.finished_at
    events = AuditEvent.objects.filter(target_kind="run").order_by("id")
    assert [event.action for event in events] == ["run.created", "run.started", "run.finished"]
    assert events[2].after == {"state": "succeeded", "step": 50, "message": "Early"}


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_what_has_ended_stays_so(run, alice, state):
    actions.update_run(run=run, state=state, by=alice)
    for change in ({"state": "running"}, {"step": 3}, {"message": "x"}):
        with pytest.raises(Conflict):
            actions.update_run(run=run, by=alice, **change)
    with pytest.raises(Conflict):
        actions.log_metrics(run=run, metrics=[{"key": "loss", "step": 1, "value": 1.0}], by=alice)
    with pytest.raises(Conflict):
        actions.cancel_run(run=run, by=alice)


def test_the_table_of_transitions_is_total():
    assert set(actions.TRANSITIONS) == set(Run.State)
    assert {state for state, following in actions.TRANSITIONS.items() if not following} == Run.ENDED


def test_a_running_run_cannot_go_back_to_the_queue(run, alice):
    actions.update_run(run=run, state="running", by=alice)
    with pytest.raises(Invalid):
        actions.update_run(run=run, state="queued", by=alice)


def test_metrics_are_kept_once_per_step(run, alice):
    points = [{"key": "loss", "step": step, "value": 1 / (step + 1)} for step in range(200)]
    assert actions.log_metrics(run=run, metrics=points, by=alice) == 200
    actions.log_metrics(run=run, metrics=[{"key": "loss", "step": 3, "value": 9.0}], by=alice)
    assert Metric.objects.count() == 200
    assert Metric.objects.get(step=3).value == 9.0


@pytest.mark.parametrize(
    ("metric", "field"),
    [
        ({"key": "", "step": 1, "value": 1.0}, "metrics[0].key"),
        ({"key": "x", "step": -1, "value": 1.0}, "metrics[0].step"),
        ({"key": "x", "step": 1, "value": float("nan")}, "metrics[0].value"),
    ],
)
def test_wrong_metrics_are_named(run, alice, metric, field):
    with pytest.raises(Invalid) as caught:
        actions.log_metrics(run=run, metrics=[metric], by=alice)
    assert list(caught.value.errors) == [field]
    assert not Metric.objects.exists()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x", "kind": "odd"}, "kind"),
        ({"name": "x", "total_steps": -1}, "total_steps"),
        ({"name": "x", "parameters": {"lr": float("inf")}}, "parameters"),
        ({"name": "x", "parameters": {"text": "x" * 70_000}}, "parameters"),
    ],
)
def test_wrong_announcements_are_named(cast, alice, fields, field):
    with pytest.raises(Invalid) as caught:
        actions.create_run(team=cast.team, by=alice, **fields)
    assert list(caught.value.errors) == [field]
    assert not Run.objects.exists()


@pytest.mark.parametrize("who", ["victor", "bob", "dana", "carol", "mallory"])
def test_only_contributors_report_runs(cast, run, who):
    by = Actor(getattr(cast, who))
    for act in (
        lambda: actions.create_run(team=cast.team, name="x", by=by),
        lambda: actions.update_run(run=run, step=1, by=by),
        lambda: actions.log_metrics(run=run, metrics=[], by=by),
        lambda: actions.cancel_run(run=run, by=by),
    ):
        with pytest.raises(Forbidden):
            act()


def test_a_run_that_went_silent_is_closed_as_lost(run, alice):
    actions.update_run(run=run, state="running", by=alice)
    tasks.close_lost()
    run.refresh_from_db()
    assert run.state == "running"
    Run.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=11))
    tasks.close_lost()
    tasks.close_lost()
    run.refresh_from_db()
    assert (run.state, run.message) == ("failed", actions.LOST)
    event = AuditEvent.objects.get(action="run.finished")
    assert event.actor_name == "system"


def test_a_queued_run_may_wait(run):
    Run.objects.update(heartbeat_at=timezone.now() - timedelta(days=1))
    tasks.close_lost()
    run.refresh_from_db()
    assert run.state == "queued"


def test_rest_from_announcement_to_cancellation(api, cast):
    alice = api(cast.alice)
    body = {"team": "acme", "kind": "training", "name": "Train", "total_steps": 10, "parameters": {"lr": 0.1}}
    made = alice.post("/api/v1/runs", body)
    assert made.status_code == 201, made.content
    path = made["Location"]
    assert alice.patch(path, {"state": "running", "step": 1, "message": "Go"}).json()["state"] == "running"
    points = [{"key": "loss", "step": 1, "value": 0.5}, {"key": "accuracy", "step": 1, "value": 0.25}]
    assert alice.post(f"{path}/metrics", points).json() == {"kept": 2}
    assert alice.post(f"{path}/metrics", {"metrics": points}).status_code == 201
    metrics = alice.get(f"{path}/metrics").json()["results"]
    assert [(m["key"], m["step"], m["value"]) for m in metrics] == [("accuracy", 1, 0.25), ("loss", 1, 0.5)]
    assert len(alice.get(f"{path}/metrics?key=loss").json()["results"]) == 1
    assert alice.get("/api/v1/runs?team=acme&state=running").json()["results"][0]["parameters"] == {"lr": 0.1}
    actions.cancel_run(run=Run.objects.get(), by=Actor(cast.alice))
    answer = alice.patch(path, {"step": 2})
    assert answer.status_code == 409
    assert "cancelled" in answer.json()["detail"]
    assert alice.post(f"{path}/metrics", points).status_code == 409


@pytest.mark.parametrize(
    ("who", "read", "write"),
    [(None, 401, 401), ("mallory", 404, 404), ("victor", 200, 403), ("carol", 200, 403), ("alice", 200, 200)],
)
def test_every_door_of_rest_as_each_person(api, cast, run, who, read, write):
    client = api(getattr(cast, who) if who else None)
    path = f"/api/v1/runs/{run.pk}"
    assert client.get(path).status_code == read
    assert client.get(f"{path}/metrics").status_code == read
    assert client.patch(path, {"step": 1}).status_code == write
    points = [{"key": "loss", "step": 1, "value": 1}]
    assert client.post(f"{path}/metrics", points).status_code == (201 if write == 200 else write)
    assert client.post("/api/v1/runs", {"team": "acme", "name": "x"}).status_code == (201 if write == 200 else write)
    assert client.delete(path).status_code == (204 if write == 200 else write)


def test_pages_show_progress_metrics_and_versions(client_of, cast, run, alice):
    actions.update_run(run=run, state="running", step=25, message="A quarter", by=alice)
    points = [{"key": key, "step": s, "value": 0.5} for key in ("loss", "validation_exact_match") for s in range(1_000)]
    actions.log_metrics(run=run, metrics=points, by=alice)
    victor = client_of(cast.victor)
    assert "25 of 100" in victor.get("/runs/").content.decode()
    page = victor.get(f"/runs/{run.pk}").content.decode()
    assert "25 of 100 steps" in page
    assert page.count("data-chart") == 2
    assert 'hx-trigger="every 2s"' in page
    assert "/cancel" not in page
    assert victor.get(f"/runs/{run.pk}/live").content.decode().lstrip().startswith('<div id="run"')
    signed_in = client_of(cast.alice)
    assert signed_in.post(f"/runs/{run.pk}/cancel").status_code == 302
    assert "hx-trigger" not in signed_in.get(f"/runs/{run.pk}/live").content.decode()


def test_doors_of_pages(client_of, cast, run, client):
    assert client.get("/runs/").status_code == 302
    assert client_of(cast.mallory).get(f"/runs/{run.pk}").status_code == 404
    assert client_of(cast.mallory).post(f"/runs/{run.pk}/cancel").status_code == 404
    assert client_of(cast.victor).post(f"/runs/{run.pk}/cancel").status_code == 403
    assert client_of(cast.alice).get(f"/runs/{run.pk}/cancel").status_code == 405


def test_curves_are_thinned_out_and_keep_their_last_point(run, alice):
    from tracking import reads

    points = [{"key": "loss", "step": step, "value": float(step)} for step in range(4_321)]
    actions.log_metrics(run=run, metrics=points, by=alice)
    line = [(step, value) for step, _, value in reads.curves([run])[run.pk, "loss"]]
    assert 200 < len(line) <= reads.CHART_POINTS
    assert line[-1] == (4_320, 4_320.0)
    assert line == sorted(line)


def test_lists_cost_the_same_with_one_and_with_many(client_of, api, cast, alice, django_assert_max_num_queries):
    for number in range(15):
        actions.create_run(team=cast.team, name=f"Run {number}", by=alice)
    client, key = client_of(cast.victor), api(cast.victor)
    client.get("/runs/")
    with django_assert_max_num_queries(12):
        assert client.get("/runs/").status_code == 200
    with django_assert_max_num_queries(4):
        assert len(key.get("/api/v1/runs").json()["results"]) == 15
