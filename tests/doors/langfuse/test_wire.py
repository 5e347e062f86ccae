"""The Langfuse door on the wire, without the SDK."""

import base64

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.access import Actor
from governance.ledger.models import AuditEvent
from prompts import actions
from prompts.models import Prompt, PromptVersion

pytestmark = pytest.mark.django_db
V2 = "/api/public/v2/prompts"


@pytest.fixture
def lf(cast, api):
    return api(cast.alice, team=cast.team)


def make(lf, name="p", prompt="Hi {{x}}", **fields):
    return lf.post(V2, {"name": name, "prompt": prompt, **fields})


def test_what_comes_back_has_every_field_that_an_sdk_wants(lf, cast):
    made = make(lf, labels=["eu"], tags=["a"], config={"temperature": 0}, commitMessage="why")
    body = lf.get(f"{V2}/p", {"label": "eu"}).json()
    assert made.status_code == 201 and made.json() == body
    assert {key: body[key] for key in ("name", "version", "type", "prompt", "labels", "tags", "config", "commitMessage")} == {
        "name": "p", "version": 1, "type": "text", "prompt": "Hi {{x}}", "labels": ["eu", "latest"], "tags": ["a"],
        "config": {"temperature": 0}, "commitMessage": "why",
    }  # fmt: skip
    assert body["createdBy"] == "alice@example.com" and body["createdAt"].endswith("Z")
    assert lf.get("/api/public/prompts", {"name": "p", "label": "eu"}).json() == body


def test_basic_auth_with_id_and_key_or_secret(lf, client, cast):
    make(lf, labels=["eu"])
    _, key_id, secret = lf.key.split("_", 2)
    for user, password, status in [
        (key_id, lf.key, 200), (key_id, secret, 200), ("csk2", lf.key, 401), (key_id, "x", 401), (key_id, "", 401),
    ]:  # fmt: skip
        header = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        assert client.get(f"{V2}/p?label=eu", headers={"authorization": header}).status_code == status
    answer = client.get(f"{V2}/p")
    assert answer.json()["error"] == "UnauthorizedError" and answer["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    "body",
    [
        {}, {"name": "p"}, {"name": 1, "prompt": "x"}, {"name": "p", "prompt": 1}, {"name": "p", "prompt": "x", "type": "poem"},
        {"name": "p", "prompt": "x", "type": "chat"}, {"name": "p", "prompt": [], "type": "chat"}, {"name": "p", "prompt": ""},
        {"name": "p", "prompt": "x", "labels": "eu"}, {"name": "p", "prompt": "x", "labels": ["UPPER"]},
        {"name": "p", "prompt": "x", "labels": ["latest"]}, {"name": "p", "prompt": "x", "tags": [1]},
        {"name": "p", "prompt": "x", "config": "y"}, {"name": "p", "prompt": "x\0"}, {"name": "p", "prompt": "x", "config": {"a": "\0"}},
        {"name": "versions", "prompt": "x"}, {"name": "a:1", "prompt": "x"}, {"name": "p", "prompt": "x", "commitMessage": 3},
        {"name": "p", "prompt": "x", "tags": ["t" * 300]},
    ],
)  # fmt: skip
def test_bad_input_is_named_and_changes_nothing(lf, body):
    answer = lf.post(V2, body)
    assert answer.status_code == 400 and answer.json()["error"] == "InvalidRequestError" and answer.json()["message"]
    assert not Prompt.objects.exists()


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b'{"name": NaN}', b"[" * 200_000, b'{"name": "\\ud800", "prompt": "x"}', b"\xff"]
)
def test_bodies_that_are_no_json_object(lf, raw):
    answer = lf.generic("POST", V2, raw, content_type="application/json")
    assert answer.status_code == 400 and answer.json()["error"] == "InvalidRequestError"


@pytest.mark.parametrize(
    "query", ["version=0", "version=x", "version=-1", "version=1&label=eu", f"version={'9' * 5000}"]
)
def test_odd_questions_are_answered(lf, query):
    make(lf, labels=["eu"])
    assert lf.get(f"{V2}/p?{query}").status_code == 400


def test_what_is_not_there(lf):
    make(lf)
    for query in ("", "?label=none", "?version=7"):
        answer = lf.get(f"{V2}/p{query}")
        assert answer.status_code == 404 and answer.json()["error"] == "LangfuseNotFoundError"
    assert lf.get("/api/public/scores").status_code == 404
    assert lf.put(V2).status_code == 405 and lf.put(V2)["Allow"] == "GET, POST"
    assert lf.get("/api/public/health").json()["status"] == "OK"


