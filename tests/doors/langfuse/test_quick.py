"""The quick way to prompts for Langfuse's SDKs: one statement, the bytes of the ordinary answer, and no way around anything."""

import base64
from datetime import timedelta

import pytest
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import doors.langfuse.hot
from accounts.access import Actor
from accounts.actions import create_team, grant, grant_role, revoke_key
from accounts.models import ApiKey, Grant, KeyAddress
from accounts.roles import Role
from prompts import actions, uses
from prompts.models import Prompt, PromptUse, PromptVersion

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nothing_kept")]
V2 = "/api/public/v2/prompts"
NAME = "support/first reply é 你好"
HOT = doors.langfuse.hot


@pytest.fixture
def prompt(cast):
    by = Actor(cast.alice)
    made = actions.create_prompt(team=cast.team, name=NAME, by=by)
    first = actions.create_version(
        prompt=made, type="text", format="mustache", template="Hi {{x}} 👋", parameters={"b": 1, "a": [2]}, model="m",
        message="why", by=by,
    )  # fmt: skip
    actions.create_version(prompt=made, type="text", format="jinja2", template="Hello {{ x|upper }}", by=by)
    chat = [
        {"role": "system", "content": "é"},
        {"type": "placeholder", "name": "h"},
        {"role": "user", "content": "{{q}}"},
    ]
    talk = actions.create_prompt(team=cast.team, name="talk", by=by)
    actions.create_version(prompt=talk, type="chat", format="mustache", template=chat, by=by)
    actions.create_version(prompt=made, type="text", format="mustache", template="third", by=by)
    actions.create_branch(prompt=made, name="other", start=first, by=by)
    actions.create_version(prompt=made, type="text", format="mustache", template="on a branch", branch="other", by=by)
    for label in ("staging", "eu", "b"):
        actions.move_label(prompt=made, label=label, version=first, by=by)
    for key, value in (("word", ""), ("alpha", ""), ("k", "v")):
        actions.set_tag(prompt=made, key=key, value=value, by=by)
    return made


@pytest.fixture
def lf(cast, api):
    return api(cast.victor, team=cast.team)


def test_the_same_bytes_and_headers_by_one_statement(lf, prompt, both, django_assert_num_queries):
    addresses = [
        f"{V2}/{NAME}?label=staging", f"{V2}/{NAME}?label=latest", f"{V2}/{NAME}?version=1", f"{V2}/{NAME}?version=2",
        f"{V2}/{NAME}?version=3&resolve=false", f"{V2}/{NAME}?version=4&resolve=TRUE", f"{V2}/{NAME}?label=eu&other=1",
        f"/api/public/prompts?name={NAME}&label=b", f"{V2}/talk?label=latest",
    ]  # fmt: skip
    for address in addresses:
        for _ in range(2):  # made, and from memory
            quick, slow = both(HOT, lf, address)
            assert quick is not None, address
            assert (quick.status_code, quick.content) == (slow.status_code, slow.content) == (200, quick.content), (
                address
            )
            assert {k: v for k, v in slow.headers.items() if k != "X-Request-Id"} == dict(quick.headers)
        with django_assert_num_queries(0):  # its one statement goes past Django's cursor
            assert lf.get(address).content == slow.content


def test_a_moved_label_a_tag_and_a_new_version_show_at_once(lf, prompt, both, cast):
    by = Actor(cast.alice)

    def same(address=f"{V2}/{NAME}?label=staging"):
        quick, slow = both(HOT, lf, address)
        assert quick.content == slow.content
        return lf.get(address).json()

    assert same()["labels"] == ["b", "eu", "staging"]
    versions = {version.number: version for version in prompt.versions.all()}
    actions.move_label(prompt=prompt, label="staging", version=versions[3], by=by)
    moved = same()
    assert moved["version"] == 3 and moved["labels"] == ["staging", "latest"]
    before = moved["updatedAt"]
    actions.move_label(prompt=prompt, label="eu", version=versions[3], by=by)
    assert same()["labels"] == ["eu", "staging", "latest"] and same()["updatedAt"] >= before
    actions.set_tag(prompt=prompt, key="new", value="", by=by)
    assert same()["tags"] == ["alpha", "new", "word"]
    actions.create_version(prompt=prompt, type="text", format="mustache", template="newer", by=by)
    assert same()["labels"] == ["eu", "staging"] and same(f"{V2}/{NAME}?label=latest")["version"] == 5
    type(cast.alice).objects.filter(pk=cast.alice.pk).update(email="erased-1@example.invalid")
    assert same()["createdBy"] == "erased-1@example.invalid"


