"""The quick way to prompts for MLflow's clients: one statement each, the bytes of the ordinary answer, and no way around anything."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.access import Actor
from accounts.actions import create_team, grant, grant_role, revoke_key
from accounts.models import ApiKey, Grant
from accounts.roles import Role
from doors.mlflow import hot_prompts as hot
from prompts import actions, uses
from prompts.models import Prompt, PromptUse, PromptVersion

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nothing_kept")]
API = "/api/2.0/mlflow/"
NAME = "support/first reply é 你好"
GET, ALIAS, NUMBER = (
    f"{API}{path}" for path in ("registered-models/get", "registered-models/alias", "model-versions/get")
)


@pytest.fixture
def prompt(cast):
    by = Actor(cast.alice)
    made = actions.create_prompt(team=cast.team, name=NAME, description="What é does", by=by)
    schema = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
    first = actions.create_version(
        prompt=made, type="text", format="mustache", template="Hi {{x}} 👋", parameters={"b": 1, "a": [2]}, model="m",
        response_format=schema, message="why", by=by,
    )  # fmt: skip
    actions.create_version(prompt=made, type="text", format="jinja2", template="Hello {{ x|upper }}", by=by)
    chat = [
        {"role": "system", "content": "é"},
        {"type": "placeholder", "name": "h"},
        {"role": "user", "content": "{{q}}"},
    ]
    talk = actions.create_prompt(team=cast.team, name="talk", by=by)
    actions.create_version(prompt=talk, type="chat", format="mustache", template=chat, by=by)
    for label in ("staging", "eu", "b"):
        actions.move_label(prompt=made, label=label, version=first, by=by)
    for key, value in (("word", ""), ("k", "v é")):
        actions.set_tag(prompt=made, key=key, value=value, by=by)
        actions.set_tag(version=first, key=key, value=value, by=by)
    hot.known.add(NAME)
    hot.known.add("talk")
    return made


@pytest.fixture
def ml(cast, api):
    return api(cast.victor, team=cast.team)


def test_the_same_bytes_and_headers_by_one_statement(ml, prompt, both, django_assert_num_queries):
    questions = [
        (GET, {"name": NAME}), (GET, {"name": "talk"}), (ALIAS, {"name": NAME, "alias": "STAGING"}),
        (ALIAS, {"name": NAME, "alias": "latest"}), (NUMBER, {"name": NAME, "version": "1"}), (NUMBER, {"name": NAME, "version": "2"}),
        (NUMBER, {"name": "talk", "version": "01"}),
    ]  # fmt: skip
    for moment in ("2026-01-02T03:04:05.123Z", "2026-01-02T03:04:05.999999Z", "2031-07-08T09:10:11.001001Z"):
        Prompt.objects.update(created_at=moment, updated_at=moment)
        quick, slow = both(hot, ml, GET, {"name": NAME})
        assert quick.content == slow.content
    for address, fields in questions:
        for _ in range(2):  # made, and from memory
            quick, slow = both(hot, ml, address, fields)
            assert quick is not None, (address, fields)
            assert (quick.status_code, quick.content) == (slow.status_code, slow.content) == (200, quick.content)
            assert {k: v for k, v in slow.headers.items() if k != "X-Request-Id"} == dict(quick.headers)
        with django_assert_num_queries(0):  # its one statement goes past Django's cursor
            assert ml.get(address, fields).content == slow.content
    for workspace, status in (("acme", 200), ("default", 200), ("other", 403)):
        quick, slow = both(hot, ml, GET, {"name": NAME}, **{"x-mlflow-workspace": workspace})
        assert (quick is not None) == (slow.status_code == 200) and slow.status_code == status


def test_a_moved_label_and_a_tag_show_at_once(ml, prompt, both, cast):
    by = Actor(cast.alice)

    def same(address=ALIAS, **fields):
        quick, slow = both(hot, ml, address, {"name": NAME, **fields})
        assert quick.content == slow.content
        return ml.get(address, {"name": NAME, **fields}).json().get("model_version")

    assert same(alias="staging")["aliases"] == ["b", "eu", "staging"]
    second = prompt.versions.get(number=2)
    actions.move_label(prompt=prompt, label="staging", version=second, by=by)
    assert (same(alias="staging")["version"], same(NUMBER, version="1")["aliases"]) == ("2", ["b", "eu"])
    actions.set_tag(version=second, key="checked", value="yes", by=by)
    assert {"key": "checked", "value": "yes"} in same(alias="staging")["tags"]
    same(GET)
    actions.remove_label(prompt=prompt, label="staging", by=by)
    same(GET)
    assert "aliases" not in same(NUMBER, version="2")


def test_what_includes_others_and_what_is_odd_is_the_views(ml, prompt, both, cast):
    outer = actions.create_prompt(team=cast.team, name="outer", by=Actor(cast.alice))
    text = "{{> " + NAME + "@eu}}!"
    actions.create_version(prompt=outer, type="text", format="mustache", template=text, by=Actor(cast.alice))
    hot.known.add("outer")
    quick, slow = both(hot, ml, ALIAS, {"name": "outer", "alias": "latest"})
    assert (
        quick is None and {"key": "mlflow.prompt.text", "value": "Hi {{x}} 👋!"} in slow.json()["model_version"]["tags"]
    )
    for address, fields, status in [
        (ALIAS, {"name": NAME, "alias": "none"}, 400), (ALIAS, {"name": NAME}, 400), (NUMBER, {"name": NAME, "version": "9"}, 404),
        (NUMBER, {"name": NAME, "version": "x"}, 400), (NUMBER, {"name": NAME, "version": "0"}, 404), (GET, {"name": ""}, 400),
        (GET, {"name": "none"}, 404), (NUMBER, {"name": NAME, "version": "9" * 15}, 404),
    ]:  # fmt: skip
        hot.known.add(fields["name"])
        quick, slow = both(hot, ml, address, fields)
        assert quick is None and slow.status_code == status, fields


def test_where_there_is_a_model_of_the_name_it_comes_first(ml, prompt, both, cast, api):
    alice = api(cast.alice, team=cast.team)
    made = alice.post(f"{API}registered-models/create", {"name": "both"})
    actions.create_prompt(team=cast.team, name="both", by=Actor(cast.alice))
    actions.create_version(prompt=Prompt.objects.get(name="both"), type="text", template="x", by=Actor(cast.alice))
    hot.known.add("both")
    for address, fields in ((GET, {}), (ALIAS, {"alias": "latest"}), (NUMBER, {"version": "1"})):
        quick, _ = both(hot, ml, address, {"name": "both", **fields})
        assert quick is None
    assert made.status_code == 200 and "tags" not in ml.get(GET, {"name": "both"}).json()["registered_model"]


def test_a_name_is_known_after_its_first_read(ml, prompt, django_assert_num_queries):
    hot.known._names.clear()
    first = ml.get(NUMBER, {"name": NAME, "version": "1"})
    assert first.status_code == 200 and NAME in hot.known
    ml.get(NUMBER, {"name": NAME, "version": "1"})
    with django_assert_num_queries(0):
        assert ml.get(NUMBER, {"name": NAME, "version": "1"}).content == first.content
    few = hot.Names(2)
    for name in "abc":
        few.add(name)
    assert [name for name in "abc" if name in few] == ["b", "c"]


def test_nobody_gets_more_by_it(ml, prompt, both, cast, api):
    admin = Actor(cast.admin)

    def quick(client, **headers):
        for address, fields in ((GET, {}), (NUMBER, {"version": "1"}), (ALIAS, {"alias": "eu"})):
            found, slow = both(hot, client, address, {"name": NAME, **fields}, **headers)
            assert (found is not None) == (slow.status_code == 200), slow.content
        return slow.status_code

    other = create_team(name="other", title="Other", by=admin)
    grant_role(user=cast.mallory, role=Role.CONTRIBUTOR, on=other, by=admin)
    assert quick(ml) == 200
    assert quick(api(cast.mallory, team=other)) == 404
    assert quick(api(cast.victor, team=cast.team, scopes=["invoke"])) == 404
    assert quick(ml, authorization="Bearer x") == quick(ml, authorization=f"Bearer {ml.key}x") == 401
    row, _ = grant(user=cast.mallory, role="viewer", on=cast.team, prefix="supp", by=admin)
    narrow = api(cast.mallory, team=cast.team)
    assert quick(narrow) == 200
    Grant.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(hours=1))
    assert quick(narrow) == 404
    assert quick(api(cast.victor, team=cast.team, networks=["192.0.2.0/24"])) == 403
    key = ApiKey.objects.filter(key_id=ml.key.split("_")[1])
    key.update(expires_at=timezone.now() - timedelta(hours=1))
    assert quick(ml) == 401
    key.update(expires_at=None)
    assert quick(ml) == 200
    revoke_key(key=key.get(), by=Actor(cast.victor))
    assert quick(ml) == 401


def test_gone_and_archived(ml, prompt, both, cast):
    actions.archive_prompt(prompt=prompt, by=Actor(cast.alice))
    quick, slow = both(hot, ml, ALIAS, {"name": NAME, "alias": "eu"})
    assert slow.status_code == 200 and quick.content == slow.content
    PromptVersion.objects.filter(number=1).update(deleted_at=timezone.now())
    quick, slow = both(hot, ml, NUMBER, {"name": NAME, "version": "1"})
    assert quick is None and slow.status_code == 404
    Prompt.objects.update(deleted_at=timezone.now())
    quick, slow = both(hot, ml, GET, {"name": NAME})
    assert quick is None and slow.status_code == 404


def test_each_fetch_counts_once(ml, prompt, cast, api):
    for address, fields in (
        (GET, {}), (ALIAS, {"alias": "eu"}), (ALIAS, {"alias": "EU"}), (NUMBER, {"version": "1"}), (NUMBER, {"version": "99"}),
        (f"{API}registered-models/get-latest-versions", {}),
    ):  # fmt: skip
        ml.get(address, {"name": NAME, **fields})
    native = api(cast.victor)
    for path, body in (
        ("versions/1/render", {}),
        ("render", {"label": "eu"}),
        ("render", {"label": "eu", "version": 2}),
    ):
        answer = native.post(f"/api/v1/prompts/acme/{NAME}/{path}", {"variables": {"x": "y"}, **body})
        assert answer.status_code == 200
    native.post(f"/api/v1/prompts/acme/{NAME}/render", {"label": "eu"})  # without its variable: refused
    uses.flush()
    rows = {
        (use.version.number, use.label, use.fetches) for use in PromptUse.objects.filter(key_id=ml.key.split("_")[1])
    }
    assert rows == {(1, "eu", 2), (1, "", 1), (2, "latest", 1)}
    rows = {
        (use.version.number, use.label, use.fetches)
        for use in PromptUse.objects.filter(key_id=native.key.split("_")[1])
    }
    assert rows == {(1, "eu", 1), (1, "", 1), (2, "", 1)}
