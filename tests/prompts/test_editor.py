"""The page where versions are written, as a plain form: all of it works without JavaScript."""

import pytest

from accounts.access import Actor
from governance.ledger.models import AuditEvent
from prompts import actions
from prompts.models import Prompt, PromptDraft, PromptVersion

pytestmark = pytest.mark.django_db
URL = "/prompts/acme/greeting/versions/new"
JSON = {"accept": "application/json"}


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


def test_a_prompt_is_made_with_its_first_version_on_one_page(alice):
    assert "?type=chat" in text(alice.get("/prompts/new"))
    body = {
        "name": "support/dates", "description": "d", "type": "text", "template": "a\r\n{{ b }}", "format": "jinja2",
        "parameters": '{"n": 1}', "message": "m", "model": "small", "inputs": '[{"name": "b", "type": "string"}]',
    }  # fmt: skip
    made = alice.post("/prompts/new", body)
    assert made.headers["Location"] == "/prompts/acme/support/dates/versions/1"
    version = PromptVersion.objects.get()
    assert (version.template, version.parameters, version.message) == ("a\n{{ b }}", {"n": 1}, "m")
    assert (version.model, version.inputs[0]["name"], version.prompt.description) == ("small", "b", "d")
    again = text(alice.post("/prompts/new", body), 409)
    assert "This name is taken." in again
    assert "{{ b }}" in again


def test_a_prompt_whose_text_is_wrong_is_not_made_without_one(alice):
    page = text(alice.post("/prompts/new", {"name": "dates", "type": "text", "template": "{{ b"}), 422)
    assert "line 1, column 5" in page
    assert 'value="dates"' in page
    assert not Prompt.objects.exists()


def test_a_version_is_duplicated_into_a_new_prompt(alice, greeting):
    page = text(alice.get("/prompts/new?copy=acme/greeting:1"))
    assert 'value="greeting copy"' in page
    assert "Hi {{ name }}" in page
    text(alice.get("/prompts/new?copy=acme/greeting:9"), 404)
    assert 'value="support/"' in text(alice.get("/prompts/new?folder=support"))


def test_a_chat_is_written_without_javascript(alice, cast):
    actions.create_prompt(team=cast.team, name="greeting", by=Actor(cast.alice))
    body = {"type": "chat", "role": ["system", "user"], "content": ["Be brief.", "{{ a }}"], "rest": ["", ""]}
    page = text(alice.post(URL, {**body, "op": "add"}))
    assert page.count('name="content"') == 3
    assert "<option selected>assistant</option>" in page
    assert "<option selected>placeholder</option>" in text(alice.post(URL, {**body, "op": "add-placeholder"}))
    assert text(alice.post(URL, {**body, "op": "remove-0"})).count('name="content"') == 1
    assert text(alice.post(URL, {**body, "op": "remove-7"})).count('name="content"') == 2
    moved = text(alice.post(URL, {**body, "op": "up-1"}))
    assert moved.index("{{ a }}") < moved.index("Be brief.")
    assert not PromptVersion.objects.exists()
    assert alice.post(URL, body).status_code == 302
    assert PromptVersion.objects.get().template[0] == {"role": "system", "content": "Be brief."}


def test_the_editor_starts_from_the_latest_and_says_where_it_is_wrong(alice, greeting):
    assert "Hello {{ name }}" in text(alice.get(URL))
    assert "Hi {{ name }}" in text(alice.get(f"{URL}?from=1"))
    page = text(alice.post(URL, {"template": "a\n{{ b", "message": "kept"}), 422)
    assert "line 2, column 5" in page
    assert "kept" in page
    page = text(alice.post(URL, {"template": "a", "parameters": "{", "tools": "{}"}), 422)
    assert "line 1, column 2" in page
    assert "Write a JSON list of functions." in page
    assert greeting.versions.count() == 2


def test_what_a_message_holds_besides_stays_when_it_is_edited(alice, cast):
    prompt = actions.create_prompt(team=cast.team, name="greeting", by=Actor(cast.alice))
    posted = {
        "type": "chat", "role": ["user", "placeholder"], "content": ['[{"type": "text", "text": "a"}]', "history"],
        "rest": ['{"name": "ann", "$json": true}', ""],
    }  # fmt: skip
    page = text(alice.post(URL, {**posted, "op": "add"}))
    assert "&quot;$json&quot;: true" in page
    answer = alice.post(URL, posted)
    if answer.status_code == 302:
        content = [{"type": "text", "text": "a"}]
        assert prompt.versions.get().template[0] == {"role": "user", "content": content, "name": "ann"}
        assert prompt.versions.get().template[1] == {"type": "placeholder", "name": "history"}
    broken = text(alice.post(URL, {**posted, "content": ["[{", "history"]}), 422)
    assert "This is not JSON" in broken


