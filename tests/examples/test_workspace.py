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
        prompts = "/api/v1/prompts/acme"
        found["branches"] = sum(
            row["name"] != "main"
            for name in ("support/first-reply", "dates/normalise")
            for row in api.every(f"{prompts}/{name}/branches")
        )
        found["requests"] = sorted(row["state"] for row in api.every("/api/v1/requests", kind="prompt"))
        found["drafts"] = sum(1 for _ in api.every("/api/v1/prompt-drafts"))
        found["moves"] = sum(1 for _ in api.every(f"{prompts}/extract-dates/labels/staging/history"))
        found["test runs"] = sum(1 for _ in api.every(f"{prompts}/dates/normalise/tests/runs"))
        found["plays"] = sum(1 for _ in api.every("/api/v1/playground/runs", team="acme"))
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
    assert (found["moves"], found["drafts"], found["branches"], found["test runs"], found["plays"]) == (3, 1, 2, 2, 1)
    assert found["requests"] == ["applied", "open", "open"]
    assert found["policies"] == 2
    assert found["runs"] == ["succeeded"]
    demo.make_workspace(workspace)
    assert contents(workspace) == (people, found)


# In the order in which the demo comes to them: each run goes on from where the one before it was killed.
MOMENTS = {
    "among the people": ("POST /api/v1/people", 3),
    "a key made that nobody noted": ("POST /api/v1/keys", 2),
    "a dataset's draft": ("POST /api/v1/datasets/acme/dates/versions", 1),
    "a branch without its version": ("POST /api/v1/prompts/acme/dates/normalise/branches", 1),
    "a release asked for": ("POST /api/v1/requests", 1),
    "a model's files": ("PUT /api/v1/models/acme/minilm/versions/1/files", 2),
    "version 1 in the middle of training": ("POST /api/v1/runs/", 1),
    "deployed, and not yet tried": ("POST /api/v1/deployments", 1),
}


def make_until(workspace, monkeypatch, moment, address, at):
    """Make what is missing of the demo, and die at the `at`th of such calls: the platform did it, the demo never heard of it."""
    count = itertools.count(1)
    send, put = Client._send, Client.upload

    def told(line):
        if line.startswith(address) and next(count) == at:
            raise Killed

    def die_sending(self, method, path, **options):
        answer = send(self, method, path, **options)
        told(f"{method} {path}")
        return answer

    def die_uploading(self, path, file):
        put(self, path, file)
        told(f"PUT {path}")

    # A killed process closes nothing behind itself.
    with monkeypatch.context() as killing:
        killing.setattr(Client, "_send", die_sending)
        killing.setattr(Client, "upload", die_uploading)
        if "training" in moment:
            killing.setattr(training._Run, "finish", lambda *arguments, **options: None)
        demo.make_workspace(workspace)


@pytest.mark.slow
def test_demo_killed_again_and_again_is_finished_by_the_next_run(workspace, monkeypatch):
    for moment, (address, at) in MOMENTS.items():
        with pytest.raises(Killed):
            make_until(workspace, monkeypatch, moment, address, at)
    demo.make_workspace(workspace)
    _, found = contents(workspace)
    assert [(row[0], row[1]) for row in found["models/acme/date-normaliser"]] == [(1, "registered"), (2, "registered")]
    assert [row[1] for row in found["models/acme/minilm"] + found["datasets/acme/dates"]] == ["registered"] * 2
    assert [found[name] for name in ("extract-dates", "reply-to-customer", "summarise-incident")] == [
        [1, 2, 3],
        [1, 2],
        [1, 2],
    ]
    assert found["policies"] == 2
    assert [found[name] for name in ("branches", "requests", "test runs", "plays")] == [
        2,
        ["applied", "open", "open"],
        2,
        1,
    ]
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
