import pytest

from accounts.access import Actor
from accounts.errors import Conflict, Forbidden, Invalid
from evaluation import actions
from evaluation.models import Evaluation
from governance.ledger.models import AuditEvent
from governance.models import Evidence
from serving.models import Deployment, Hold


def refused(start, **fields):
    before = Evaluation.objects.count()
    with pytest.raises(Invalid) as caught:
        start(**fields)
    assert Evaluation.objects.count() == before
    ((field, (text,)),) = caught.value.errors.items()
    return field, text


def test_creating_one_writes_the_event_of_version_model_and_dataset(evaluating, model_version, rows):
    evaluation = evaluating.start(max_tokens=16)
    assert (evaluation.state, evaluation.total, evaluation.done, evaluation.rows) == ("queued", 40, 0, 40)
    assert evaluation.parameters["max_tokens"] == 16
    assert evaluation.parameters["endpoint"] == "chat"
    event = AuditEvent.objects.get(action="evaluation.started")
    assert event.actor_name == "Alice"
    assert {f"version:{model_version.pk}", f"model:{model_version.asset_id}", f"version:{rows.pk}"} <= set(
        event.subjects
    )


@pytest.mark.parametrize(("who", "allowed"), [("alice", True), ("admin", True), ("victor", False), ("bob", False),
                                              ("dana", False), ("carol", False), ("mallory", False)])  # fmt: skip
def test_contributors_start_and_cancel_evaluations(cast, model_version, rows, evaluating, who, allowed):
    by = Actor(getattr(cast, who))
    if allowed:
        made = actions.create_evaluation(version=model_version, dataset_version=rows, by=by)
        assert actions.cancel_evaluation(evaluation=made, by=by).state == "cancelled"
        return
    with pytest.raises(Forbidden):
        actions.create_evaluation(version=model_version, dataset_version=rows, by=by)
    made = evaluating.start()
    with pytest.raises(Forbidden):
        actions.cancel_evaluation(evaluation=made, by=by)


def test_a_row_without_the_expected_field_is_named(evaluating, make_rows):
    rows = make_rows([{"input": "a", "expected": "b"}, {"input": "a", "answer": "b"}], name="broken")
    field, text = refused(evaluating.start, dataset_version=rows)
    assert field == "parameters.expected_field"
    assert "rows.jsonl, row 2" in text
    assert "'answer'" in text


def test_a_field_that_holds_no_text_is_named(evaluating, make_rows):
    rows = make_rows([{"input": ["a"], "expected": "b"}], name="broken")
    field, text = refused(evaluating.start, dataset_version=rows)
    assert field == "parameters.input_field"
    assert "a list" in text


def test_an_embedding_model_is_refused_with_the_reason(evaluating, make_asset, make_version):
    version = make_version(make_asset("minilm", task="feature-extraction"))
    field, text = refused(evaluating.start, version=version)
    assert field == "model"
    assert "embeddings" in text


def test_drafts_and_things_of_the_wrong_kind_are_refused(evaluating, make_asset, make_draft, model_version, rows):
    assert refused(evaluating.start, version=make_draft(make_asset("draft")))[0] == "version"
    assert refused(evaluating.start, version=rows)[0] == "model"
    assert refused(evaluating.start, dataset_version=model_version)[0] == "dataset"
    draft = make_draft(make_asset("draft", kind="dataset"))
    assert refused(evaluating.start, dataset_version=draft)[0] == "dataset_version"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"max_tokens": 0}, "parameters.max_tokens"),
        ({"max_tokens": True}, "parameters.max_tokens"),
        ({"temperature": 3}, "parameters.temperature"),
        ({"limit": 0}, "parameters.limit"),
        ({"speed": 3}, "parameters"),
        ({"expected_field": "input"}, "parameters.expected_field"),
    ],
)
def test_wrong_parameters_are_named(evaluating, given, field):
    assert refused(evaluating.start, **given)[0] == field


def test_a_finished_evaluation_leaves_evidence_and_an_event_about_the_digest(evaluating, model_version, rows):
    evaluating.stand.wrong = {"in 7": "out seven"}
    evaluation = evaluating.finish(evaluating.start())
    assert (evaluation.state, evaluation.done, evaluation.errors) == ("succeeded", 40, 0)
    assert evaluation.results["exact_match"]["value"] == 39 / 40
    evidence = Evidence.objects.get(kind="evaluation")
    assert evidence.subject_digest == model_version.digest
    assert evidence.link == f"/evaluations/{evaluation.pk}"
    assert evidence.payload["metrics"] == evaluation.results
    assert evidence.payload["dataset"] == {"label": "acme/dates", "version": 1, "digest": rows.digest}
    assert evidence.payload["evaluation"] == evaluation.pk
    event = AuditEvent.objects.get(action="evaluation.finished")
    assert event.via == "task"
    assert event.actor_name == "Alice"
    assert event.after["metrics"]["exact_match"]["value"] == 39 / 40
    assert f"version:{model_version.pk}" in event.subjects
    wrong = evaluation.examples.get(correct=False)
    assert (wrong.index, wrong.output, wrong.expected) == (7, "out seven", "out 7")


def test_the_model_is_let_go_of_at_the_end(evaluating):
    evaluation = evaluating.start()
    evaluating.finish(evaluation)
    assert not Hold.objects.exists()
    assert Deployment.objects.get().desired == "stopped"


def test_a_part_of_a_dataset_is_measured_and_is_no_evidence(evaluating):
    evaluation = evaluating.finish(evaluating.start(limit=5))
    assert (evaluation.state, evaluation.total, evaluation.rows) == ("succeeded", 5, 40)
    assert evaluation.results
    assert not Evidence.objects.filter(kind="evaluation").exists()


def test_cancelling_ends_it_at_once_and_lets_go_of_the_model(evaluating):
    from evaluation import runner

    evaluation = evaluating.start()
    runner.take_turn(evaluation.pk)
    assert Hold.objects.filter(holder=evaluation.holder).exists()
    cancelled = actions.cancel_evaluation(evaluation=evaluation, by=evaluating.alice)
    assert (cancelled.state, cancelled.lease_owner) == ("cancelled", "")
    assert not Hold.objects.exists()
    assert AuditEvent.objects.filter(action="evaluation.cancelled").count() == 1
    assert runner.take_turn(evaluation.pk) is None
    assert not Hold.objects.exists()
    with pytest.raises(Conflict):
        actions.cancel_evaluation(evaluation=evaluation, by=evaluating.alice)
