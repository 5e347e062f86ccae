"""Runs: each column on each row, as the person who asked, once."""

import threading
import time
from decimal import Decimal

import pytest

from accounts.access import Actor
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.models import ApiKey
from evaluation import leasing
from governance.ledger.models import AuditEvent
from playground import actions, live
from playground.leases import LEASES
from playground.models import Cell, PlaygroundRun
from tests.evaluation.conftest import jsonl
from tests.playground.conftest import make_deployment


def test_each_column_answers_each_row(play):
    run = play.go(
        [play.text("Say {{ x }}"), play.text("Sing {{ x }} to {{ y }}")], [{"x": "a", "y": "b"}, {"x": "c", "y": "d"}]
    )
    assert (run.state, run.total, run.done, run.errors) == ("finished", 4, 4, 0)
    cells = play.cells(run)
    assert [cell.output for cell in cells] == [
        "You said: Say a", "You said: Sing a to b", "You said: Say c", "You said: Sing c to d",
    ]  # fmt: skip
    first = cells[0]
    assert (first.prompt_tokens, first.completion_tokens, first.finish_reason) == (10, 4, "stop")
    assert first.cost == Decimal("0.000018") and first.currency == "USD"
    assert 0 < first.first_token_ms <= first.latency_ms
    assert first.messages == [{"role": "user", "content": "Say a"}] and first.digest.startswith("sha256:")


def test_run_is_told_by_two_events_with_what_it_took(play):
    play.go([play.text("Say {{ x }}")], [{"x": "a"}])
    started = AuditEvent.objects.get(action="playground_run.started")
    assert started.actor_name == "Alice" and started.after["cells"] == 1
    finished = AuditEvent.objects.get(action="playground_run.finished")
    assert finished.after["prompt_tokens"] == 10 and finished.after["cost"] == {"USD": "0.000018"}


def test_parameters_tools_and_format_are_passed_on_and_notes_are_not(play):
    content = {
        "type": "chat",
        "template": [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "{{ x }}"}],
        "parameters": {"temperature": 0.5, "team_note": "ours"},
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    }
    play.go([{"content": content, "model": "echo", "parameters": {"max_tokens": 9, "temperature": 0}}], [{"x": "a"}])
    (body,) = play.stand.seen
    assert body["messages"][0] == {"role": "system", "content": "Be brief"}
    assert (body["temperature"], body["max_tokens"], body["stream"], body["model"]) == (0, 9, True, "acme/echo")
    assert "team_note" not in body and body["tools"][0]["function"]["name"] == "look"


def test_model_without_a_chat_template_completes_the_text(play):
    play.stand.plain = True
    run = play.go([play.text("Say {{ x }}")], [{"x": "a"}])
    assert play.cells(run)[0].output == "You said: Say a"


def test_repeats_are_cells_of_their_own(play):
    play.stand.says["Say a"] = ["one", "two", "one"]
    run = play.go([play.text("Say {{ x }}")], [{"x": "a"}], repeats=3)
    assert sorted(cell.output for cell in play.cells(run)) == ["one", "one", "two"]


def test_answers_are_held_against_the_schema(play):
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}
    shape = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    play.stand.says |= {"a": '{"n": 3}', "b": '{"n": 1}', "c": "no", "d": "[]"}
    content = {"type": "text", "template": "{{ x }}", "response_format": shape}
    run = play.go([{"content": content, "model": "acme/echo"}], [{"x": x} for x in "abcd"])
    cells = play.cells(run)
    assert [cell.fits for cell in cells] == [True, False, False, False]
    assert "minimum" in cells[1].problem and cells[2].problem.startswith("No JSON")
    assert play.stand.seen[0]["response_format"] == shape