def test_the_draft_opens_and_goes_with_the_version_that_it_becomes(alice, cast, greeting):
    content = {"type": "text", "template": "Draft {{ na", "parameters": '{"half', "values": {"name": "Ann"}}
    actions.save_draft(prompt=greeting, content=content, revision=0, by=Actor(cast.alice))
    page = text(alice.get(URL))
    assert "Draft {{ na" in page
    assert "Draft from" in page
    assert "Draft {{ na" not in text(alice.get(f"{URL}?from=2"))
    saved = alice.post(URL, {"template": "Draft {{ name }}", "head": "2"})
    assert saved.headers["Location"] == "/prompts/acme/greeting/versions/3"
    assert not PromptDraft.objects.exists()
    actions.save_draft(prompt=greeting, content=content, revision=0, by=Actor(cast.alice))
    assert alice.post(URL, {"op": "discard"}).status_code == 302
    assert not PromptDraft.objects.exists()


def test_a_version_that_somebody_else_saved_meanwhile_is_said_first(alice, cast, greeting):
    body = {"template": "Mine {{ name }}", "head": "1"}
    answer = alice.post(URL, body, headers=JSON)
    assert answer.status_code == 409
    assert answer.json()["code"] == "head_moved"
    assert "version 2" in answer.json()["detail"]
    assert answer.json()["head"] == 2
    assert greeting.versions.count() == 2
    saved = alice.post(URL, {**body, "head": "2"}, headers=JSON)
    assert saved.json() == {"url": "/prompts/acme/greeting/versions/3", "number": 3}


def test_problems_come_as_json_to_the_editor(alice, greeting):
    answer = alice.post(URL, {"template": "{{ b", "head": "2"}, headers=JSON)
    assert answer.status_code == 400
    assert "line 1, column 5" in answer.json()["errors"]["template"][0]


def test_the_difference_is_shown_before_saving(alice, greeting):
    url = "/prompts/acme/greeting/versions/difference"
    page = text(alice.post(url, {"template": "Good day {{ name }}", "parameters": '{"temperature": 1}'}))
    assert "Difference to version 2" in page
    assert "<ins>Good day</ins>" in page
    assert "Model parameters" in page
    same = {"template": "Hello {{ name }}", "parameters": '{"temperature": 0}'}
    assert "Nothing differs from version 2" in text(alice.post(url, same))
    assert "not JSON" in text(alice.post(url, {"template": "a", "parameters": "{"}))
    assert greeting.versions.count() == 2


def test_opening_the_editor_changes_nothing_and_costs_the_same_with_many_versions(
    alice, cast, greeting, django_assert_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    alice.get(URL)
    before = AuditEvent.objects.count()
    with CaptureQueriesContext(connection) as few:
        text(alice.get(URL))
    assert AuditEvent.objects.count() == before
    for number in range(5):
        actions.create_version(prompt=greeting, type="text", template=f"{number}", by=Actor(cast.alice))
    with django_assert_num_queries(len(few)):
        text(alice.get(URL))


def test_the_version_page_leads_to_a_duplicate(alice, greeting):
    assert "/prompts/new?copy=acme%2Fgreeting:1" in text(alice.get("/prompts/acme/greeting/versions/1"))
    assert "Hi {{ name }}" in text(alice.get("/prompts/new?copy=acme%2Fgreeting:1"))


def test_a_draft_is_found_again_on_the_prompt_and_at_home(alice, cast, client_of, greeting):
    actions.save_draft(prompt=greeting, content={"template": "x"}, revision=0, by=Actor(cast.alice))
    for page in ("/prompts/acme/greeting", "/"):
        assert "/prompts/acme/greeting/versions/new" in text(alice.get(page)).partition("<main")[2]
    assert "Your draft" not in text(client_of(cast.admin).get("/prompts/acme/greeting"))
    assert "Your drafts" not in text(client_of(cast.admin).get("/"))


def test_a_version_begins_a_branch(alice, greeting):
    body = {"template": "Branched {{ name }}", "base": "1", "head": "2", "new_branch": "tone"}
    assert alice.post(URL, body, headers=JSON).json()["number"] == 3
    version = greeting.versions.get(number=3)
    assert (version.branch, version.parent.number) == ("tone", 1)
    assert "Branched" in text(alice.get(f"{URL}?branch=tone"))
    taken = alice.post(URL, body, headers=JSON)
    assert taken.status_code == 409
    assert list(taken.json()["errors"]) == ["new_branch"]
