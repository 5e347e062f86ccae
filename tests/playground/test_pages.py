"""The pages: a workbench that keeps what was typed, and answers beside each other."""

import pytest
from django.test.utils import CaptureQueriesContext

from playground.models import PlaygroundRun, PlaygroundSession

FORM = {
    "columns": "2", "rows": "1", "name": "greetings", "c0-messages": "1", "c0-m0-role": "user", "c0-m0-content": "Say {{ x }}",
    "c0-model": "acme/echo", "c0-max_tokens": "9", "c1-messages": "2", "c1-m0-role": "system", "c1-m0-content": "Be kind",
    "c1-m1-role": "user", "c1-m1-content": "Sing {{ x }}", "c1-model": "acme/echo", "r0-v-x": "hello",
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
    assert sorted(body["max_tokens"] for body in play.stand.seen) == [9, 256]


def test_columns_and_rows_come_and_go_and_keep_what_was_typed(play, alice):
    page = alice.post("/playground/new", {**FORM, "do": "add-row"}).content.decode()
    assert page.count('name="r1-v-x"') == 1 and ">hello</textarea>" in page
    page = alice.post("/playground/new", {**FORM, "do": "remove-column-0"}).content.decode()
    assert "Sing {{ x }}" in page and "Say {{ x }}" not in page
    page = alice.post("/playground/new", {**FORM, "do": "copy-column-0"}).content.decode()
    assert page.count("Say {{ x }}") == 2 and 'name="c2-m1-content"' in page
    assert not PlaygroundSession.objects.exists()


def test_what_is_wrong_is_said_beside_its_column_and_nothing_starts(play, alice):
    wrong = {**FORM, "c1-m1-content": "{{ x", "c0-more": "[", "do": "run"}
    answer = alice.post("/playground/new", wrong)
    assert answer.status_code == 422 and "Column 1, more: No JSON" in answer.content.decode()
    answer = alice.post("/playground/new", {**FORM, "c1-m1-content": "{{ x", "do": "run"})
    assert answer.status_code == 422 and "Column 2, content.template" in answer.content.decode()
    answer = alice.post("/playground/new", {**FORM, "o-repeats": "x", "do": "run"})
    assert answer.status_code == 422 and "repeats: Use a whole number" in answer.content.decode()
    assert not PlaygroundRun.objects.exists()


def test_others_read_a_session_and_run_a_copy(play, alice, cast, client_of):
    alice.post("/playground/new", {**FORM, "do": "save"})
    session = PlaygroundSession.objects.get()
    victor = client_of(cast.victor)
    page = victor.get(f"/playground/{session.pk}").content.decode()
    assert "Copy it to run it" in page and 'name="c0-m0-content"' not in page
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


CHAT = [
    {"role": "system", "content": "You look things up. {{ tone }}"},
    {"type": "placeholder", "name": "history"},
    {"role": "user", "name": "ann", "content": "Where is {{ x }}?"},
]
LOOK_UP = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]


@pytest.fixture
def asked(play, cast):
    from prompts.actions import create_prompt, create_version

    prompt = create_prompt(team=cast.team, name="ask", by=play.alice)
    create_version(
        prompt=prompt, type="chat", template=CHAT, tools=LOOK_UP, response_format={"type": "json_object"}, model="echo",
        inputs=[{"name": "tone", "default": "Be kind."}], parameters={"temperature": 0.5, "top_p": 0.9, "ours": 1}, by=play.alice,
    )  # fmt: skip
    return prompt


def form_of(page):
    """What a browser would post of the workbench."""
    from html.parser import HTMLParser

    class Reader(HTMLParser):
        def __init__(self):
            super().__init__()
            self.found, self.inside, self.area, self.select = {}, False, None, None

        def handle_starttag(self, tag, attributes):
            given = dict(attributes)
            if tag == "form":
                self.inside = given.get("id") == "bench"
            elif self.inside and tag == "input" and given.get("name"):
                self.found[given["name"]] = given.get("value") or ""
            elif self.inside and tag == "textarea":
                self.area = given["name"]
                self.found[self.area] = ""
            elif self.inside and tag == "select":
                self.select = given["name"]
            elif self.inside and tag == "option" and self.select and "selected" in given:
                self.found[self.select] = given["value"]

        def handle_endtag(self, tag):
            if tag == "textarea":
                self.area = None
            elif tag == "select":
                self.select = None
            elif tag == "form":
                self.inside = False

        def handle_data(self, data):
            if self.area:
                self.found[self.area] += data

    reader = Reader()
    reader.feed(page)
    return reader.found


