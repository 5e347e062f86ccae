"""The whole demo against a running site: made once however often it is run, and finished after being killed."""

import itertools
import json

import pytest

from examples.demo import __main__ as demo
from examples.demo import date_normaliser, dates, training
from examples.demo.client import ApiError, Client
from examples.demo.workspace import Workspace

ADMIN = {"email": "admin@example.com", "password": "a-long-test-password"}


class Killed(BaseException):
    pass


@pytest.fixture
def workspace(transactional_db, live_server, tmp_path, monkeypatch):
    """A site with nothing but its administrator, and a training of a few steps instead of hundreds."""
    from accounts.actions import create_first_administrator

    create_first_administrator(**ADMIN)
    monkeypatch.setattr(date_normaliser, "TOTAL_STEPS", 4)
    monkeypatch.setattr(date_normaliser, "CHECK_EVERY", 2)
    monkeypatch.setattr(date_normaliser, "BATCH", 8)
    monkeypatch.setattr(date_normaliser.dates, "validation", lambda: dates.held_back(10))
    monkeypatch.setattr(training, "THREADS", 1)
    monkeypatch.setattr(training.os, "nice", lambda by: 0)
    return Workspace(
        site=live_server.url,
        gateway="http://127.0.0.1:1",
        data=tmp_path,
        admin_email=ADMIN["email"],
        admin_password=ADMIN["password"],
    )


def contents(workspace):
    """Everything that the demo makes, as Alice sees it."""
    people = json.loads((workspace.data / "demo.json").read_text())["people"]
    with Client(workspace.site, key=people["alice"]["api_key"]) as api:
        found = {}
        for address in ("models/acme/date-normaliser", "models/acme/minilm", "datasets/acme/dates"):
            rows = api.every(f"/api/v1/{address}/versions")
            found[address] = sorted((row["number"], row["state"], row["digest"]) for row in rows)
        for prompt in api.every("/api/v1/prompts", team="acme"):
            rows = api.every(f"/api/v1/prompts/acme/{prompt['name']}/versions")
            found[prompt["name"]] = sorted(row["number"] for row in rows)
        found["policies"] = sum(1 for _ in api.every("/api/v1/policies", team="acme"))
        found["runs"] = sorted(row["state"] for row in api.every("/api/v1/runs", team="acme"))
    return people, found


@pytest.mark.slow
def test_demo_is_complete_and_a_second_run_changes_nothing(workspace):
    demo.make_workspace(workspace)
    people, found = contents(workspace)
    assert set(people) == {"alice", "bob", "dana", "carol", "admin", "mallory"}
    assert all({"email", "password", "api_key", "api_key_id"} <= person.keys() for person in people.values())
    assert [(row[0], row[1]) for row in found["models/acme/date-normaliser"]] == [(1, "registered"), (2, "registered")]
    assert [row[1] for row in found["models/acme/minilm"] + found["datasets/acme/dates"]] == ["registered"] * 2
    assert found["extract-dates"] == [1, 2, 3]
    assert found["policies"] == 1
    assert found["runs"] == ["succeeded"]
    demo.make_workspace(workspace)
    assert contents(workspace) == (people, found)


# Among the people; a key made that nobody noted; a dataset's draft; a model's files; version 1 in the middle of training.
@pytest.mark.slow
@pytest.mark.parametrize("requests_before_death", [12, 19, 47, 88, 106])
def test_demo_killed_at_any_moment_is_finished_by_the_next_run(workspace, monkeypatch, requests_before_death):
    count = itertools.count(1)
    send, put = Client._send, Client.upload

    def die(call):
        def counted(self, *arguments, **options):
            answer = call(self, *arguments, **options)
            if next(count) == requests_before_death:
                raise Killed  # the platform did it, and the demo never heard of it
            return answer

        return counted

    # A killed process closes nothing behind itself.
    with monkeypatch.context() as killing:
        killing.setattr(Client, "_send", die(send))
        killing.setattr(Client, "upload", die(put))
        killing.setattr(training._Run, "finish", lambda *arguments, **options: None)
        with pytest.raises(Killed):
            demo.make_workspace(workspace)
    demo.make_workspace(workspace)
    _, found = contents(workspace)
    assert [(row[0], row[1]) for row in found["models/acme/date-normaliser"]] == [(1, "registered"), (2, "registered")]
    assert [row[1] for row in found["models/acme/minilm"] + found["datasets/acme/dates"]] == ["registered"] * 2
    assert [found[name] for name in ("extract-dates", "reply-to-customer", "summarise-incident")] == [
        [1, 2, 3],
        [1, 2],
        [1, 2],
    ]
    assert found["policies"] == 1
    assert found["runs"].count("succeeded") == 1
    assert set(found["runs"]) <= {"succeeded", "failed"}


@pytest.mark.slow
def test_people_can_do_what_their_role_says_and_mallory_nothing(workspace):
    from examples.demo.people import make_people

    with Client(workspace.site) as admin:
        admin.sign_in(workspace.admin_email, workspace.admin_password)
        people = make_people(workspace, admin)
    with Client(workspace.site, key=people["carol"]["api_key"]) as carol:
        assert carol.get("/api/v1/ledger")["results"]
    with Client(workspace.site, key=people["mallory"]["api_key"]) as mallory:
        assert mallory.find("/api/v1/teams/acme/members") is None
        with pytest.raises(ApiError) as refused:
            mallory.post("/api/v1/models", {"team": "acme", "name": "x", "task": "text-generation"})
        assert refused.value.status == 404


def test_a_wrong_password_is_said_in_one_line(workspace, monkeypatch, capsys):
    for name, value in {
        "SITE_URL": workspace.site,
        "GATEWAY_URL": workspace.gateway,
        "COUNTERSIGN_DATA": str(workspace.data),
        "COUNTERSIGN_ADMIN_EMAIL": ADMIN["email"],
        "COUNTERSIGN_ADMIN_PASSWORD": "wrong",
    }.items():
        monkeypatch.setenv(name, value)
    assert demo.main() == 1
    assert "Signing in as admin@example.com failed" in capsys.readouterr().out


def test_a_missing_variable_is_named(monkeypatch, capsys):
    monkeypatch.delenv("SITE_URL", raising=False)
    assert demo.main() == 1
    assert "SITE_URL" in capsys.readouterr().out