@pytest.mark.parametrize(
    "filter",
    [
        "x", "{}", "[1]", '[{"type":"poem"}]', '[{"type":"string","column":"x","operator":"=","value":"a"}]',
        '[{"type":"string","column":"name","operator":"like","value":"a"}]',
        '[{"type":"string","column":"name","operator":"contains","value":"a\\\\"}]',
        '[{"type":"number","column":"version","operator":"=","value":"1"}]',
        '[{"type":"datetime","column":"createdAt","operator":">","value":"then"}]',
        '[{"type":"arrayOptions","column":"labels","operator":"any of","value":[]}]',
        '[{"type":"stringObject","column":"config","operator":"="}]', '[{"type":["string"]}]',
    ],
)  # fmt: skip
def test_filters_that_cannot_be_read(lf, filter):
    answer = lf.get(V2, {"filter": filter})
    assert answer.status_code == 400 and "filter" in answer.json()["errors"]


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ('{"type":"string","column":"name","operator":"contains","value":"B"}', ["ab", "bc"]),
        ('{"type":"string","column":"name","operator":"does not contain","value":"b"}', ["cd"]),
        ('{"type":"string","column":"name","operator":"starts with","value":"a_"}', ["ab"]),
        ('{"type":"string","column":"name","operator":"=","value":"AB"}', []),
        ('{"type":"stringOptions","column":"name","operator":"none of","value":["ab","bc"]}', ["cd"]),
        ('{"type":"arrayOptions","column":"tags","operator":"all of","value":["t","u"]}', ["bc"]),
        ('{"type":"arrayOptions","column":"labels","operator":"any of","value":["eu"]}', ["cd"]),
        ('{"type":"stringObject","column":"config","key":"kind","operator":"contains","value":"X"}', ["ab"]),
        ('{"type":"stringObject","column":"config","key":"model","operator":"is set","value":""}', ["bc"]),
        ('{"type":"stringObject","column":"config","key":"model","operator":"=","value":"m1"}', ["bc"]),
        ('{"type":"datetime","column":"createdAt","operator":"<","value":"2020-01-01T00:00:00Z"}', []),
    ],
)
def test_filters(lf, filter, found):
    make(lf, "ab", config={"kind": "axe"}, tags=["t"])
    make(lf, "bc", config={"model": "m1"}, tags=["t", "u"])
    make(lf, "cd", labels=["eu"])
    answer = lf.get(V2, {"filter": f"[{filter}]"}).json()
    assert [row["name"] for row in answer["data"]] == found and answer["meta"]["totalItems"] == len(found)


def test_times_narrow_the_list(lf):
    make(lf)
    assert lf.get(V2, {"fromUpdatedAt": "2020-01-01T00:00:00Z"}).json()["meta"]["totalItems"] == 1
    assert lf.get(V2, {"toUpdatedAt": "2020-01-01T00:00:00Z"}).json()["meta"]["totalItems"] == 0
    assert lf.get(V2, {"toUpdatedAt": "soon"}).status_code == 400


def test_a_list_and_a_fetch_cost_the_same_for_many(lf):
    def costs():
        counts = []
        for address in (V2, f"{V2}/a0?label=latest"):
            with CaptureQueriesContext(connection) as seen:
                assert lf.get(address).status_code == 200
            counts.append(len(seen))
        return counts

    make(lf, "a0")
    costs()  # content types and the like are read once
    few = costs()
    for number in range(1, 9):
        make(lf, f"a{number}", labels=["eu"], tags=["x"])
        make(lf, "a0", labels=["eu"], tags=[f"t{number}"])
    costs()  # a new version's text is read once
    assert costs() == few and len(lf.get(V2).json()["data"]) == 9


def test_config_is_given_back_as_it_came_and_told_apart_inside(lf):
    tools = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}]
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    config = {"model": "m", "tools": tools, "response_format": wanted, "temperature": 0.5, "mine": None}
    assert make(lf, config=config).json()["config"] == config
    row = PromptVersion.objects.get()
    assert (row.model, row.tools, row.response_format, row.parameters) == (
        "m",
        tools,
        wanted,
        {"temperature": 0.5, "mine": None},
    )
    odd = {"model": 3, "tools": [{"type": "function", "function": {}}], "response_format": {"type": "json_schema"}}
    assert make(lf, config=odd).json()["config"] == odd


def test_what_the_javascript_sdk_marks_its_messages_with_reaches_no_model(lf, api, cast):
    messages = [
        {"type": "chatmessage", "role": "user", "content": "Hi {{x}}"},
        {"type": "placeholder", "name": "history"},
    ]
    made = make(lf, prompt=messages, type="chat", labels=["eu"])
    assert made.json()["prompt"] == [{"role": "user", "content": "Hi {{x}}"}, messages[1]]
    given = {"variables": {"x": "you"}, "placeholders": {"history": []}}
    rendered = api(cast.alice).post("/api/v1/prompts/acme/p/versions/1/render", given).json()["rendered"]
    assert rendered == [{"role": "user", "content": "Hi you"}]


def test_a_prompt_of_jinja_says_so(lf, cast):
    prompt = actions.create_prompt(team=cast.team, name="j", by=Actor(cast.alice))
    actions.create_version(prompt=prompt, type="text", template="{% if a %}x{% endif %}", by=Actor(cast.alice))
    body = lf.get(f"{V2}/j?label=latest").json()
    assert (body["prompt"], body["templateFormat"]) == ("{% if a %}x{% endif %}", "jinja2")


def test_tags_are_replaced_kept_or_emptied(lf):
    make(lf, tags=["a", "b"])
    assert make(lf).json()["tags"] == ["a", "b"]
    assert make(lf, tags=["b", "c"]).json()["tags"] == ["b", "c"]
    assert make(lf, tags=[]).json()["tags"] == []


def test_one_event_for_one_fact(lf):
    before = AuditEvent.objects.count()
    make(lf, labels=["eu"], tags=["a"])
    told = list(AuditEvent.objects.order_by("id").values_list("action", flat=True))[before:]
    assert told == ["prompt.created", "prompt_version.created", "prompt.tag_set", "label.moved"]
    assert lf.get(f"{V2}/p?label=eu").status_code == 200 and AuditEvent.objects.count() == before + 4
