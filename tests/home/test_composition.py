"""The composition tab, and what a request about a prompt shows of it."""

import pytest

from prompts import actions


@pytest.fixture
def composed(cast, actor):
    by = actor(cast.alice)
    found = {}
    for name, text, label in (
        ("tone", "Be kind.", "staging"),
        ("main", '{% include "tone:1" %}', "staging"),
        ("outer", '{% include "main@production" %}{% include "main@staging" %}', "candidate"),
    ):
        if name == "outer":
            text = '{% include "main@staging" %}'
        prompt = actions.create_prompt(team=cast.team, name=name, by=by)
        found[name] = actions.create_version(prompt=prompt, type="text", template=text, by=by)
        actions.move_label(prompt=prompt, label=label, version=found[name], by=by)
    return found


def test_the_tab_shows_both_directions(composed, cast, client_of, django_assert_max_num_queries):
    client = client_of(cast.victor)
    with django_assert_max_num_queries(45):
        shown = client.get("/prompts/acme/main/graph?label=staging").content.decode()
    assert "/prompts/acme/tone/versions/1" in shown and "/prompts/acme/outer/versions/1" in shown
    assert "Moving staging changes" in shown and "lineage-arrow" in shown
    assert client.get("/prompts/acme/tone/graph").status_code == 200
    assert client_of(cast.mallory).get("/prompts/acme/main/graph").status_code == 404


def test_a_request_shows_what_is_approved_as_a_part(composed, cast, actor, client_of):
    request = actions.request_move(version=composed["main"], slot="production", by=actor(cast.alice))
    shown = client_of(cast.bob).get(f"/requests/{request.pk}").content.decode()
    assert "acme/tone:1" in shown and "never approved for production by itself" in shown


def test_a_move_that_changes_other_prompts_is_confirmed(composed, cast, client_of):
    client, main = client_of(cast.alice), composed["main"].prompt
    asked = client.post("/prompts/acme/main/labels", {"label": "staging", "version": 1, "reason": "go"})
    shown = asked.content.decode()
    assert "changes other prompts" in shown and "/prompts/acme/outer/versions/1" in shown
    assert main.label_moves.count() == 1
    free = client.post("/prompts/acme/main/labels", {"label": "candidate", "version": 1})
    assert free.status_code == 302
    done = client.post("/prompts/acme/main/labels", {"label": "staging", "version": 1, "confirmed": "1"})
    assert done.status_code == 302