def test_dataset_rows_fill_variables_by_name_or_mapping(play, make_asset, make_version):
    rows = [{"question": "a", "answer": "You said: Say a"}, {"question": "b", "answer": "else"}]
    version = make_version(make_asset("asked", kind="dataset"), {"rows.jsonl": jsonl(rows)})
    run = play.go(
        [play.text("Say {{ x }}")], dataset_version=version, mapping={"x": "question"}, expected_field="answer"
    )
    assert [cell.matches for cell in play.cells(run)] == [True, False]
    with pytest.raises(Invalid) as refusal:
        play.start([play.text("Say {{ x }}")], dataset_version=version, mapping={"x": "nothing"})
    assert "rows.jsonl, row 1: there is no field 'nothing'" in refusal.value.detail
    assert play.start([play.text("Say {{ question }}")], dataset_version=version, limit=1).total == 1


def test_missing_variable_is_an_error_of_its_cell_and_names_it(play):
    run = play.go([play.text("Say {{ x }}")], [{}, {"x": "a"}])
    first, second = play.cells(run)
    assert first.state == "failed" and "'x'" in first.error
    assert second.state == "done" and (run.done, run.errors) == (2, 1)


def test_stopped_model_and_one_that_may_not_be_called_are_errors_with_a_remedy(play, cast, actor, stand):
    from accounts.actions import create_role, grant_role

    make_deployment(cast.team, "idle", "")
    run = play.go([play.text("Say a"), play.text("Say a", model="acme/idle")])
    answered, stopped = play.cells(run)
    assert answered.state == "done"
    assert "acme/idle is stopped. Somebody who may deploy" in stopped.error and stopped.error_code == "model_stopped"
    # Invoked at staging alone: the deployment in development is seen and not called.
    admin = actor(cast.admin)
    create_role(
        team=cast.team,
        slug="staged",
        title="Staged",
        permissions=["asset.view", "deployment.view", "model.invoke"],
        by=admin,
    )
    grant_role(user=cast.mallory, role="staged", on=cast.team, stage="staging", by=admin)
    (cell,) = play.cells(play.go([play.text("Say a")], by=actor(cast.mallory)))
    assert cell.error_code == "permission_denied" and "model.invoke" in cell.error
    assert sum(stand.asked.values()) == 1


def test_failures_that_may_pass_are_tried_twice_and_others_once(play):
    play.stand.fail = {"a": (503, 1), "b": (503, 9), "c": (400, 9)}
    run = play.go([play.text("{{ x }}")], [{"x": x} for x in "abc"])
    assert [cell.state for cell in play.cells(run)] == ["done", "failed", "failed"]
    assert dict(play.stand.asked) == {"a": 2, "b": 2, "c": 1}
    assert play.cells(run)[2].error == "no luck with c (400)"


def test_limits_and_wrong_columns_are_named(play, cast):
    cases = [
        ([], {}, "columns"),
        ([{"content": {"template": "x"}}], {}, "columns[0].model"),
        ([play.text("x", model="acme/none")], {}, "columns[0].model"),
        ([play.text("x"), play.text("{{ x")], {}, "columns[1].content.template"),
        ([play.text("x", parameters={"messages": []})], {}, "columns[0].parameters"),
        ([play.text("x", parameters={"temperature": 9})], {}, "columns[0].parameters"),
        ([{"prompt": "acme/none", "model": "acme/echo"}], {}, "columns[0].prompt"),
        ([{"prompt": "rival/p", "model": "acme/echo"}], {}, "columns[0].prompt"),
        ([play.text("x")] * 9, {}, "columns"),
        ([play.text("x")], {"repeats": 21}, "repeats"),
        ([play.text("x")], {"rows": [{}] * 2001}, "rows"),
        ([play.text("x")], {"rows": ["x"]}, "rows[0]"),
        ([play.text("x")], {"rows": [{"x": "\0"}]}, "rows"),
        ([play.text("x")], {"rows": [{"x": "\ud800"}]}, "rows"),
    ]
    for columns, more, field in cases:
        with pytest.raises(Invalid) as refusal:
            play.start(columns, **more)
        assert list(refusal.value.errors) == [field], (field, refusal.value.errors)
    assert not PlaygroundRun.objects.exists()


