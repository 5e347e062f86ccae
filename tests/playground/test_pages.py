"""The pages: a workbench that keeps what was typed, and answers beside each other."""

import pytest
from django.test.utils import CaptureQueriesContext

from playground.models import PlaygroundRun, PlaygroundSession

FORM = {
    "columns": "2", "rows": "1", "name": "greetings", "c0-template": "Say {{ x }}", "c0-model": "acme/echo",
    "c0-max_tokens": "9", "c1-system": "Be kind", "c1-template": "Sing {{ x }}", "c1-model": "acme/echo", "r0-v-x": "hello",
}  # fmt: skip


@pytest.fixture
def alice(play, cast, client_of):
    return client_of(cast.alice)


def test_run_from_the_form_answers_on_the_same_page(play, alice):
    answer = alice.post("/playground/new", {**FORM, "do": "run"})
    session = PlaygroundSession.objects.get()
    assert answer.status_code == 302 and answer["Location"] == f"/playground/{session.pk}#results"
    page = alice.get(f"/playground/{session.pk}").content.decode()
    assert "0 of 2 cells" in page and 'hx-trigger="every 400ms"' in page and "Be kind" in page
    play.finish(PlaygroundRun.objects.get())
    page = alice.get(f"/playground/{session.pk}").content.decode()
    assert "You said: Say hello" in page and "You said: Sing hello" in page and "USD" in page
    assert "every 400ms" not in page
    assert play.stand.seen[0]["max_tokens"] == 9


def test_columns_and_rows_come_and_go_and_keep_what_was_typed(play, alice):
    page = alice.post("/playground/new", {**FORM, "do": "add-row"}).content.decode()
    assert page.count('name="r1-v-x"') == 1 and ">hello</textarea>" in page
    page = alice.post("/playground/new", {**FORM, "do": "remove-column-0"}).content.decode()
    assert "Sing {{ x }}" in page and "Say {{ x }}" not in page
    page = alice.post("/playground/new", {**FORM, "do": "copy-column-0"}).content.decode()
    assert page.count("Say {{ x }}") == 2 and 'name="c2-template"' in page
    assert not PlaygroundSession.objects.exists()


def test_what_is_wrong_is_said_beside_its_column_and_nothing_starts(play, alice):
    wrong = {**FORM, "c1-template": "{{ x", "c0-more": "[", "do": "run"}
    answer = alice.post("/playground/new", wrong)
    assert answer.status_code == 422 and "Column 1, more: No JSON" in answer.content.decode()
    answer = alice.post("/playground/new", {**FORM, "c1-template": "{{ x", "do": "run"})
    assert answer.status_code == 422 and "Column 2, content.template" in answer.content.decode()
    answer = alice.post("/playground/new", {**FORM, "o-repeats": "x", "do": "run"})
    assert answer.status_code == 422 and "repeats: Use a whole number" in answer.content.decode()
    assert not PlaygroundRun.objects.exists()


def test_others_read_a_session_and_run_a_copy(play, alice, cast, client_of):
    alice.post("/playground/new", {**FORM, "do": "save"})
    session = PlaygroundSession.objects.get()
    victor = client_of(cast.victor)
    page = victor.get(f"/playground/{session.pk}").content.decode()
    assert "Copy it to run it" in page and 'name="c0-template"' not in page
    assert victor.post(f"/playground/{session.pk}", {**FORM, "do": "run"}).status_code == 403
    assert victor.post(f"/playground/{session.pk}/copy").status_code == 302
    copy = PlaygroundSession.objects.latest("id")
    assert copy.created_by == cast.victor and copy.columns == session.columns
    assert client_of(cast.mallory).get(f"/playground/{session.pk}").status_code == 404
    assert client_of(cast.carol).get(f"/playground/{session.pk}").status_code == 200
    alice.post(f"/playground/{session.pk}/delete")
    assert alice.get(f"/playground/{session.pk}").status_code == 404


