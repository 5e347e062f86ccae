"""What somebody sees of a prompt at first sight: what waits, how it is used, and where its variables are."""

import re
import time

import pytest

from accounts.access import Actor
from home.approvals import open_request
from home.templatetags.ui import template_tags
from prompts import actions, snippets
from prompts.models import Label, Prompt

pytestmark = pytest.mark.django_db


@pytest.fixture
def greeting(cast):
    by = Actor(cast.alice)
    prompt = actions.create_prompt(team=cast.team, name="support/greeting", by=by)
    actions.create_version(
        prompt=prompt, type="text", template="Hello {{ name }}, {{ n }}{% if x is defined %}!{% endif %}", by=by,
        inputs=[{"name": "name", "type": "string", "example": "Ada's"}, {"name": "n", "type": "integer", "example": 2}],
    )  # fmt: skip
    return prompt


def page(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_prompt_says_what_waits_for_approval(client_of, cast, greeting):
    alice = client_of(cast.alice)
    assert "waits for approval" not in page(alice, greeting.get_absolute_url())
    asked = open_request(
        kind="prompt", asset=str(greeting), version=1, alias="production", reason="Good", by=Actor(cast.alice)
    )
    for address in (greeting.get_absolute_url(), f"{greeting.get_absolute_url()}/labels"):
        shown = page(alice, address)
        assert "waits for approval" in shown
        assert f'href="/requests/{asked.pk}"' in shown
    assert "asked for production" in page(alice, greeting.get_absolute_url())


def test_what_is_pasted_names_a_label_that_is_there(cast, greeting):
    version = greeting.versions.get()
    ways = {way.title: way.code for way in snippets.of(greeting, version, [])}
    assert ways["curl"].endswith("/api/v1/prompts/acme/support/greeting/labels/latest")
    assert "MLflow" not in ways  # whose addresses have no folders
    ways = {way.title: way.code for way in snippets.of(greeting, version, ["production", "staging"])}
    assert 'get("acme/support/greeting", label="production")' in ways["Python"]
    assert """render(n=2, name="Ada's", x='…')""" in ways["Python"]
    assert ways["Command line"].endswith("""acme/support/greeting@production n:=2 'name=Ada'"'"'s' 'x=…'""")


def test_every_snippet_is_on_the_page(client_of, cast, greeting):
    shown = page(client_of(cast.victor), greeting.get_absolute_url())
    assert re.findall(r"<summary>([^<]+)</summary>", shown)[:4] == ["curl", "Python", "Command line", "Langfuse SDK"]
    prompt = Prompt.objects.create(team=cast.team, name="empty", created_by=cast.alice, updated_by=cast.alice)
    assert "Use this prompt" not in page(client_of(cast.victor), prompt.get_absolute_url())


def test_variables_stand_out_and_nothing_of_the_text_is_markup():
    shown = template_tags("<b>{{ name }}</b>{% if a %}{{{ raw }}}{# no #}")
    assert '<span class="template-variable">{{ name }}</span>' in shown
    assert '<span class="template-statement">{% if a %}</span>' in shown
    assert '<span class="template-variable">{{{ raw }}}</span>' in shown
    assert "&lt;b&gt;" in shown
    assert "&lt;script&gt;" in template_tags("{{ '<script>' }}")
    assert template_tags([{"type": "text", "text": "x"}]).startswith("[")


@pytest.mark.parametrize("text", ["{{" * 500_000, "{%" * 500_000, "{{ a " * 200_000, "{#" * 500_000])
def test_a_megabyte_of_braces_is_marked_at_once(text):
    began = time.process_time()
    template_tags(text)
    assert time.process_time() - began < 5


def test_promotion_is_not_offered_for_what_is_in_production(client_of, cast, greeting):
    alice = client_of(cast.alice)
    assert "Request promotion of version 1" in page(alice, greeting.get_absolute_url())
    Label.objects.create(prompt=greeting, name="production", version=greeting.versions.get(), updated_by=cast.alice)
    assert "Request promotion" not in page(alice, greeting.get_absolute_url())
    actions.create_version(prompt=greeting, type="text", template="Hi", by=Actor(cast.alice))
    assert "Request promotion of version 2" in page(alice, greeting.get_absolute_url())


def test_edit_on_a_versions_page_begins_with_that_version(client_of, cast, greeting):
    actions.create_version(prompt=greeting, type="text", template="Hi", by=Actor(cast.alice))
    alice, edit = client_of(cast.alice), f"{greeting.get_absolute_url()}/versions/new"
    assert f'href="{edit}?from=1"' in page(alice, f"{greeting.get_absolute_url()}/versions/1")
    assert f'href="{edit}"' in page(alice, f"{greeting.get_absolute_url()}/versions/2")  # and goes on with a draft


def test_values_to_try_are_there(client_of, cast, greeting):
    actions.create_version(
        prompt=greeting, type="text", template="{{ who }} {{ day }} {{ rows }}", by=Actor(cast.alice),
        inputs=[
            {"name": "who", "type": "string", "example": "Ada"},
            {"name": "day", "type": "string", "default": "Monday", "example": "Friday"},
            {"name": "rows", "type": "array", "example": ["é", 1]},
        ],
    )  # fmt: skip
    shown = page(client_of(cast.victor), f"{greeting.get_absolute_url()}/versions/2")
    fields = {
        name: (rest, text) for name, rest, text in re.findall(r'name="v\.(\w+)"([^>]*)>([^<]*)</textarea>', shown)
    }
    assert fields["who"][1] == "Ada"
    assert fields["day"][1] == ""  # its default is taken
    assert 'placeholder="default: Monday"' in fields["day"][0]
    assert fields["rows"][1] == "[&quot;é&quot;, 1]"


def test_a_conversation_may_be_left_out_and_what_is_wrong_is_named(client_of, cast):
    by = Actor(cast.alice)
    prompt = actions.create_prompt(team=cast.team, name="reply", by=by)
    actions.create_version(
        prompt=prompt, type="chat", by=by,
        template=[{"type": "placeholder", "name": "history"}, {"role": "user", "content": "{{ question }}"}],
        inputs=[{"name": "question", "type": "string", "max_length": 5}],
    )  # fmt: skip
    alice, address = client_of(cast.alice), f"{prompt.get_absolute_url()}/versions/1/render"
    filled = alice.post(
        address, {"v.question": "Why?", "v.history": ""}, headers={"hx-request": "true"}
    ).content.decode()
    assert "Why?" in filled
    assert "alert" not in filled
    wrong = alice.post(address, {"v.question": "Why on earth?", "v.history": "x"}, headers={"hx-request": "true"})
    assert "question: " in wrong.content.decode()
    assert "history: Expected a list of messages" in wrong.content.decode()
