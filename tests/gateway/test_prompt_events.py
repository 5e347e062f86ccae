"""Changes of prompts, told through the real gateway process."""

import asyncio
import json
import queue
import threading
import time
from types import SimpleNamespace

import httpx
import pytest
from django.db import transaction

from accounts.access import Actor
from accounts.actions import create_key, grant_role, revoke_key
from accounts.models import ApiKey, Grant
from accounts.roles import Role
from gateway.prompts.feed import Change
from gateway.prompts.hub import QUEUE, Stream
from gateway.prompts.permissions import Listener
from prompts import actions


class Ear:
    """Listens in a thread; `hear` gives the next event as (name, data, id)."""

    def __init__(self, url, key, query="team=acme", last_id=""):
        headers = {"Authorization": f"Bearer {key}", **({"Last-Event-ID": last_id} if last_id else {})}
        self._events = queue.Queue()
        self._client = httpx.Client(timeout=httpx.Timeout(10, read=30))
        self._context = self._client.stream("GET", f"{url}/v1/prompts/events?{query}", headers=headers)
        self.answer = self._context.__enter__()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        event = {}
        try:
            for line in self.answer.iter_lines():
                name, _, value = line.partition(": ")
                if line:
                    event[name] = value
                elif event.get("data"):
                    self._events.put((event["event"], json.loads(event["data"]), event.get("id")))
                    event = {}
        except httpx.HTTPError:
            pass
        self._events.put(("closed", {}, None))

    def hear(self, timeout=10):
        return self._events.get(timeout=timeout)

    def silent(self, seconds=1.0):
        try:
            heard = self._events.get(timeout=seconds)
        except queue.Empty:
            return True
        raise AssertionError(heard)

    def close(self):
        self._client.close()


@pytest.fixture
def ear(gateway_url, key_of):
    made = []

    def make(user, query="team=acme", last_id="", key=""):
        made.append(Ear(gateway_url, key or key_of(user), query, last_id))
        assert made[-1].answer.status_code == 200, made[-1].answer.read()
        name, _, made[-1].start = made[-1].hear()
        made[-1].began = name
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def world(people):
    by = Actor(people.alice)
    prompt = actions.create_prompt(team=people.team, name="support/first reply", by=by)
    versions = [actions.create_version(prompt=prompt, type="text", template=text, by=by) for text in ("one", "two")]
    return SimpleNamespace(cast=people, prompt=prompt, versions=versions, by=by)


def move(world, number, label="staging"):
    actions.move_label(prompt=world.prompt, label=label, version=world.versions[number - 1], by=world.by)


def test_a_moved_label_is_told_with_what_it_was_before(world, ear):
    listening = ear(world.cast.victor)
    assert listening.began == "ready" and listening.answer.headers["content-type"].startswith("text/event-stream")
    move(world, 1)
    began = time.monotonic()
    move(world, 2)
    first, second = listening.hear()[1], listening.hear()[1]
    assert time.monotonic() - began < 5
    assert (first["label"], first["version"], first["previous"]) == ("staging", 1, None)
    assert {name: second[name] for name in ("kind", "team", "prompt", "label", "version", "digest", "previous")} == {
        "kind": "label.moved", "team": "acme", "prompt": "support/first reply", "label": "staging", "version": 2,
        "digest": world.versions[1].digest, "previous": 1,
    }  # fmt: skip
    actions.create_version(prompt=world.prompt, type="text", template="three", by=world.by)
    assert (listening.hear()[1]["kind"], listening.silent(0.5)) == ("prompt_version.created", True)


def test_archiving_and_renaming_are_told(world, ear):
    listening = ear(world.cast.victor)
    actions.archive_prompt(prompt=world.prompt, by=world.by)
    assert listening.hear()[1]["kind"] == "prompt.archived"
    actions.restore_prompt(prompt=world.prompt, by=world.by)
    assert listening.hear()[1]["kind"] == "prompt.restored"
    actions.rename_prompt(prompt=world.prompt, name="support/second reply", by=world.by)
    told = listening.hear()[1]
    assert (told["prompt"], told["previous_name"]) == ("support/second reply", "support/first reply")


def test_what_rolled_back_is_not_told_and_what_commits_late_is(world, ear):
    listening = ear(world.cast.victor)
    with pytest.raises(RuntimeError), transaction.atomic():
        move(world, 1)
        raise RuntimeError
    assert listening.silent()
    with transaction.atomic():
        move(world, 2)
        assert listening.silent()
    assert listening.hear()[1]["version"] == 2


def test_filters_by_prompt_and_label(world, ear, gateway_url, key_of):
    other = actions.create_prompt(team=world.cast.team, name="other", by=world.by)
    mine = ear(world.cast.victor, "team=acme&prompt=support/first%20reply&label=staging")
    actions.create_version(prompt=other, type="text", template="x", by=world.by)
    move(world, 1, "candidate")
    move(world, 2)
    assert (mine.hear()[1]["label"], mine.silent(0.5)) == ("staging", True)


