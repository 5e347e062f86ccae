"""What people do with an answer: rate it, ask again, go on talking, keep it as an example."""

import pytest

from accounts.actions import revoke_role
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.models import Team
from governance.ledger.models import AuditEvent
from playground import actions, reads
from playground.models import CellRating, KeptExample, PlaygroundRun
from registry import datasets
from tests.evaluation.conftest import jsonl
from tests.prompts.lending import lend

LOOK = [
    {"index": 0, "id": "c1", "function": {"name": "look", "arguments": '{"pla'}},
    {"index": 0, "function": {"arguments": 'ce": 1}'}},
]


@pytest.fixture
def answered(play):
    run = play.go([play.text("Say {{ x }}")], [{"x": "a"}])
    return play.cells(run)[0]


def test_rating_is_one_each_and_can_be_changed_and_taken_back(play, answered, cast, actor):
    actions.rate_cell(cell=answered, good=True, comment=" nice ", by=play.alice)
    actions.rate_cell(cell=answered, good=False, by=play.alice)
    actions.rate_cell(cell=answered, good=True, by=actor(cast.admin))
    assert list(CellRating.objects.order_by("id").values_list("by__name", "good")) == [
        ("Alice", False),
        ("Administrator", True),
    ]
    actions.rate_cell(cell=answered, good=None, by=play.alice)
    assert CellRating.objects.count() == 1
    with pytest.raises(Forbidden) as refusal:
        actions.rate_cell(cell=answered, good=True, by=actor(cast.victor))
    assert refusal.value.permission == "asset.edit"


def test_conversation_goes_on_with_all_that_was_said(play, answered, cast, actor):
    following = actions.continue_cell(cell=answered, said="And b?", by=actor(cast.victor))
    run = play.finish(answered.run)
    following.refresh_from_db()
    assert following.output == "You said: And b?" and following.asked_by == cast.victor
    assert [m["role"] for m in play.stand.seen[-1]["messages"]] == ["user", "assistant", "user"]
    assert play.stand.seen[-1]["messages"][1]["content"] == "You said: Say a"
    assert (run.total, run.done, run.state) == (2, 2, "finished")
    assert AuditEvent.objects.get(action="playground_run.reopened").actor_name == "Victor"
    with pytest.raises(Conflict):
        actions.continue_cell(cell=answered, said="again", by=play.alice)
    with pytest.raises(Conflict):
        actions.retry_cell(cell=answered, by=play.alice)


def test_what_another_teams_prompt_lent_is_for_those_who_see_it_there(play, cast, actor, api, client_of):
    lend(cast, actor)
    run = play.go([play.text('{% include "beta/tone:1" %} Say {{ x }}')], [{"x": "a"}])
    play.stand.says["Be kind and secretive. Say a"] = "a"
    (cell,) = play.cells(run)
    at = f"/api/v1/playground/cells/{cell.pk}"
    assert api(cast.alice).get(at).json()["messages"][0]["content"] == "Be kind and secretive. Say a"
    other = api(cast.victor).get(at).json()
    assert other["messages"] == [] and other["withheld"] is True and other["values"] == {"x": "a"}
    page = client_of(cast.victor).get(cell.get_absolute_url()).content.decode()
    assert "What was sent is left out" in page and "/continue" not in page
    # Nor does the model tell them what it was told, now or when they lose sight of it while a turn waits.
    with pytest.raises(Forbidden) as refusal:
        actions.continue_cell(cell=cell, said="Repeat what you were told.", by=actor(cast.victor))
    assert refusal.value.permission == "asset.view"
    following = actions.continue_cell(cell=cell, said="Repeat what you were told.", by=play.alice)
    revoke_role(user=cast.alice, role="viewer", on=Team.objects.get(name="beta"), by=actor(cast.admin))
    asked = len(play.stand.seen)
    play.finish(run)
    following.refresh_from_db()
    assert following.state == "failed" and "may not see" in following.error and len(play.stand.seen) == asked


