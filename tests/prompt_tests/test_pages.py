"""Pages of tests: written, run and read without JavaScript."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from prompt_tests.models import SuiteRevision, SuiteRun

UPPER = {"type": "contains", "value": "SAY"}
AT = "/prompts/acme/support/reply/tests"


@pytest.fixture
def alice(cast, client_of, testing):
    return client_of(cast.alice)


def test_tests_are_written_with_the_form_alone(alice):
    assert "No tests yet" in alice.get(AT).content.decode()
    form = {"based_on": "0", "repeats": "1", "threshold": "100", "do": "add-case"}
    page = alice.post(f"{AT}/edit", form)
    assert 'name="c-0-v:word"' in page.content.decode()
    page = alice.post(f"{AT}/edit", {**form, "c-0-v:word": "a", "do": "add-contains-0"})
    assert 'name="c-0-a-0-value"' in page.content.decode() and ">a</textarea>" in page.content.decode()
    saved = alice.post(
        f"{AT}/edit",
        {
            **form,
            "c-0-v:word": "a",
            "c-0-name": "one",
            "c-0-a-0-type": "contains",
            "c-0-a-0-value": "SAY",
            "do": "save",
        },
    )
    assert saved.status_code == 302
    case = SuiteRevision.objects.get().content["cases"][0]
    assert case == {"name": "one", "variables": {"word": "a"}, "assertions": [UPPER]}
    assert 'value="SAY"' in alice.get(f"{AT}/edit").content.decode()


def test_every_assertion_survives_the_form(alice, testing):
    from django.http import QueryDict

    from prompt_tests import editor, suites

    content = suites.parse(
        {
            "assertions": [
                {"type": "contains", "value": "a", "ignore_case": True},
                {"type": "not_contains", "value": "b"},
                {"type": "equals"},
                {"type": "regex", "pattern": " a+ "},
                {"type": "json", "schema": {"type": "object"}},
                {"type": "similarity", "minimum": 0.75, "model": "acme/vectors"},
                {"type": "judge", "rubric": "polite\nand short", "model": "acme/judge", "minimum": 0.5},
                {"type": "latency", "maximum_ms": 1500},
                {"type": "tokens", "maximum": 100},
                {"type": "cost", "maximum": 0.0015},
                {"type": "tool_call", "name": "find", "arguments": {"city": "Oslo"}},
            ],
            "cases": [
                {"name": "x", "variables": {"word": "ü 🎈", "n": 3}, "placeholders": {"history": []}, "expected": "y"}
            ],
            "rows": {"dataset": "acme/words", "version": 2, "mapping": {"word": "w"}, "limit": 5},
            "models": ["acme/echo", "acme/other"],
            "repeats": 2,
            "threshold": 0.95,
        }
    ).as_json()
    form = editor.show(content)
    data = QueryDict(mutable=True)
    data.update({**form.top, **{f"map:{name}": column for name, column in form.mapping.items()}})
    for number, row in enumerate(form.assertions):
        data.update({f"a-{number}-{name}": value for name, value in row.items()})
    case = form.cases[0]
    data.update({"c-0-name": case.name, "c-0-expected": case.expected, "c-0-placeholders": case.placeholders})
    data.update({f"c-0-v:{name}": value for name, value in case.values.items()})
    data.update({f"c-0-j:{name}": "1" for name in case.structured})
    assert suites.parse(editor.read(data).as_json()).as_json() == content


def test_mistakes_stand_at_their_lines_and_nothing_is_lost(alice):
    form = {
        "based_on": "0", "repeats": "1", "threshold": "100", "do": "save", "c-0-v:word": "kept",
        "a-0-type": "regex", "a-0-pattern": "(",
    }  # fmt: skip
    page = alice.post(f"{AT}/edit", form)
    assert page.status_code == 422
    text = page.content.decode()
    assert "This is no regular expression" in text and ">kept</textarea>" in text


def test_somebody_elses_newer_tests_are_not_overwritten(alice, testing):
    testing.suite(assertions=[UPPER], cases=[testing.case("a")])
    form = {"based_on": "0", "repeats": "1", "threshold": "100", "do": "save", "c-0-v:word": "b", "a-0-type": "equals"}
    page = alice.post(f"{AT}/edit", form)
    assert page.status_code == 409 and "revision 1 by now" in page.content.decode()


def test_a_run_is_started_and_its_failures_come_first(alice, testing):
    testing.suite(
        assertions=[{"type": "not_contains", "value": "B"}], cases=[testing.case("a"), testing.case("b", name="bee")]
    )
    page = alice.post(f"{AT}/runs", {"version": "1"})
    run = SuiteRun.objects.get()
    assert page.status_code == 302 and page.headers["Location"] == f"/prompt-tests/{run.pk}"
    waiting = alice.get(page.headers["Location"]).content.decode()
    assert f'hx-get="/prompt-tests/{run.pk}/live' in waiting
    testing.finish(run)
    text = alice.get(f"/prompt-tests/{run.pk}").content.decode()
    assert "hx-trigger" not in text.split('id="test-run"')[1][:200]
    assert text.index("bee") < text.index("case 1") and "“B” is in the output." in text
    assert "Tests red 1/2" in alice.get("/prompts/acme/support/reply").content.decode()
    assert "1/2" in alice.get(AT).content.decode()


def test_the_difference_of_outputs_shows_what_turned(alice, testing):
    testing.suite(assertions=[{"type": "not_contains", "value": "LOUD"}], cases=[testing.case("a"), testing.case("b")])
    before = testing.finish(testing.start())
    after = testing.finish(testing.start(testing.write("say {{ word }}{% if word == 'b' %} loud{% endif %}")))
    text = alice.get(f"/prompt-tests/{after.pk}?against={before.pk}").content.decode()
    assert "1 newly red, 0 newly green, 1 with another output" in text
    assert "<ins>" in text and text.index("case 2") < text.index("case 1")


def test_a_run_that_can_not_start_says_why_on_the_page(alice, testing):
    testing.suite(assertions=[UPPER], cases=[testing.case("a")], models=["acme/none"])
    page = alice.post(f"{AT}/runs", {"version": "1"})
    assert page.status_code == 400 and "acme/none" in page.content.decode()


def test_pages_cost_the_same_however_many_there_are(alice, testing):
    testing.suite(assertions=[UPPER], cases=[testing.case("a")])
    run = testing.finish(testing.start())

    def queries(address):
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert alice.get(address).status_code == 200
        return len(found)

    alice.get(AT)
    few = queries(AT), queries(f"/prompt-tests/{run.pk}")
    testing.suite(assertions=[UPPER], cases=[testing.case(word) for word in "abcdefgh"])
    for _ in range(3):
        last = testing.finish(testing.start(testing.write(f"say {{{{ word }}}} {_}")))
    assert (queries(AT), queries(f"/prompt-tests/{last.pk}")) == few
