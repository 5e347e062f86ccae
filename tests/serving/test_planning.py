"""What is decided from what is wanted and what is seen."""

import itertools

import pytest

from serving.cluster import App, Replica
from serving.models import Deployment
from serving.planning import OUTCOMES, Sight, Wanted, Wish, backoff_s, decide, differs, explain, look

CONFIG, OLDER = {"name": "deployment-1-2", "args": {}}, {"name": "deployment-1-1", "args": {}}
FAILURE = """The deployment failed to start 3 times in a row. See controller logs for details. Error:
\x1b[36mray::ServeReplica:deployment-1-2:engine.initialize_and_get_metadata()\x1b[39m (pid=1, ip=127.0.0.1)
  File "/somewhere/replica.py", line 3521, in initialize_and_get_metadata
RuntimeError: Traceback (most recent call last):
  File "/somewhere/deployment.py", line 6, in __init__
    raise EngineError("…")
serving.engines.errors.EngineError: model.safetensors: the header is cut off after 12 bytes"""


def replica(state: str = "running", name: str = "r1") -> Replica:
    return Replica(
        id=name, state=state, node="127.0.0.1", node_id="n", actor_id="a", worker_id="w", pid=1, started_s=1.0, log="l"
    )


def app_of(sight: Sight, name: str = "deployment-1-2", replicas: int = 1) -> App | None:
    """An application that looks like this to somebody who wants so many replicas."""
    running = [replica(name=f"r{number}") for number in range(replicas)]
    return {
        Sight.ABSENT: None,
        Sight.LEAVING: App(name, "DELETING", replicas=running),
        Sight.STARTING: App(name, "DEPLOYING", replicas=[replica("starting")]),
        Sight.FAILED: App(name, "DEPLOY_FAILED", deployment_message=FAILURE, dead_replicas=[replica("stopped")]),
        Sight.PARTIAL: App(name, "DEPLOYING", replicas=[*running, replica("starting", "new")]),
        Sight.RUNNING: App(name, "RUNNING", config=CONFIG, replicas=running),
    }[sight]


def wanted(wish: Wish = Wish.RUN, *, older: bool = False, **changes: object) -> Wanted:
    return Wanted(
        **{
            "wish": wish,
            "replicas": 1,
            "number": 2,
            "config": CONFIG,
            "older_number": 1 if older else 0,
            "older_config": OLDER if older else None,
        }
        | changes
    )


def seen(latest: Sight, older: Sight = Sight.ABSENT) -> dict[str, App]:
    apps = [app_of(latest), app_of(older, "deployment-1-1")]
    return {app.name: app for app in apps if app}


def test_table_knows_every_wish_and_sight_and_only_states_that_exist() -> None:
    assert set(OUTCOMES) == set(itertools.product(Wish, Sight))
    assert {outcome.state for outcome in OUTCOMES.values()} == set(Deployment.State)


@pytest.mark.parametrize("sight", Sight)
def test_sights_are_told_apart(sight: Sight) -> None:
    assert look(app_of(sight), 1) == sight


@pytest.mark.parametrize(("wish", "sight"), itertools.product(Wish, Sight))
def test_what_is_not_kept_answers_nothing_and_what_answers_has_a_state_with_an_endpoint(
    wish: Wish, sight: Sight
) -> None:
    verdict = decide(wanted(wish), seen(sight))
    assert [config["name"] for config in verdict.applications] == ["deployment-1-2"] * OUTCOMES[wish, sight].keep
    assert verdict.state == OUTCOMES[wish, sight].state
    assert bool(verdict.answering) == (verdict.state in {"running", "updating"})
    assert bool(verdict.answering) <= bool(verdict.applications)


def test_failed_start_says_what_the_engine_said() -> None:
    verdict = decide(wanted(failures=1), seen(Sight.FAILED))
    assert verdict.message == "model.safetensors: the header is cut off after 12 bytes"
    assert "Traceback" in verdict.detail
    assert "\x1b" not in verdict.detail
    assert verdict.failed_now
    assert verdict.failures == 2
    assert [found.state for _, found in verdict.replicas] == ["stopped"]  # its log can still be read


def test_first_failed_replica_counts_before_serve_gives_up() -> None:
    app = App(
        "deployment-1-2", "DEPLOYING", deployment_message="A replica failed to start with exception. Retrying 2 more"
    )
    assert look(app, 1) == Sight.FAILED


def test_back_off_keeps_the_message_and_forgets_it_once_running() -> None:
    waiting = wanted(Wish.WAIT, failures=2, message="No such file", detail="all of it")
    verdict = decide(waiting, {})
    assert (verdict.state, verdict.message, verdict.detail) == ("failed", "No such file", "all of it")
    assert not verdict.failed_now
    assert verdict.failures == 2
    assert decide(wanted(failures=2), seen(Sight.RUNNING)).failures == 0