def test_what_includes_others_and_what_is_odd_is_the_views(lf, prompt, both, cast):
    by = Actor(cast.alice)
    outer = actions.create_prompt(team=cast.team, name="outer", by=by)
    actions.create_version(prompt=outer, type="text", format="mustache", template="{{> " + NAME + "@eu}}!", by=by)
    quick, slow = both(HOT, lf, f"{V2}/outer?label=latest")
    assert quick is None and slow.json()["prompt"] == "Hi {{x}} 👋!"
    quick, slow = both(HOT, lf, f"{V2}/outer?label=latest&resolve=false")
    assert quick.content == slow.content and b"@@@langfusePrompt:name=" in quick.content
    for query, status in [
        ("", 404), ("?label=none", 404), ("?version=99", 404), ("?version=0", 400), ("?version=x", 400), ("?version=01", 200),
        ("?version=1&label=eu", 400), (f"?version={'9' * 40}", 400), ("?version=1&resolve=x", 200), ("?label=", 404),
        ("/versions/1?label=eu", 405), ("?version=1" + "&a=1" * 20, 200),
    ]:  # fmt: skip
        quick, slow = both(HOT, lf, f"{V2}/{NAME}{query}")
        assert quick is None and slow.status_code == status, query
    quick, slow = both(HOT, lf, "/api/public/prompts?label=eu")
    assert quick is None and slow.status_code == 400


def test_nobody_gets_more_by_it(prompt, lf, both, cast, api):
    address, admin = f"{V2}/{NAME}?label=staging", Actor(cast.admin)

    def quick(client, **headers):
        found, slow = both(HOT, client, address, **headers)
        assert (found is not None) == (slow.status_code == 200), slow.content
        return slow.status_code

    other = create_team(name="other", title="Other", by=admin)
    grant_role(user=cast.mallory, role=Role.CONTRIBUTOR, on=other, by=admin)
    assert quick(lf) == 200
    assert quick(api(cast.mallory, team=other)) == 404
    assert quick(api(cast.victor, team=cast.team, scopes=["invoke"])) == 404
    assert quick(lf, authorization="Basic eDp5") == quick(lf, authorization=f"Bearer {lf.key}x") == 401
    _, key_id, secret = lf.key.split("_", 2)
    for pair in (f"{key_id}:{lf.key}", f"{key_id}:{secret}"):
        assert quick(lf, authorization="Basic " + base64.b64encode(pair.encode()).decode()) == 200
    row, _ = grant(user=cast.mallory, role="viewer", on=cast.team, prefix="supp", by=admin)
    narrow = api(cast.mallory, team=cast.team)
    assert quick(narrow) == 200
    Grant.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(hours=1))
    assert quick(narrow) == 404
    limited = api(cast.victor, team=cast.team, networks=["192.0.2.0/24"])
    assert quick(limited) == 403
    ApiKey.objects.filter(key_id=key_id).update(expires_at=timezone.now() - timedelta(hours=1))
    assert quick(lf) == 401
    ApiKey.objects.filter(key_id=key_id).update(expires_at=None)
    assert quick(lf) == 200
    revoke_key(key=ApiKey.objects.get(key_id=key_id), by=Actor(cast.victor))
    assert quick(lf) == 401


def test_a_key_of_several_teams_and_a_new_address_go_the_ordinary_way(prompt, lf, both, cast, api):
    several = api(cast.victor)
    found, slow = both(HOT, several, f"{V2}/acme/{NAME}?label=eu")
    assert found is None and slow.status_code == 200
    lf.get(f"{V2}/{NAME}?label=eu")
    KeyAddress.objects.all().delete()
    assert lf.get(f"{V2}/{NAME}?label=eu").status_code == 200 and KeyAddress.objects.count() == 1


def test_gone_and_archived(prompt, lf, both, cast):
    actions.archive_prompt(prompt=prompt, by=Actor(cast.alice))
    found, slow = both(HOT, lf, f"{V2}/{NAME}?label=eu")
    assert slow.status_code == 200 and found.content == slow.content
    PromptVersion.objects.filter(number=1).update(deleted_at=timezone.now())
    for query in ("label=eu", "version=1"):
        found, slow = both(HOT, lf, f"{V2}/{NAME}?{query}")
        assert found is None and slow.status_code == 404
    Prompt.objects.update(deleted_at=timezone.now())
    found, slow = both(HOT, lf, f"{V2}/{NAME}?version=2")
    assert found is None and slow.status_code == 404


def test_each_fetch_counts_once(prompt, lf, cast):
    for query in ("label=staging", "label=staging", "version=1", "label=none"):
        lf.get(f"{V2}/{NAME}?{query}")
    uses.flush()
    rows = {(use.label, use.fetches, use.consumer, use.key_id) for use in PromptUse.objects.select_related("consumer")}
    key = lf.key.split("_")[1]
    assert rows == {("staging", 2, cast.victor, key), ("", 1, cast.victor, key)}


def test_the_first_fetch_of_a_process_costs_one_query_more(prompt, lf):
    from django.db import connection

    lf.get(f"{V2}/{NAME}?label=none")
    with CaptureQueriesContext(connection) as seen:
        assert lf.get(f"{V2}/{NAME}?label=eu").status_code == 200
    assert len(seen) == 1
