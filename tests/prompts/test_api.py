"""The native REST door."""

import pytest

from accounts.access import Actor
from governance.models import ApprovalRequest
from prompts import actions
from prompts.models import Prompt

BASE = "/api/v1/prompts"


@pytest.fixture
def alice(cast, api):
    return api(cast.alice)


@pytest.fixture
def greeting(alice):
    made = alice.post(BASE, {"team": "acme", "name": "greeting", "description": "Says hello"})
    assert made.status_code == 201, made.content
    for template in ("Hi {{ name }}", "Hello {{ name }}"):
        body = {"type": "text", "template": template, "parameters": {"temperature": 0}, "message": "m"}
        assert alice.post(f"{BASE}/acme/greeting/versions", body).status_code == 201
    return f"{BASE}/acme/greeting"


def test_the_life_of_a_prompt(alice, greeting):
    shown = alice.get(greeting).json()
    assert (shown["latest_version"], shown["labels"], shown["url"]) == (2, {}, "/prompts/acme/greeting")
    assert alice.patch(greeting, {"description": "x"}, content_type="application/json").json()["description"] == "x"
    assert [row["number"] for row in alice.get(f"{greeting}/versions").json()["results"]] == [2, 1]
    version = alice.get(f"{greeting}/versions/1").json()
    assert (version["template"], version["variables"], version["labels"]) == ("Hi {{ name }}", ["name"], [])
    moved = alice.put(f"{greeting}/labels/staging", {"version": 1, "reason": "try"}, content_type="application/json")
    assert moved.json()["version"] == 1
    assert alice.get(f"{greeting}/labels").json()["results"][0]["label"] == "staging"
    rendered = alice.post(f"{greeting}/versions/1/render", {"variables": {"name": "Ann"}}).json()
    assert (rendered["rendered"], rendered["parameters"]) == ("Hi Ann", {"temperature": 0})
    difference = alice.get(f"{greeting}/diff?from=1&to=2").json()
    assert [(p["op"], p["text"]) for p in difference["messages"][0]["pieces"]][:2] == [
        ("delete", "Hi"),
        ("insert", "Hello"),
    ]
    assert difference["same"] is False
    assert alice.delete(f"{greeting}/labels/staging").status_code == 204
    history = alice.get(f"{greeting}/labels/staging/history").json()["results"]
    assert [(row["before"], row["after"]) for row in history] == [(1, None), (None, 1)]


def test_a_template_that_looks_like_json_stays_text(alice, greeting):
    made = alice.post(f"{greeting}/versions", {"type": "text", "template": "[1, 2]"})
    assert made.json()["template"] == "[1, 2]"


def test_a_label_has_an_etag(alice, greeting):
    first = alice.get(f"{greeting}/labels/latest")
    assert first.json()["number"] == 2
    again = alice.get(f"{greeting}/labels/latest", headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    alice.post(f"{greeting}/versions", {"type": "text", "template": "third"})
    assert alice.get(f"{greeting}/labels/latest", headers={"if-none-match": first["ETag"]}).status_code == 200


def problem(response, status):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    return response.json()


def test_errors_name_the_field_and_change_nothing(alice, greeting):
    versions = f"{greeting}/versions"
    error = problem(alice.post(versions, {"type": "text", "template": "a\n{{ b"}), 400)
    assert error["errors"]["template"][0].startswith("line 2, column 5")
    chat = [{"role": "user", "content": "{% if %}"}]
    assert "type" in problem(alice.post(versions, {"type": "poem", "template": chat}), 400)["errors"]
    assert "template" in problem(alice.post(versions, {"type": "text"}), 400)["errors"]
    assert (
        "parameters"
        in problem(alice.post(versions, {"type": "text", "template": "a", "parameters": [1]}), 400)["errors"]
    )
    render = f"{versions}/1/render"
    assert "variables.name" in problem(alice.post(render, {"variables": {}}), 400)["errors"]
    assert "variables.x" in problem(alice.post(render, {"variables": {"name": "a", "x": 1}}), 400)["errors"]
    put = {"content_type": "application/json"}
    assert "version" in problem(alice.put(f"{greeting}/labels/staging", {"version": 9}, **put), 400)["errors"]
    assert "label" in problem(alice.put(f"{greeting}/labels/latest", {"version": 1}, **put), 400)["errors"]
    asked = problem(alice.put(f"{greeting}/labels/production", {"version": 1}, **put), 403)["link"]
    assert asked == f"/requests/{ApprovalRequest.objects.get().pk}"
    assert problem(alice.put(f"{greeting}/labels/production", {"version": 1}, **put), 403)["link"] == asked
    assert "name" in problem(alice.post(BASE, {"team": "acme", "name": "greeting"}), 409)["errors"]
    assert "from" in problem(alice.get(f"{greeting}/diff?to=1"), 400)["errors"]
    problem(alice.post(BASE, "{", content_type="application/json"), 400)
    problem(alice.get(f"{versions}/9"), 404)
    problem(alice.get(f"{greeting}/labels/nothing"), 404)
    assert alice.get(greeting).json()["latest_version"] == 2


DOORS = [
    ("post", "", {"team": "acme", "name": "other"}),
    ("patch", "/acme/greeting", {"description": "y"}),
    ("post", "/acme/greeting/versions", {"type": "text", "template": "y"}),
    ("put", "/acme/greeting/labels/staging", {"version": 1}),
    ("delete", "/acme/greeting/labels/staging", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), DOORS)
def test_who_may_use_each_door(cast, api, alice, greeting, method, path, body):
    alice.put(f"{greeting}/labels/staging", {"version": 2}, content_type="application/json")

    def status(client):
        return getattr(client, method)(BASE + path, body, content_type="application/json").status_code

    assert status(api(None)) == 401
    assert status(api(cast.mallory)) == 404
    for person in (cast.victor, cast.bob, cast.carol, cast.dana):
        assert status(api(person)) == 403
    assert status(api(cast.alice, scopes=["read"])) == 403
    assert status(alice) in (200, 201, 204)


def test_the_list_costs_the_same_with_one_and_with_many(cast, alice, greeting, django_assert_num_queries):
    with django_assert_num_queries(5) as few:
        alice.get(BASE)
    by = Actor(cast.alice)
    Prompt.objects.bulk_create(
        Prompt(team=cast.team, name=f"p{i}", created_by=cast.alice, updated_by=cast.alice) for i in range(300)
    )
    for name in ("p1", "p2"):
        prompt = Prompt.objects.get(name=name)
        version = actions.create_version(prompt=prompt, type="text", template="x", by=by)
        actions.move_label(prompt=prompt, label="staging", version=version, by=by)
    with django_assert_num_queries(len(few.captured_queries)):
        page = alice.get(BASE).json()
    assert len(page["results"]) == 50
    seen = {row["name"] for row in page["results"]}
    while page["next"]:
        page = alice.get(f"{BASE}?limit=200&cursor={page['next']}").json()
        assert not seen & {row["name"] for row in page["results"]}
        seen |= {row["name"] for row in page["results"]}
    assert len(seen) == 301


def test_openapi_describes_it(client):
    from drf_spectacular.generators import SchemaGenerator

    from prompts import api_urls

    schema = SchemaGenerator(patterns=api_urls.urlpatterns).get_schema(request=None, public=True)
    assert "/prompts/{team}/{name}/labels/{label}" in schema["paths"]
