"""Runs of tests as evidence: what a policy asks for, what counts, and what has gone stale."""

import re
from datetime import timedelta

import pytest
from django.http import QueryDict
from django.utils import timezone

from accounts.access import Actor
from accounts.actions import create_user, grant_role
from accounts.errors import Conflict, Invalid
from governance.actions import create_policy
from governance.actions.requests import keeping
from governance.models import Evidence
from governance.policies import evaluate
from governance.policies.book import Book
from governance.policies.judging import judge
from governance.policies.subject import Subject
from governance.rules import InvalidRules, parse
from governance.tasks import lapse_approvals
from home import approvals
from prompt_tests import editor
from prompt_tests.suites import InvalidSuite
from prompts import actions as prompt_actions
from registry.actions import move_alias

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
    assert (
        found.state == "waiting"
        and "The tests were changed on" in found.detail
        and "revision 3 holds now" in found.detail
    )
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


# What else an approval stands on


@pytest.fixture
def approve(testing, cast, actor):
    """approve(request, 'bob') -> the request, with this person's approval on it; two reviewers have to pass it, and the tests."""
    admin = actor(cast.admin)
    rita = create_user(email="rita@example.com", name="Rita", password=cast.password, by=admin)
    grant_role(user=rita, role="reviewer", on=cast.team, by=admin)
    create_policy(
        team=cast.team, kind="prompt", pattern="*", stage="production", checks=[{"type": "prompt_tests"}],
        reviews={"count": 2, "role": "reviewer"}, by=admin,
    )  # fmt: skip
    people = {"bob": actor(cast.bob), "rita": Actor(rita)}

    def decide(request, who):
        return approvals.decide(request=request, verdict="approve", comment="", by=people[who])

    return decide


def ask(testing, **fields):
    number = testing.prompt.versions.first().number
    return approvals.open_request(
        kind="prompt", asset=str(testing.prompt), version=number, alias="production", reason="go", by=testing.alice, **fields
    )  # fmt: skip


def changed(testing):
    """Other tests than there were."""
    testing.suite(assertions=[UPPER], cases=[testing.case("a"), testing.case("b")])


def test_an_open_approval_counts_no_more_once_the_tests_change(testing, approve):
    testing.suite(assertions=[UPPER], cases=[testing.case("a")])
    testing.finish(testing.start())
    request = ask(testing)
    approve(request, "bob")
    changed(testing)
    (step,) = evaluate(request).steps
    assert not step.counted and "the tests were changed on" in step.stale[0][1].lower()
    with pytest.raises(Conflict, match="revision 2 holds now"):
        approve(request, "rita")
    testing.finish(testing.start())
    assert approve(request, "rita").state == "open"
    assert approve(request, "bob").state == "applied"


def test_what_was_approved_for_later_is_not_applied_once_the_tests_change(testing, approve):
    testing.suite(assertions=[UPPER], cases=[testing.case("a")])
    testing.finish(testing.start())
    request = ask(testing, apply_at=timezone.now() + timedelta(hours=1))
    approve(request, "bob")
    assert approve(request, "rita").state == "approved"
    changed(testing)
    request.refresh_from_db()
    with pytest.raises(Conflict, match="The policy is no longer satisfied"):
        prompt_actions.apply_request(request=request, by=testing.alice)
    keeping.look_again(request.pk)
    request.refresh_from_db()
    assert request.state == "open" and not testing.prompt.labels.exists()


def test_an_applied_approval_lapses_when_the_tests_change_and_comes_back_as_a_renewal(testing, approve):
    testing.suite(assertions=[UPPER], cases=[testing.case("a")])
    testing.finish(testing.start())
    request = ask(testing)
    approve(request, "bob")
    assert approve(request, "rita").state == "applied"
    lapse_approvals()
    request.refresh_from_db()
    assert request.lapsed_at is None
    changed(testing)
    lapse_approvals()
    request.refresh_from_db()
    assert request.lapsed_at is not None and "the tests were changed on" in request.lapse_reason
    assert testing.prompt.labels.get(name="production").version_id == request.version_id  # what runs goes on
    renewal = request.renewals.get()
    testing.finish(testing.start())
    approve(renewal, "bob")
    assert approve(renewal, "rita").state == "applied"
    lapse_approvals()
    renewal.refresh_from_db()
    assert renewal.lapsed_at is None