def test_who_may_not_call_models_starts_nothing(play, cast, actor):
    with pytest.raises(Forbidden) as refusal:
        play.start([play.text("x")], by=actor(cast.carol))
    assert refusal.value.permission == "model.invoke"


def test_prompt_versions_by_number_label_and_draft(play, cast):
    from prompts.actions import create_prompt, create_version, move_label
    from prompts.models import PromptDraft

    prompt = create_prompt(team=cast.team, name="folder/greet", description="", by=play.alice)
    versions = []
    for text in ("Hi {{ x }}", "Hello {{ x }}"):
        prompt.refresh_from_db()
        versions.append(create_version(prompt=prompt, type="text", template=text, message="", by=play.alice))
    move_label(prompt=prompt, label="candidate", version=versions[0], by=play.alice)
    PromptDraft.objects.create(prompt=prompt, author=cast.alice, content={"type": "text", "template": "Hey {{ x }}"})
    columns = [
        {"prompt": "acme/folder/greet", "version": version, "model": "acme/echo"}
        for version in ("candidate", 2, None, "draft")
    ]
    run = play.go(columns, [{"x": "a"}])
    assert [cell.output[10:] for cell in play.cells(run)] == ["Hi a", "Hello a", "Hello a", "Hey a"]
    assert [column["version"] for column in run.columns] == [1, 2, 2, None]
    started = AuditEvent.objects.get(action="playground_run.started")
    assert f"prompt_version:{versions[0].pk}" in started.subjects and f"prompt:{prompt.pk}" in started.subjects


@pytest.mark.django_db(transaction=True)
def test_cancelling_drops_what_is_under_way_within_two_seconds(play):
    play.stand.delay_s = 0.5
    play.stand.says["slow"] = " ".join(["word"] * 60)
    run = play.start([play.text("slow")], [{}] * 8)
    worker = threading.Thread(target=play.runner.take_turn, args=[run.pk])
    worker.start()
    deadline = time.monotonic() + 10
    while not live.seen([cell.pk for cell in run.cells.filter(state="running")]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    asked = time.monotonic()
    actions.cancel_run(run=run, by=play.alice)
    worker.join(timeout=10)
    assert not worker.is_alive() and time.monotonic() - asked < 5
    run.refresh_from_db()
    assert run.state == "cancelled" and {cell.state for cell in run.cells.all()} == {"cancelled"}
    with pytest.raises(Conflict):
        actions.cancel_run(run=run, by=play.alice)


def test_what_a_dead_worker_had_in_hand_is_asked_again_and_answers_stay(play):
    run = play.start([play.text("Say {{ x }}")], [{"x": "a"}, {"x": "b"}])
    owner = leasing.new_owner()
    assert LEASES.take(run.pk, owner)
    assert not play.runner.take_turn(run.pk), "two are at it"
    from playground.actions import worker
    from playground.client import Answer

    worker.begin(run_id=run.pk, owner=owner)
    first, second = play.cells(run)
    worker.store_answers(run_id=run.pk, owner=owner, found=[Answer(first.pk, output="kept")], priced={})
    Cell.objects.filter(pk=second.pk).update(state="running")
    PlaygroundRun.objects.filter(pk=run.pk).update(lease_until="2020-01-01T00:00Z")
    assert LEASES.abandoned() == [run.pk]
    run = play.finish(run)
    assert [cell.output for cell in play.cells(run)] == ["kept", "You said: Say b"] and run.done == 2
    with pytest.raises(leasing.LeaseLost):
        worker.store_answers(run_id=run.pk, owner=owner, found=[], priced={})


def test_revoked_key_ends_its_run(play, cast):
    from accounts.actions import create_key

    key, _ = create_key(name="k", by=play.alice)
    run = play.start([play.text("Say a")], by=Actor(cast.alice, key=key, via="api"))
    ApiKey.objects.filter(pk=key.pk).update(revoked_at="2020-01-01T00:00Z")
    run = play.finish(run)
    assert run.state == "finished" and "API key" in run.message
    assert play.cells(run)[0].state == "failed" and not play.stand.seen