def test_older_revision_answers_until_its_successor_does() -> None:
    for sight, state in ((Sight.ABSENT, "updating"), (Sight.STARTING, "updating"), (Sight.PARTIAL, "updating")):
        verdict = decide(wanted(older=True), seen(sight, Sight.RUNNING))
        assert (verdict.state, verdict.answering) == (state, 1)
        assert [config["name"] for config in verdict.applications] == ["deployment-1-2", "deployment-1-1"]
    verdict = decide(wanted(older=True), seen(Sight.RUNNING, Sight.RUNNING))
    assert (verdict.state, verdict.answering) == ("running", 2)
    assert [config["name"] for config in verdict.applications] == ["deployment-1-2"]


def test_update_that_fails_interrupts_nobody() -> None:
    verdict = decide(wanted(older=True), seen(Sight.FAILED, Sight.RUNNING))
    assert (verdict.state, verdict.answering, verdict.failed_now) == ("running", 1, True)
    assert "header is cut off" in verdict.message
    assert "Revision 1 goes on answering" in verdict.message
    assert [config["name"] for config in verdict.applications] == ["deployment-1-1"]


def test_older_revision_comes_back_after_everything_died() -> None:
    verdict = decide(wanted(Wish.WAIT, older=True, message="Broken."), {})
    assert (verdict.state, verdict.answering) == ("failed", 0)
    assert [config["name"] for config in verdict.applications] == ["deployment-1-1"]


def test_stopping_waits_for_every_revision_to_be_gone() -> None:
    verdict = decide(wanted(Wish.STOP, older=True), seen(Sight.ABSENT, Sight.LEAVING))
    assert (verdict.state, verdict.applications) == ("stopping", [])
    assert decide(wanted(Wish.STOP, older=True), {}).state == "stopped"


def test_scaling_is_an_update_during_which_requests_are_answered() -> None:
    verdict = decide(wanted(replicas=2), seen(Sight.RUNNING))
    assert (verdict.state, verdict.answering) == ("updating", 2)
    assert verdict.message == "1 replica answering, 2 wanted."


def test_serve_is_told_only_what_it_does_not_know() -> None:
    apps = {"deployment-1-2": App("deployment-1-2", "RUNNING", config=CONFIG)}
    assert not differs([CONFIG], apps)
    assert differs([], apps)
    assert differs([CONFIG, OLDER], apps)
    assert differs([CONFIG | {"args": {"x": 1}}], apps)
    assert differs([CONFIG], {"deployment-1-2": App("deployment-1-2", "DELETING", config=CONFIG)})
    imperative = App("somebody-elses", "RUNNING", config=None)
    assert not differs([CONFIG], apps | {"somebody-elses": imperative})


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ("", "Starting 1 replica: fetching files, checking them, loading the model."),
        ("1 replicas that have taken more than 30s to initialize.", "It takes longer than usual."),
        (
            "1 replicas that have taken more than 30s to be scheduled. This may be due to waiting for the cluster to "
            'auto-scale. Resources required for each replica: {"GPU": 1}, total resources available: {}. Use `ray status`',
            'Waiting for a place on the cluster: each replica takes {"GPU": 1}, and {} is free.',
        ),
        ("Something new.", "Something new."),
    ],
)
def test_slow_start_says_what_it_waits_for(report: str, words: str) -> None:
    app = App("deployment-1-2", "DEPLOYING", deployment_message=report, replicas=[replica("starting")])
    verdict = decide(wanted(), {"deployment-1-2": app})
    assert verdict.state == "starting"
    assert verdict.message.endswith(words)


def test_back_off_grows_to_a_limit_and_is_spread() -> None:
    assert [backoff_s(failures, 0.5) for failures in (1, 2, 3)] == [5, 10, 20]
    assert backoff_s(50, 0.5) == 300
    assert (backoff_s(1, 0), backoff_s(1, 1)) == pytest.approx((4, 6))


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ("x\nTraceback (most recent call last):\n  File\nValueError: no\nsecond line", "ValueError: no\nsecond line"),
        ("Deploying app 'a' failed with exception:\nTraceback (most recent call last):\n  File x", "Deploying app 'a' failed with exception:"),
        ("Something without an exception", "Something without an exception"),
        ("", ""),
    ],
)  # fmt: skip
def test_reports_are_shortened_to_what_was_raised(report: str, message: str) -> None:
    assert explain(report) == message


def test_reports_have_a_bounded_length() -> None:
    assert len(explain("ValueError: " + "x" * 5000)) == 600