def test_a_version_is_changed_in_the_playground_in_its_whole_shape(play, alice, asked):
    page = alice.get("/prompts/acme/ask/playground?version=1", follow=True).content.decode()
    form = form_of(page)
    assert (form["c0-model"], form["c0-temperature"]) == ("acme/echo", "")  # the prompt's own
    page = alice.post("/playground/new", {**form, "do": "edit-column-0"}).content.decode()
    form = form_of(page)
    assert [form[f"c0-m{place}-role"] for place in range(3)] == ["system", "placeholder", "user"]
    assert (form["c0-temperature"], form["c0-more"], form["c0-version"]) == ("0.5", '{"top_p": 0.9}', "unsaved")
    form |= {"c0-m2-content": "And where is {{ x }} now?", "r0-v-x": "Oslo", "r0-v-history": "[]"}
    page = alice.post("/playground/new", {**form, "do": "run"}, follow=True).content.decode()
    run = PlaygroundRun.objects.get()
    play.finish(run)
    sent = play.stand.seen[-1]
    assert sent["messages"] == [
        {"role": "system", "content": "You look things up. Be kind."},
        {"role": "user", "name": "ann", "content": "And where is Oslo now?"},
    ]
    assert (sent["tools"], sent["response_format"]["type"], sent["temperature"], sent["top_p"]) == (
        LOOK_UP, "json_object", 0.5, 0.9,
    )  # fmt: skip
    assert "ours" not in sent
    # It is a text of this prompt, and so an answer to it can become a test of it.
    assert run.columns[0]["prompt"] == "acme/ask" and run.columns[0]["version"] is None
    cell = play.cells(run)[0]
    answer = alice.post(f"{cell.get_absolute_url()}/test", {"expected": "x", "kind": "contains"}, follow=True)
    assert "It is a test of acme/ask now" in answer.content.decode()


def test_what_the_editor_holds_opens_unsaved(play, alice, asked, cast, client_of):
    page = alice.get("/prompts/acme/ask/versions/new").content.decode()
    assert 'formaction="/prompts/acme/ask/playground"' in page
    posted = {
        "type": "chat", "format": "mustache", "role": ["system", "user"], "content": ["Be brief.", "Find {{x}}\r\nnow"],
        "rest": ["", ""], "model": "acme/echo", "parameters": '{"max_tokens": 7}', "tools": "[half", "values": '{"x": "Oslo"}',
    }  # fmt: skip
    page = alice.post("/prompts/acme/ask/playground", posted).content.decode()
    form = form_of(page)
    assert (form["c0-prompt"], form["c0-version"], form["c0-syntax"]) == ("acme/ask", "unsaved", "mustache")
    assert (form["c0-m1-content"].strip(), form["c0-max_tokens"], form["c0-tools"]) == ("Find {{x}}\nnow", "7", "[half")
    assert 'action="/playground/new?team=acme"' in page
    assert (
        alice.post("/playground/new?team=acme", {**form, "do": "run"}).status_code == 422
    )  # the tools are half written
    form |= {"c0-tools": "", "r0-v-x": "Oslo"}
    alice.post("/playground/new?team=acme", {**form, "do": "run"})
    play.finish(PlaygroundRun.objects.get())
    assert play.stand.seen[-1]["messages"][1]["content"] == "Find Oslo\nnow"
    assert client_of(cast.carol).post("/prompts/acme/ask/playground", posted).status_code == 403
    assert not asked.drafts.exists()


def test_a_draft_is_run_as_the_editor_keeps_it(play, asked):
    from prompts.actions import save_draft

    content = {
        "type": "chat",
        "template": [{"role": "user", "content": "Draft {{ x }}"}],
        "tools": "",
        "parameters": '{"seed": 4}',
    }
    save_draft(prompt=asked, content=content, revision=0, by=play.alice)
    play.go([{"prompt": "acme/ask", "version": "draft", "model": "acme/echo"}], [{"x": "a"}])
    assert play.stand.seen[-1]["messages"][-1]["content"] == "Draft a" and play.stand.seen[-1]["seed"] == 4


def test_messages_come_go_and_change_places(play, alice):
    page = alice.post("/playground/new", {**FORM, "do": "add-message-1-1"}).content.decode()
    form = form_of(page)
    assert (form["c1-messages"], form["c1-m2-role"]) == ("3", "assistant")
    form = form_of(alice.post("/playground/new", {**form, "do": "up-message-1-1"}).content.decode())
    assert (form["c1-m0-content"].strip(), form["c1-m1-content"].strip()) == ("Sing {{ x }}", "Be kind")
    form = form_of(alice.post("/playground/new", {**form, "do": "remove-message-1-0"}).content.decode())
    assert (form["c1-messages"], form["c1-m0-content"].strip()) == ("2", "Be kind")


def test_a_version_and_a_difference_lead_here(alice, asked, play):
    from prompts.actions import create_version

    asked.refresh_from_db()
    create_version(prompt=asked, type="chat", template=CHAT[:1], by=play.alice)
    assert "/prompts/acme/ask/playground?version=1" in alice.get("/prompts/acme/ask/versions/1").content.decode()
    page = alice.get("/prompts/acme/ask/diff?from=1&to=2").content.decode()
    assert "/prompts/acme/ask/playground?version=2&amp;against=1" in page


def test_a_long_run_shows_the_rows_that_are_worth_a_look(play, alice, make_asset, make_version):
    from tests.evaluation.conftest import jsonl

    play.stand.says = {"Say a": "A", "Sing a": "A", "Say b": "B", "Sing b": "C"}
    play.stand.fail = {"Say c": (400, 9)}
    rows = [{"x": word, "expected": word.upper()} for word in "abc"]
    version = make_version(make_asset("asked", kind="dataset"), {"rows.jsonl": jsonl(rows)})
    columns = [play.text("Say {{ x }}"), play.text("Sing {{ x }}")]
    run = play.go(columns, dataset_version=version, expected_field="expected")

    def shown(which):
        page = alice.get(f"/playground/runs/{run.pk}?show={which}").content.decode()
        return [index for index in range(3) if f'id="row-{index}"' in page]

    assert shown("") == [0, 1, 2] and shown("different") == [1]
    assert shown("wrong") == [1, 2] and shown("failed") == [2] and shown("nonsense") == [0, 1, 2]
