"""The pages, with and without JavaScript."""

import pytest

from accounts.access import Actor
from prompts import actions
from prompts.models import Label, Prompt

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(cast, client_of):
    return client_of(cast.alice)


@pytest.fixture
def greeting(cast):
    by = Actor(cast.alice)
    prompt = actions.create_prompt(team=cast.team, name="greeting", by=by)
    for template in ("Hi {{ name }}", "Hello {{ name }}"):
        actions.create_version(prompt=prompt, type="text", template=template, parameters={"temperature": 0}, by=by)
    return prompt


def text(response, status=200):
    assert response.status_code == status, response.content
    return response.content.decode()


def test_an_empty_list_says_what_it_is_for(alice, cast, client_of):
    assert "/prompts/new" in text(alice.get("/prompts/"))
    assert "New prompt" not in text(client_of(cast.victor).get("/prompts/"))


def test_rendering_with_and_without_javascript(alice, greeting):
    url = "/prompts/acme/greeting/versions/1/render"
    partial = text(alice.post(url, {"v.name": "<Ann>"}, headers={"hx-request": "true"}))
    assert "Hi &lt;Ann&gt;" in partial
    assert "<html" not in partial
    whole = text(alice.post(url, {"v.name": "Ann"}))
    assert "Hi Ann" in whole
    assert "<html" in whole


def test_a_free_label_moves_and_a_protected_one_leads_to_a_request(alice, greeting):
    url = "/prompts/acme/greeting/labels"
    assert alice.post(url, {"label": "staging", "version": 1}).headers["Location"] == "/prompts/acme/greeting"
    assert Label.objects.get().version.number == 1
    there = alice.post(url, {"label": "production", "version": 2}).headers["Location"]
    assert there.startswith("/requests/new?kind=prompt&asset=acme%2Fgreeting&version=2")
    assert "no version 9" in text(alice.post(url, {"label": "staging", "version": 9}), 422)
    assert "latest" in text(alice.post(url, {"label": "latest", "version": 1}), 422)
    assert "v1" in text(alice.get("/prompts/acme/greeting/labels"))
    assert alice.post("/prompts/acme/greeting/labels/staging/remove").status_code == 302
    assert not Label.objects.exists()


def test_the_difference_of_any_two(alice, greeting):
    page = text(alice.get("/prompts/acme/greeting/diff"))
    assert "<del>Hi</del>" in page
    assert "<ins>Hello</ins>" in page
    assert "No difference" in text(alice.get("/prompts/acme/greeting/diff?from=1&to=1"))
    text(alice.get("/prompts/acme/greeting/diff?from=9"), 404)


def test_the_description_is_changed(alice, greeting):
    assert (
        alice.post("/prompts/acme/greeting/edit", {"name": "greeting", "description": "Says hello"}).status_code == 302
    )
    assert "Says hello" in text(alice.get("/prompts/acme/greeting"))


PAGES = [
    "/prompts/acme/greeting",
    "/prompts/acme/greeting/labels",
    "/prompts/acme/greeting/versions/1",
    "/prompts/acme/greeting/diff",
]


@pytest.mark.parametrize("page", PAGES)
def test_who_sees_a_page(cast, client_of, client, greeting, page):
    for person in (cast.alice, cast.bob, cast.carol, cast.dana, cast.victor, cast.admin):
        text(client_of(person).get(page))
    text(client_of(cast.mallory).get(page), 404)
    assert client.get(page).headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("new", {"name": "x", "type": "text", "template": "x"}),
        ("acme/greeting/edit", {"name": "greeting", "description": "x"}),
        ("acme/greeting/versions/new", {"template": "x"}),
        ("acme/greeting/labels", {"label": "staging", "version": 1}),
        ("acme/greeting/labels/staging/remove", {}),
    ],
)
def test_who_may_change(cast, client_of, client, greeting, path, body):
    for person in (cast.bob, cast.carol, cast.dana, cast.victor):
        text(client_of(person).post(f"/prompts/{path}", body), 403)
    text(client_of(cast.mallory).post(f"/prompts/{path}", body), 404)
    assert client.post(f"/prompts/{path}", body).headers["Location"].startswith("/accounts/login/")
    assert greeting.versions.count() == 2


def test_lists_and_pages_cost_the_same_with_many(cast, alice, greeting, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    for page in ("/prompts/", "/prompts/acme/greeting", "/prompts/acme/greeting/versions/1"):
        alice.get(page)
        with CaptureQueriesContext(connection) as few:
            text(alice.get(page))
        Prompt.objects.bulk_create(
            Prompt(team=cast.team, name=f"p{i}-{len(page)}", created_by=cast.alice, updated_by=cast.alice)
            for i in range(60)
        )
        by = Actor(cast.alice)
        for number in range(3):
            version = actions.create_version(prompt=greeting, type="text", template=f"{number} {{{{ name }}}}", by=by)
            actions.move_label(prompt=greeting, label=f"label-{number}", version=version, by=by)
        with django_assert_num_queries(len(few)):
            text(alice.get(page))


def test_the_list_is_searched(alice, cast, greeting):
    assert "greeting" in text(alice.get("/prompts/?q=greet"))
    assert "No prompt matches" in text(alice.get("/prompts/?q=nothing"))
    assert "No prompt matches" in text(alice.get("/prompts/?label=production"))
