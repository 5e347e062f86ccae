"""The quick door to prompts: one statement, and never an answer that the ordinary door would not give."""

import json
from datetime import timedelta

import pytest
from django.test import RequestFactory
from django.utils import timezone

from accounts.access import Actor
from accounts.actions import create_user, grant, grant_role, revoke_key
from accounts.models import ApiKey, Grant, KeyAddress
from accounts.roles import Role
from prompts import actions, hot, uses
from prompts.models import Prompt, PromptUse, PromptVersion

BASE = "/api/v1/prompts/acme/support/first reply é"
PATHS = [f"{BASE}/labels/staging", f"{BASE}/labels/latest", f"{BASE}/versions/1"]


@pytest.fixture(autouse=True)
def _nothing_kept():
    hot.kept.clear()
    uses._counts.clear()
    yield
    uses._counts.clear()


@pytest.fixture
def prompt(cast, actor):
    by = actor(cast.alice)
    made = actions.create_prompt(team=cast.team, name="support/first reply é", by=by)
    version = actions.create_version(
        prompt=made, type="text", template="Hello {{ name }} 👋", parameters={"b": 1, "a": 2}, by=by
    )
    actions.move_label(prompt=made, label="staging", version=version, by=by)
    return made


def ask(client, path=PATHS[0], method="get", **headers):
    ApiKey.objects.update(last_used_at=timezone.now())
    given = {"authorization": f"Bearer {client.key}", **headers}
    request = getattr(RequestFactory(), method)(path, headers={k: v for k, v in given.items() if v is not None})
    return hot.answer(request)


@pytest.mark.parametrize("path", PATHS)
def test_one_statement_and_the_same_bytes_as_the_rest_view(path, prompt, cast, api, django_assert_num_queries):
    client = api(cast.victor)
    slow = client.get(path)  # a key that was not used lately goes the ordinary way
    first = ask(client, path)
    assert first.status_code == 200 and first.content == slow.content
    assert first["ETag"] == slow["ETag"] and first["Link"] == slow["Link"]
    assert "/v1/prompts/events?team=acme" in first["Link"]
    request = RequestFactory().get(path, headers={"authorization": f"Bearer {client.key}"})
    with django_assert_num_queries(0):  # none through the ORM; its one statement goes past Django's cursor
        assert hot.answer(request).content == first.content
    assert json.loads(first.content)["template"] == "Hello {{ name }} 👋"
    assert ask(client, path, **{"if-none-match": f'"x", {first["ETag"]}'}).status_code == 304


def test_a_moved_label_and_a_deleted_version_show_at_the_next_fetch(prompt, cast, api, actor):
    client, by = api(cast.victor), actor(cast.alice)
    etag = ask(client)["ETag"]
    second = actions.create_version(prompt=prompt, type="text", template="Hi", by=by)
    actions.move_label(prompt=prompt, label="staging", version=second, by=by)
    moved = ask(client, **{"if-none-match": etag})
    assert moved.status_code == 200 and json.loads(moved.content)["number"] == 2
    assert json.loads(ask(client, PATHS[2]).content)["labels"] == []
    assert json.loads(ask(client, f"{BASE}/versions/2").content)["labels"] == ["staging"]
    PromptVersion.objects.filter(pk=second.pk).update(deleted_at=timezone.now())
    assert ask(client) is None
    assert json.loads(ask(client, PATHS[1]).content)["number"] == 1
    Prompt.objects.update(deleted_at=timezone.now())
    assert ask(client, PATHS[1]) is None


def test_everything_else_is_left_to_the_ordinary_door(prompt, cast, api):
    client = api(cast.victor)
    for path in (BASE, f"{BASE}/labels", f"{BASE}/labels/none", f"{BASE}/versions/0", f"{BASE}/versions/999999999",
                 f"{PATHS[0]}/history", f"{PATHS[0]}?x=1", "/api/v1/prompts/acme/none/labels/staging", "/prompts/acme/x"):  # fmt: skip
        assert ask(client, path) is None, path
    assert ask(client, method="post") is None and ask(client, method="head") is None
    for wrong in (None, "Bearer x", "Bearer cs_a_b", f"Bearer {client.key}x", f"Bearer {client.key[:-1]}"):
        assert ask(client, authorization=wrong) is None


def test_what_was_revoked_holds_at_the_next_fetch(prompt, cast, api, actor):
    admin = actor(cast.admin)
    assert ask(api(cast.mallory)) is None and ask(api(cast.victor, scopes=["invoke"])) is None
    row, _ = grant(user=cast.mallory, role="viewer", on=cast.team, prefix="supp", by=admin)
    client = api(cast.mallory)
    assert ask(client).status_code == 200
    Grant.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(hours=1))
    assert ask(client) is None
    grant_role(user=cast.mallory, role=Role.VIEWER, on=prompt, by=admin)
    assert ask(client).status_code == 200
    revoke_key(key=ApiKey.objects.filter(user=cast.mallory).latest("id"), by=Actor(cast.mallory))
    assert ask(client) is None
    client = api(cast.victor, networks=["192.0.2.0/24"])
    assert ask(client) is None
    ApiKey.objects.update(networks=[])
    assert ask(client).status_code == 200
    KeyAddress.objects.all().delete()
    assert ask(client) is None