def test_prompt_opens_with_its_version_and_what_to_compare_it_with(play, alice, cast):
    from prompts.actions import create_prompt, create_version

    prompt = create_prompt(team=cast.team, name="a/greet", description="", by=play.alice)
    for text in ("Hi {{ who }}", "Hello {{ who }}"):
        prompt.refresh_from_db()
        create_version(prompt=prompt, type="text", template=text, message="", by=play.alice)
    answer = alice.get("/prompts/acme/a/greet/playground?version=2&against=1", follow=True)
    page = answer.content.decode()
    assert page.count('value="acme/a/greet"') >= 2 and 'name="r0-v-who"' in page
    assert 'name="c0-version" value="1"' in page and 'name="c1-version" value="2"' in page
    assert "/prompts/acme/a/greet/playground" in alice.get("/prompts/acme/a/greet").content.decode()


def test_difference_against_a_column_is_marked_by_word(play, alice):
    run = play.go([play.text("Say {{ x }}"), play.text("Sing {{ x }}")], [{"x": "a"}])
    page = alice.get(f"/playground/runs/{run.pk}?against=0").content.decode()
    assert "<del>Say</del><ins>Sing</ins>" in page


def test_answer_page_rates_goes_on_and_keeps(play, alice, make_asset):
    make_asset("asked", kind="dataset")
    run = play.go([play.text("Say {{ x }}")], [{"x": "a"}])
    address = play.cells(run)[0].get_absolute_url()
    page = alice.get(address).content.decode()
    assert "You said: Say a" in page and "&quot;expected&quot;: &quot;You said: Say a&quot;" in page
    alice.post(f"{address}/rate", {"verdict": "good", "comment": "well put"})
    assert "well put" in alice.get(address).content.decode()
    answer = alice.post(f"{address}/keep", {"dataset": "asked", "row": "{"})
    assert answer.status_code == 400 and "No JSON" in answer.content.decode()
    answer = alice.post(f"{address}/keep", {"dataset": "asked", "row": '{"x": "a", "expected": "b"}'}, follow=True)
    assert "row of acme/asked version 1" in answer.content.decode()
    answer = alice.post(f"{address}/continue", {"said": "more"}, follow=True)
    assert "Waiting for a worker" in answer.content.decode()
    play.finish(run)
    assert "You said: more" in alice.get(address).content.decode()
    assert alice.post(f"{address}/rate", {"verdict": "so-so"}).status_code == 400


def test_rows_of_a_gated_dataset_are_for_those_who_may_read_it(play, make_asset, make_version, cast, client_of):
    from tests.evaluation.conftest import jsonl

    asset = make_asset("asked", kind="dataset")
    version = make_version(asset, {"rows.jsonl": jsonl([{"x": "secret word"}])})
    run = play.go([play.text("Say {{ x }}")], dataset_version=version)
    type(asset).objects.filter(pk=asset.pk).update(gated=True)
    victor = client_of(cast.victor)
    page = victor.get(f"/playground/runs/{run.pk}").content.decode()
    assert "secret word" not in page and "The rows are gated" in page
    assert victor.get(play.cells(run)[0].get_absolute_url()).status_code == 403


def test_pages_cost_the_same_with_one_row_and_with_many(play, alice, cast):
    from django.db import connection

    def queries(run):
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert alice.get(f"/playground/runs/{run.pk}").status_code == 200
        return len(found)

    few = play.go([play.text("Say {{ x }}")], [{"x": "a"}])
    many = play.go([play.text("Say {{ x }}"), play.text("Sing {{ x }}")], [{"x": str(n)} for n in range(15)], repeats=2)
    queries(few)
    assert queries(many) <= queries(few) + 1  # the agreement of repeats

    alice.get("/playground/")
    with CaptureQueriesContext(connection) as one:
        alice.get("/playground/")
    for _ in range(10):
        play.actions.save_session(team=cast.team, name="s", columns=[], inputs=[], options={}, by=play.alice)
    with CaptureQueriesContext(connection) as more:
        alice.get("/playground/")
    assert len(more) <= len(one)