def test_an_included_text_that_moves_makes_runs_stale(testing, line):
    by = testing.alice
    tone = prompt_actions.create_prompt(team=testing.prompt.team, name="tone", by=by)
    texts = [prompt_actions.create_version(prompt=tone, type="text", template=t, by=by) for t in ("Kindly", "Curtly")]
    prompt_actions.move_label(prompt=tone, label="staging", version=texts[0], by=by)
    assert not Evidence.objects.filter(kind="pointer").exists()  # nothing includes it yet
    version = testing.write('{% include "tone@staging" %} say {{ word }}')
    testing.suite(assertions=[UPPER], cases=[testing.case("a")])
    testing.finish(testing.start())
    assert line(version).state == "passed"
    prompt_actions.move_label(prompt=tone, label="staging", version=texts[1], by=by)
    found = line(version)
    assert found.state == "waiting"
    assert found.detail.startswith(
        "It was tested with acme/tone@staging at version 1, which points at version 2 since "
    )
    # Back again: it is the text that was tested.
    prompt_actions.move_label(prompt=tone, label="staging", version=texts[0], by=by)
    assert line(version).state == "passed"
    prompt_actions.remove_label(prompt=tone, label="staging", by=by)
    assert "points at nothing since" in line(version).detail


def test_rows_are_taken_at_an_alias_and_go_stale_with_it(testing, line, make_rows, make_version, cast, actor):
    first = make_rows([{"word": "a"}], name="words")
    second = make_version(first.asset, {"rows.jsonl": b'{"word": "b"}\n{"word": "c"}\n'})
    rows = {"dataset": "acme/words", "alias": "golden"}
    with pytest.raises(Invalid, match="no alias 'golden'"):
        testing.suite(assertions=[UPPER], rows=rows)
    move_alias(asset=first.asset, name="golden", version=first, by=testing.alice)
    testing.suite(assertions=[UPPER], rows=rows)
    run = testing.finish(testing.start())
    assert (run.total, run.dataset_version) == (1, first)
    version = testing.prompt.versions.first()
    assert line(version).state == "passed"  # whatever is newer
    move_alias(asset=first.asset, name="golden", version=second, by=testing.alice)
    assert "with acme/words@golden at version 1, which points at version 2 since" in line(version).detail
    assert testing.finish(testing.start()).total == 2 and line(version).state == "passed"
    with pytest.raises(InvalidSuite) as problem:
        testing.suite(assertions=[UPPER], rows={**rows, "version": 1})
    assert "rows.alias" in problem.value.errors


def test_the_form_takes_an_alias_where_it_takes_a_version():
    data = QueryDict(mutable=True)
    data.update({"dataset": "acme/words", "version": "golden"})
    form = editor.read(data)
    assert form.as_json()["rows"]["alias"] == "golden" and "version" not in form.as_json()["rows"]
    assert editor.show({"rows": {"dataset": "acme/words", "alias": "golden"}}).top["version"] == "golden"


def test_the_request_shows_both_versions_tests_and_since_when_they_are_stale(testing, approve, cast, client_of):
    testing.suite(assertions=[UPPER], cases=[testing.case("a"), testing.case("b")])
    testing.finish(testing.start())
    request = ask(testing)
    approve(request, "bob"), approve(request, "rita")
    testing.write("speak {{ word }}")
    testing.finish(testing.start())
    second = ask(testing)
    page = client_of(cast.bob).get(f"/requests/{second.pk}").content.decode()
    assert "0 of 2" in page and "2 of 2" in page and "2, asked for" in page and "1, there now" in page
    testing.suite(assertions=[UPPER], cases=[testing.case("a")])
    page = client_of(cast.bob).get(f"/requests/{second.pk}").content.decode()
    assert page.count("The tests were changed on") == 3  # at the policy's line, and at both versions' runs
    # What was closed is read as it stood.
    assert "tests were changed" not in client_of(cast.bob).get(f"/requests/{request.pk}").content.decode()


def test_the_request_calls_a_run_green_where_the_suite_does(testing, approve, cast, client_of):
    half = {"assertions": [{"type": "not_contains", "value": "A B"}], "cases": [testing.case("a b"), testing.case("c")]}
    testing.suite(**half, threshold=0.5)
    testing.finish(testing.start())
    page = client_of(cast.bob).get(f"/requests/{ask(testing).pk}").content.decode()
    assert "1 of 2" in page
    assert re.search(r"\bGreen\b", page) and not re.search(r"\bRed\b", page)