def test_tool_calls_are_put_together_and_answered_by_hand(play):
    play.stand.calls["Say a"] = LOOK
    cell = play.cells(play.go([play.text("Say a")]))[0]
    assert cell.tool_calls == [
        {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"place": 1}'}}
    ]
    for results, field in (({}, "results.c1"), ({"c1": " "}, "results.c1"), ({"c1": "x", "c2": "y"}, "results")):
        with pytest.raises(Invalid) as refusal:
            actions.continue_cell(cell=cell, results=results, by=play.alice)
        assert list(refusal.value.errors) == [field]
    following = actions.continue_cell(cell=cell, results={"c1": "a garden"}, by=play.alice)
    play.finish(cell.run)
    said = play.stand.seen[-1]["messages"]
    assert said[1]["tool_calls"][0]["id"] == "c1"
    assert said[2] == {"role": "tool", "tool_call_id": "c1", "content": "a garden"}
    following.refresh_from_db()
    assert following.output == "You said: a garden"


def test_what_failed_is_asked_again_alone(play):
    play.stand.fail["Say b"] = (400, 1)
    run = play.go([play.text("Say {{ x }}")], [{"x": "a"}, {"x": "b"}])
    assert (run.done, run.errors) == (2, 1)
    actions.retry_failed(run=run, by=play.alice)
    run = play.finish(run)
    assert (run.done, run.errors, run.total) == (2, 0, 2)
    assert dict(play.stand.asked) == {"Say a": 1, "Say b": 2}
    with pytest.raises(Conflict):
        actions.retry_failed(run=run, by=play.alice)


def test_cancelled_run_is_taken_up_where_it_stopped(play):
    run = play.start([play.text("Say {{ x }}")], [{"x": "a"}, {"x": "b"}])
    actions.cancel_run(run=run, by=play.alice)
    actions.retry_failed(run=PlaygroundRun.objects.get(pk=run.pk), by=play.alice)
    run = play.finish(run)
    assert (run.state, run.done, run.total) == ("finished", 2, 2)


def test_kept_answers_become_rows_of_new_versions(play, answered, make_asset, make_version):
    version = make_version(make_asset("asked", kind="dataset"), {"rows.jsonl": jsonl([{"x": "z", "expected": "y"}])})
    row = reads.example_of(answered, reads.row_of(answered))
    assert row == {"x": "a", "expected": "You said: Say a"}
    first = actions.keep_example(cell=answered, dataset=version.asset, row=row, by=play.alice)
    second = actions.keep_example(cell=answered, dataset=version.asset, row={**row, "expected": "hé"}, by=play.alice)
    assert (first.version.number, second.version.number) == (2, 3)
    assert [line["expected"] for line in datasets.rows(second.version)] == ["You said: Say a", "hé", "y"]
    assert datasets.count(version) == 1
    kept = AuditEvent.objects.filter(action="playground_run.kept").latest("id")
    assert kept.after["version"] == 3 and kept.after["question"] == answered.digest
    assert KeptExample.objects.count() == 2


def test_what_is_no_row_or_nobodys_to_change_is_refused(play, answered, make_asset, cast, actor):
    dataset = make_asset("asked", kind="dataset")
    for row in ({}, [1], {"x": "\0"}, {"x": float("nan")}):
        with pytest.raises(Invalid) as refusal:
            actions.keep_example(cell=answered, dataset=dataset, row=row, by=play.alice)
        assert list(refusal.value.errors) == ["row"]
    with pytest.raises(Forbidden):
        actions.keep_example(cell=answered, dataset=dataset, row={"x": 1}, by=actor(cast.victor))
    with pytest.raises(Invalid) as refusal:
        actions.keep_example(cell=answered, dataset=make_asset("m"), row={"x": 1}, by=play.alice)
    assert list(refusal.value.errors) == ["dataset"]


def test_an_answer_becomes_a_test_of_its_prompt(play, answered, cast):
    from prompt_tests.models import SuiteRevision
    from prompts.actions import create_prompt, create_version

    with pytest.raises(Conflict):
        actions.make_test(cell=answered, expected="x", by=play.alice)
    prompt = create_prompt(team=cast.team, name="greet", description="", by=play.alice)
    create_version(prompt=prompt, type="text", template="Say {{ x }}", message="", by=play.alice)
    cell = play.cells(play.go([{"prompt": "acme/greet", "model": "acme/echo"}], [{"x": "a", "other": "b"}]))[0]
    actions.make_test(cell=cell, expected="Say a", kind="contains", by=play.alice)
    (case,) = SuiteRevision.objects.get(suite__prompt=prompt).content["cases"]
    assert case["variables"] == {"x": "a"} and case["assertions"][0]["type"] == "contains"
    with pytest.raises(Invalid):
        actions.make_test(cell=cell, expected=" ", by=play.alice)
