"""REST of tests: what a CI recipe calls."""

import pytest

from accounts.actions import grant
from prompt_tests.models import SuiteRun
from tests.prompts.lending import lend

UPPER = {"type": "contains", "value": "SAY"}
AT = "/api/v1/prompts/acme/support/reply/tests"


@pytest.fixture
def alice(cast, api, testing):
    return api(cast.alice)


def test_tests_are_written_and_read(alice, cast, api):
    assert alice.get(AT).json()["revision"] == 0
    content = {"assertions": [UPPER], "cases": [{"variables": {"word": "a"}}]}
    made = alice.put(AT, content)
    assert made.status_code == 200 and made.json()["revision"] == 1
    assert alice.put(AT, content).json()["revision"] == 1, "the same again changes nothing"
    assert alice.get(AT).json()["content"]["assertions"] == [UPPER]
    assert alice.put(AT, {**content, "repeats": 2}, headers={"If-Match": '"0"'}).status_code == 409
    assert api(cast.victor).put(AT, content).status_code == 403
    assert api(cast.mallory).get(AT).status_code == 404
    wrong = alice.put(AT, {"cases": [{"variables": {}}], "assertions": [{"type": "regex", "pattern": "("}]})
    assert wrong.status_code == 400 and "assertions[0].pattern" in wrong.json()["errors"]


def test_a_case_is_added(alice):
    made = alice.post(f"{AT}/cases", {"variables": {"word": "a"}, "expected": "SAY A"})
    assert made.status_code == 201 and made.json()["content"]["cases"][0]["expected"] == "SAY A"
    assert alice.post(f"{AT}/cases", {"variables": [], "colour": 1}).status_code == 400


def test_a_pull_requests_text_is_tested_without_a_version(alice, testing):
    testing.suite(
        assertions=[UPPER, {"type": "not_contains", "value": "B"}], cases=[testing.case("a"), testing.case("b")]
    )
    content = {"type": "text", "template": "say {{ word }} now", "model": "acme/echo"}
    made = alice.post(f"{AT}/runs", {"content": content})
    assert made.status_code == 201, made.json()
    run = made.json()
    assert (run["version"], run["ended"], run["green"], run["total"]) == (None, False, None, 2)
    testing.finish(SuiteRun.objects.get(pk=run["id"]))
    ended = alice.get(made.headers["Location"]).json()
    assert (ended["ended"], ended["state"], ended["green"], ended["passed"], ended["failed"]) == (
        True,
        "succeeded",
        False,
        1,
        1,
    )
    page = alice.get(f"/api/v1/prompt-tests/{run['id']}/results?failed_first=1&limit=1").json()
    assert page["results"][0]["verdicts"][1] == {
        "type": "not_contains", "title": "Does not contain “B”", "passed": False, "reason": "“B” is in the output.",
    }  # fmt: skip
    rest = alice.get(f"/api/v1/prompt-tests/{run['id']}/results?failed_first=1&limit=1&cursor={page['next']}").json()
    assert [row["passed"] for row in rest["results"]] == [True] and rest["next"] is None
    assert testing.prompt.versions.count() == 1


def test_what_is_wrong_with_a_run_is_said_by_field(alice, testing):
    assert alice.post(f"{AT}/runs", {"version": 1}).json()["type"].endswith("no_tests")
    testing.suite(assertions=[UPPER], cases=[testing.case("a")])
    assert "version" in alice.post(f"{AT}/runs", {}).json()["errors"]
    assert alice.post(f"{AT}/runs", {"version": 9}).status_code == 404
    broken = alice.post(f"{AT}/runs", {"content": {"type": "text", "template": "{{ word"}})
    assert broken.status_code == 400 and "template" in str(broken.json()["errors"])
    assert "models" in alice.post(f"{AT}/runs", {"version": 1, "models": ["acme/none"]}).json()["errors"]


def test_a_key_that_may_not_call_models_runs_nothing(cast, api, testing):
    testing.suite(assertions=[UPPER], cases=[testing.case("a")])
    refused = api(cast.alice, scopes=["read", "write"]).post(f"{AT}/runs", {"version": 1})
    assert refused.status_code == 403 and refused.json()["permission"] == "model.invoke"


def test_two_runs_are_compared(alice, testing):
    testing.suite(assertions=[{"type": "not_contains", "value": "LOUD"}], cases=[testing.case("a"), testing.case("b")])
    before = testing.finish(testing.start())
    after = testing.finish(testing.start(testing.write("say {{ word }}{% if word == 'b' %} loud{% endif %}")))
    rows = alice.get(f"/api/v1/prompt-tests/{after.pk}/results?against={before.pk}&show=newly_red").json()["results"]
    assert [(row["variables"]["word"], row["passed_before"], row["output_before"]) for row in rows] == [
        ("b", True, "SAY B")
    ]
    assert alice.get(f"/api/v1/prompt-tests/{after.pk}/results?show=newly_red").status_code == 400


def test_runs_are_listed_and_cancelled(alice, testing, cast, api):
    testing.suite(assertions=[UPPER], cases=[testing.case("a")])
    run = testing.start()
    assert [row["id"] for row in alice.get(f"{AT}/runs?version=1").json()["results"]] == [run.pk]
    assert api(cast.victor).post(f"/api/v1/prompt-tests/{run.pk}/cancel").status_code == 403
    assert alice.post(f"/api/v1/prompt-tests/{run.pk}/cancel").json()["state"] == "cancelled"
    assert alice.post(f"/api/v1/prompt-tests/{run.pk}/cancel").status_code == 409
    assert api(cast.mallory).get(f"/api/v1/prompt-tests/{run.pk}").status_code == 404


def test_who_sees_the_prompt_alone_reads_no_rows_of_the_dataset(testing, make_rows, cast, api, actor):
    make_rows([{"w": "ann", "expected": "SAY ANN"}], name="salaries")
    testing.suite(
        assertions=[{"type": "equals"}],
        cases=[testing.case("bob", expected="SAY BOB")],
        rows={"dataset": "acme/salaries", "mapping": {"word": "w"}},
    )
    run = testing.finish(testing.start())
    grant(user=cast.mallory, role="viewer", on=cast.team, prefix="support/", by=actor(cast.admin))
    at = f"/api/v1/prompt-tests/{run.pk}/results"
    assert [row["row"] for row in api(cast.mallory).get(at).json()["results"]] == [None]
    assert [row["row"] for row in api(cast.victor).get(at).json()["results"]] == [None, 0]


def test_what_another_teams_prompt_lent_is_for_those_who_see_it_there(testing, cast, api, client_of, actor):
    lend(cast, actor)
    version = testing.write('{% include "beta/tone:1" %} say {{ word }}')
    testing.suite(cases=[testing.case("ann", UPPER)])
    run = testing.finish(testing.start(version))
    at = f"/api/v1/prompt-tests/{run.pk}/results"
    (mine,) = api(cast.alice).get(at).json()["results"]
    assert mine["messages"][0]["content"] == "Be kind and secretive. say ann" and mine["withheld"] is False
    (other,) = api(cast.victor).get(at).json()["results"]
    assert other["messages"] == [] and other["withheld"] is True and other["passed"]
    page = client_of(cast.victor).get(f"/prompt-tests/{run.pk}").content.decode()
    assert "Left out: text of another team" in page and "Be kind" not in page
    assert "Be kind" in client_of(cast.alice).get(f"/prompt-tests/{run.pk}").content.decode()
