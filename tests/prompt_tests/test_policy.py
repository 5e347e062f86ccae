"""Runs of tests as evidence: what a policy asks for, what counts, and what has gone stale."""

import pytest

from governance.actions import create_policy
from governance.models import Evidence
from governance.policies.book import Book
from governance.policies.judging import judge
from governance.policies.subject import Subject
from governance.rules import InvalidRules, parse

UPPER = {"type": "contains", "value": "SAY"}


@pytest.fixture
def line(cast):
    """line(version, **check) -> what a policy's check says of it now."""

    def look(version, **check):
        rules = parse([{"type": "prompt_tests", **check}], {"count": 1, "role": "reviewer"}, {})
        subject = Subject("prompt", version.digest)
        return judge(rules.checks[0], subject, Book(cast.team, [version.digest]))

    return look


def test_a_green_run_satisfies_the_check_and_links_to_itself(testing, line):
    version = testing.prompt.versions.first()
    assert (line(version).state, line(version).detail) == (
        "waiting", "The tests were not run on this version yet: run them.",
    )  # fmt: skip
    testing.suite(assertions=[UPPER], cases=[testing.case("a"), testing.case("b")])
    run = testing.finish(testing.start())
    found = line(version)
    assert (found.state, found.link) == ("passed", run.get_absolute_url())
    assert found.detail == "2 of 2 pass with acme/echo, 100 % (revision 1 of the tests)."
    evidence = Evidence.objects.get(kind="prompt_tests")
    assert found.evidence_digest == evidence.digest and evidence.payload["models"][0]["digest"].startswith("sha256:")


def test_a_red_run_fails_it_unless_a_share_is_enough(testing, line):
    testing.suite(assertions=[{"type": "not_contains", "value": "A B"}], cases=[testing.case("a b"), testing.case("c")])
    testing.finish(testing.start())
    version = testing.prompt.versions.first()
    assert line(version).state == "failed"
    assert line(version, share=0.5).state == "passed"
    assert line(version, share=0.51).state == "failed"


def test_changed_tests_make_it_stale_and_when_they_run_does_not(testing, line):
    content = {"assertions": [UPPER], "cases": [testing.case("a")]}
    testing.suite(**content)
    testing.finish(testing.start())
    version = testing.prompt.versions.first()
    testing.suite(**content, run_on_save=True)
    assert line(version).state == "passed"
    testing.suite(assertions=[UPPER], cases=[testing.case("a"), testing.case("b")])
    found = line(version)
    assert found.state == "waiting" and "The tests were changed since" in found.detail
    testing.finish(testing.start())
    assert line(version).state == "passed"


def test_a_newer_dataset_makes_it_stale_unless_the_tests_pin_it(testing, line, make_rows, make_version):
    first = make_rows([{"word": "a"}], name="words")
    testing.suite(assertions=[UPPER], rows={"dataset": "acme/words"})
    testing.finish(testing.start())
    version = testing.prompt.versions.first()
    assert line(version).state == "passed"
    make_version(first.asset, {"rows.jsonl": b'{"word": "b"}\n'})
    assert "version 2 is the newest" in line(version).detail
    testing.suite(assertions=[UPPER], rows={"dataset": "acme/words", "version": 1})
    testing.finish(testing.start())
    assert line(version).state == "passed"


def test_the_models_that_a_policy_names_each_have_to_pass(testing, line, deploy):
    deploy("other")
    testing.suite(assertions=[UPPER], cases=[testing.case("a")])
    testing.finish(testing.start())
    version = testing.prompt.versions.first()
    assert "Not tested with acme/other" in line(version, models=["acme/echo", "acme/other"]).detail
    # A run with other models than the tests name is no evidence.
    testing.finish(testing.start(models=["acme/other"]))
    assert line(version, models=["acme/other"]).state == "waiting"
    testing.suite(assertions=[UPPER], cases=[testing.case("a")], models=["acme/echo", "acme/other"])
    testing.finish(testing.start())
    assert line(version, models=["acme/echo", "acme/other"]).state == "passed"


def test_old_runs_do_not_count(testing, line):
    from datetime import timedelta

    testing.suite(assertions=[UPPER], cases=[testing.case("a")])
    testing.finish(testing.start())
    evidence = Evidence.objects.get(kind="prompt_tests")
    Evidence.objects.filter(pk=evidence.pk).update(created_at=evidence.created_at - timedelta(days=9))
    version = testing.prompt.versions.first()
    assert line(version, max_age_days=10).state == "passed"
    assert "9 days old" in line(version, max_age_days=8).detail


def test_a_policy_for_prompts_asks_for_them_and_one_for_models_can_not(testing, cast, actor):
    reviews, checks = {"count": 1, "role": "reviewer"}, [{"type": "prompt_tests", "share": 0.95, "max_age_days": 7}]
    admin = actor(cast.admin)
    policy = create_policy(
        team=cast.team, kind="prompt", pattern="*", stage="production", checks=checks, reviews=reviews, by=admin
    )
    assert policy.versions.get().checks == [{"type": "prompt_tests", "share": 0.95, "max_age_days": 7}]
    with pytest.raises(InvalidRules) as problem:
        create_policy(
            team=cast.team, kind="model", pattern="*", stage="staging", checks=checks, reviews=reviews, by=admin
        )
    assert "checks[0].type" in problem.value.errors


def test_the_policy_editor_takes_it_in_percent_and_the_request_shows_it(testing, cast, client_of):
    client = client_of(cast.admin)
    form = {
        "kind": "prompt", "pattern": "*", "stage": "production", "check-0-type": "prompt_tests", "check-0-share": "95",
        "check-0-models": "acme/echo", "check-0-max_age_days": "7", "step-0-count": "1", "step-0-party": "role:reviewer",
        "open_days": "14", "review_glass_within_h": "24", "do": "refresh",
    }  # fmt: skip
    page = client.post("/policies/new", form)
    assert page.status_code == 200
    assert (
        "At least 95 % of the tests of the prompt pass with acme/echo, not older than 7 days" in page.content.decode()
    )