def test_an_erased_author_is_not_shown_from_memory(prompt, cast, api):
    client = api(cast.victor)
    assert json.loads(ask(client).content)["created_by"] == "alice@example.com"
    type(cast.alice).objects.filter(pk=cast.alice.pk).update(email="erased-1@example.invalid")
    assert json.loads(ask(client).content)["created_by"] == "erased-1@example.invalid"


def test_answers_in_memory_are_bounded():
    kept = hot.Kept(800)
    for number in range(50):
        kept.put((number, "", "", None, False), b"x" * 100)
    assert kept._size <= 800 and kept.get((49, "", "", None, False)) and kept.get((0, "", "", None, False)) is None
    kept.put((99, "", "", None, False), b"x" * 101)  # one that is large would push out all others
    assert kept.get((99, "", "", None, False)) is None


def test_fetches_are_counted_by_version_consumer_key_label_and_day(prompt, cast, api):
    client = api(cast.victor)
    etag = ask(client)["ETag"]
    ask(client, **{"if-none-match": etag})  # a 304 is a fetch
    ask(client, PATHS[2])
    client.get(PATHS[0])
    assert uses.flush() == 2
    assert uses.flush() == 0
    rows = {(use.label, use.fetches) for use in PromptUse.objects.all()}
    assert rows == {("staging", 3), ("", 1)}
    use = PromptUse.objects.get(label="staging")
    assert (use.consumer, use.key_id, use.version.number) == (cast.victor, client.key.split("_")[1], 1)
    assert use.day == timezone.now().date() and timezone.now() - use.last_at < timedelta(minutes=1)
    ask(client)
    uses.flush()
    use.refresh_from_db()
    assert use.fetches == 4


def test_counts_of_what_is_gone_are_dropped_and_the_rest_is_written(prompt, cast):
    other = create_user(email="x@example.com", name="X", password="kfzx-47-quiet-hills", by=Actor(cast.admin))
    version = prompt.versions.get()
    uses.note(version.pk, other.pk, "k", "production")
    uses.note(10**9, other.pk, "k", "production")
    uses.flush()
    assert PromptUse.objects.get().fetches == 1


def test_counts_wait_while_the_database_is_away(prompt, cast, monkeypatch):
    version = prompt.versions.get()
    uses.note(version.pk, cast.victor.pk)
    with monkeypatch.context() as patch:
        patch.setattr(uses, "_ADD", "SELECT no_such_function(%s, %s, %s, %s, %s, %s, %s)")
        assert uses.flush() == 0
    uses.note(version.pk, cast.victor.pk)
    assert uses.flush() == 1
    assert PromptUse.objects.get().fetches == 2


def test_a_resolved_version_comes_with_what_it_includes(prompt, cast, api, actor, django_assert_num_queries):
    client, by = api(cast.victor), actor(cast.alice)
    plain = ask(client, f"{PATHS[0]}?resolve=1")
    assert json.loads(plain.content)["included"] == {} and plain.content == client.get(f"{PATHS[0]}?resolve=1").content
    outer = actions.create_prompt(team=cast.team, name="outer", by=by)
    text = "{% include 'support/first reply é@staging' %}!"
    actions.create_version(prompt=outer, type="text", template=text, by=by)
    address = "/api/v1/prompts/acme/outer/labels/latest?resolve=1"
    assert ask(client, address) is None
    found = client.get(address).json()
    assert found["includes"] == {"support/first reply é@staging": "acme/support/first reply é:1"}
    assert found["included"]["acme/support/first reply é:1"]["template"] == "Hello {{ name }} 👋"
    assert "included" not in json.loads(ask(client, address.partition("?")[0]).content)
    etag = client.get(address)["ETag"]
    second = actions.create_version(prompt=prompt, type="text", template="Hi", by=by)
    actions.move_label(prompt=prompt, label="staging", version=second, by=by)
    assert client.get(address, headers={"if-none-match": etag}).status_code == 200
    assert client.get(f"{PATHS[0]}?resolve=x").status_code == 400


@pytest.mark.django_db(transaction=True)
def test_a_read_borrows_a_connection_of_the_pool_and_gives_it_back(prompt, cast, api):
    from django.db import connection

    client = api(cast.victor)
    expected = client.get(PATHS[0]).content
    ApiKey.objects.update(last_used_at=timezone.now())
    connection.close()
    for path in (*PATHS, f"{BASE}/labels/none") * 10:  # more often than the pool has connections
        request = RequestFactory().get(path, headers={"authorization": f"Bearer {client.key}"})
        found = hot.answer(request)
        connection.close()  # the text of a version that is read for the first time comes by the ORM
        assert (found is None) == path.endswith("none")
    assert (
        hot.answer(RequestFactory().get(PATHS[0], headers={"authorization": f"Bearer {client.key}"})).content
        == expected
    )
    assert connection.connection is None
