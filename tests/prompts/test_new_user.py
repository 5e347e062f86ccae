"""What somebody sees of a prompt at first sight: what waits, how it is used, and where its variables are."""

import re
import time

import pytest

from accounts.access import Actor
from home.approvals import open_request
from home.templatetags.ui import template_tags
from prompts import actions, snippets
from prompts.models import Prompt

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