def test_after_a_break_it_is_told_what_it_missed_once(world, ear):
    first = ear(world.cast.victor)
    move(world, 1)
    _, _, last = first.hear()
    first.close()
    move(world, 2)
    again = ear(world.cast.victor, last_id=last)
    assert again.began == "ready"
    assert (again.hear()[1]["version"], again.silent(0.5)) == (2, True)
    for nonsense in ("x", "1-2-3", "999999999999-1"):
        assert ear(world.cast.victor, last_id=nonsense).began == "reset"


def test_one_hears_only_of_what_one_may_see(world, ear, gateway_url, key_of):
    seen = actions.create_prompt(team=world.cast.team, name="seen", by=world.by)
    grant_role(user=world.cast.mallory, role=Role.VIEWER, on=seen, by=Actor(world.cast.admin))
    mallory = ear(world.cast.mallory)
    move(world, 1)
    actions.update_prompt(prompt=seen, description="New.", by=world.by)
    assert (mallory.hear()[1]["prompt"], mallory.silent(0.5)) == ("seen", True)


def test_strangers_and_bad_questions_are_refused(world, gateway_url, key_of):
    def ask(key, query):
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.get(f"{gateway_url}/v1/prompts/events?{query}", headers=headers)

    victor = key_of(world.cast.victor)
    for key, query, status, word in [
        ("", "team=acme", 401, "API key"),
        ("cs_a_b", "team=acme", 401, "API key"),
        (key_of(world.cast.mallory), "team=acme", 404, "acme"),
        (victor, "team=none", 404, "none"),
        (victor, "", 400, "team"),
        (victor, "team=acme&prompt=none", 404, "acme/none"),
        (victor, "team=acme&since=1", 400, "since"),
        (victor, "team=a%00b", 400, "team"),
        (victor, "team=%ff", 400, "query"),
        (key_of(world.cast.victor, scopes=["invoke"]), "team=acme", 403, "asset.view"),
    ]:
        answer = ask(key, query)
        assert answer.status_code == status and word in answer.json()["error"]["message"], (query, answer.text)


@pytest.mark.parametrize("how", ["key", "grant", "grant on the prompt", "person"])
def test_what_was_revoked_ends_the_stream_within_seconds(world, ear, how):
    cast, admin = world.cast, Actor(world.cast.admin)
    row, key = create_key(name="stream", by=Actor(cast.victor))
    query = "team=acme"
    if how == "grant on the prompt":
        grant_role(user=cast.mallory, role=Role.VIEWER, on=world.prompt, by=admin)
        row, key = create_key(name="stream", by=Actor(cast.mallory))
        query = "team=acme&prompt=support/first%20reply"
    listening = ear(None, query, key=key)
    if how == "key":
        revoke_key(key=ApiKey.objects.get(pk=row.pk), by=Actor(cast.victor))
    elif how == "person":
        type(cast.victor).objects.filter(pk=cast.victor.pk).update(is_active=False)
    else:
        Grant.objects.filter(user=row.user).delete()
    move(world, 1)
    assert listening.hear(8)[:2] == ("end", {"reason": "not_permitted"})


def test_the_number_of_streams_of_a_key_is_limited(world, gateway_url, people, monkeypatch):
    from gateway.errors import ApiError
    from gateway.prompts.hub import Hub

    listener = Listener(1, "k", people.team.pk, "acme", None)

    async def run():
        hub = Hub("postgresql://127.0.0.1:1/none", None, per_key=2, at_all=3)
        hub._ready.set()
        hub._tasks = [asyncio.create_task(asyncio.sleep(9))]
        two = [await hub.join(listener, (), "") for _ in range(2)]
        with pytest.raises(ApiError, match="2 streams") as refused:
            await hub.join(listener, (), "")
        assert refused.value.status == 429
        other = Listener(2, "k2", people.team.pk, "acme", None)
        await hub.join(other, (), "")
        with pytest.raises(ApiError) as full:
            await hub.join(other, (), "")
        assert full.value.status == 503
        hub.leave(two[0])
        hub.leave(two[0])
        await hub.join(listener, (), "")
        await hub.close()
        assert two[1].ended == "closing"

    asyncio.run(run())


def test_a_slow_listener_is_let_go_and_the_others_hear_everything():
    async def run():
        listener = Listener(1, "k", 7, "acme", None)
        slow, quick = Stream(listener, ()), Stream(listener, ())
        change = Change(1, 1, 7, 3, "a", "staging", b"{}")
        heard = 0
        for number in range(QUEUE + 10):
            slow.put(change.message(number))
            quick.put(change.message(number))
            heard += (await quick.next(1)).count(b"event: change")
        assert slow.ended == "slow" and not quick.ended and heard == QUEUE + 10
        assert await slow.next(1) == b""

    asyncio.run(run())


@pytest.mark.slow
def test_it_goes_on_when_the_database_cuts_its_connections(world, ear, superuser_connection):
    listening = ear(world.cast.victor)
    superuser_connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' OR query LIKE '%pg_snapshot_xmin%'"
        " AND pid <> pg_backend_pid()"
    )
    move(world, 1)
    assert listening.hear(15)[1]["version"] == 1
