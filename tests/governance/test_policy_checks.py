"""Each check of a policy against evidence: what passes, what fails, what waits and for what."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.access import Actor
from governance import actions, policies
from governance.models import ApprovalRequest, Evidence
from governance.moves import Move, Pointer
from governance.rules import parse

REVIEWS = {"count": 1, "role": "reviewer"}
EXACT = {"type": "metric", "metric": "exact_match", "bound": "lower", "minimum": 0.9, "dataset": "acme/dates"}
OLD, NEW = "sha256:1", "sha256:2"


@pytest.fixture
def deposit(cast):
    def make(kind, digest, payload, label="x"):
        return actions.deposit_evidence(
            team=cast.team, kind=kind, subject_digest=digest, label=label, payload=payload, by=Actor(cast.alice)
        )

    return make


@pytest.fixture
def measured(deposit):
    def make(digest=NEW, *, value=0.97, lower=0.95, dataset=1, version=1):
        figures = {"value": value, "lower": lower, "upper": 1.0, "n": 250, "version": version}
        rows = {"label": "acme/dates", "version": dataset, "digest": f"sha256:d{dataset}"}
        return deposit("evaluation", digest, {"metrics": {"exact_match": figures}, "dataset": rows})

    return make


@pytest.fixture
def newest(deposit):
    return lambda number: deposit(
        "dataset",
        f"sha256:d{number}",
        {"label": "acme/dates", "version": number, "digest": f"sha256:d{number}"},
        "acme/dates",
    )


@pytest.fixture
def line(cast):
    """line(check) -> the one line of a policy with this check, for version 2 that would follow version 1 in production."""

    def judge(check, *, previous=OLD, as_of=None, slot="production", kind="model"):
        move = Move(
            team=cast.team, kind=kind, asset_id=7, asset_label="acme/m", version_id=2, version_number=2, digest=NEW,
            slot=slot, previous=Pointer(1, 1, previous) if previous else None,
        )  # fmt: skip
        verdict = policies.evaluate(move, rules=parse([check], REVIEWS), as_of=as_of)
        return verdict.checks[0]

    return judge


def aged(evidence, days):
    Evidence.objects.filter(pk=evidence.pk).update(created_at=timezone.now() - timedelta(days=days))


def test_a_superseded_dataset_counts_only_where_the_check_pins_it(line, measured, newest):
    newest(1)
    measured(dataset=1)
    assert line(EXACT).state == "passed"
    newest(2)
    stale = line(EXACT)
    assert stale.state == "waiting"
    assert "acme/dates version 1, and version 2 is the newest" in stale.detail
    assert line({**EXACT, "dataset_version": 1}).state == "passed"
    measured(dataset=2, lower=0.85)
    assert line(EXACT).state == "failed"
    assert "acme/dates version 2" in line(EXACT).detail


def test_another_datasets_newest_version_supersedes_nothing(line, measured, deposit):
    measured(dataset=1)
    deposit("dataset", "sha256:o", {"label": "acme/other", "version": 9, "digest": "sha256:o"}, "acme/other")
    assert line(EXACT).state == "passed"


def test_a_metric_that_is_computed_otherwise_now_is_measured_again(line, measured):
    measured(version=1)
    assert line(EXACT).state == "passed"
    measured("sha256:other", version=2)
    assert line(EXACT).state == "waiting"
    assert "version 2 is in use" in line(EXACT).detail


@pytest.mark.parametrize(
    ("margin", "lower", "state"),
    [(0.0, 0.95, "passed"), (0.0, 0.93, "failed"), (-0.05, 0.90, "passed"), (0.02, 0.95, "failed")],
)
def test_production_is_the_threshold(line, measured, margin, lower, state):
    check = {"type": "metric", "metric": "exact_match", "bound": "lower", "against": "production", "better": "higher"}
    measured(OLD, value=0.94)
    measured(NEW, lower=lower)
    found = line({**check, "margin": margin})
    assert found.state == state
    assert "production's version 1 has 0.94" in found.detail
    assert found.compared_digest


def test_where_less_is_better_production_is_the_ceiling(line, measured):
    check = {"type": "metric", "metric": "exact_match", "bound": "value", "against": "production", "better": "lower"}
    measured(OLD, value=0.5)
    measured(NEW, value=0.4)
    assert line(check).state == "passed"
    assert line({**check, "margin": 0.2}).state == "failed"


def test_nothing_in_production_is_nothing_to_beat(line, measured):
    check = {"type": "metric", "metric": "exact_match", "bound": "lower", "against": "production", "better": "higher"}
    measured(NEW)
    found = line(check, previous=None)
    assert found.state == "passed"
    assert "Nothing is in production yet" in found.detail


def test_production_that_was_not_measured_on_these_rows_is_waited_for(line, measured):
    check = {"type": "metric", "metric": "exact_match", "bound": "lower", "against": "production", "better": "higher"}
    measured(NEW, dataset=2)
    measured(OLD, dataset=1)
    found = line(check)
    assert found.state == "waiting"
    assert "evaluate it there" in found.detail


def test_on_the_way_to_staging_production_is_what_was_approved_last(cast, line, measured):
    measured(OLD, value=0.99)
    measured(NEW, lower=0.95)
    ApprovalRequest.objects.create(
        team=cast.team, kind="model", asset_id=7, asset_label="acme/m", version_id=1, version_number=1, digest=OLD,
        slot="production", stage="production", requested_by=cast.alice, state="applied", closed_at=timezone.now(),
    )  # fmt: skip
    check = {"type": "metric", "metric": "exact_match", "bound": "lower", "against": "production", "better": "higher"}
    assert line(check, slot="staging", previous=None).state == "failed"


def test_old_evidence_does_not_count(line, measured):
    found = measured()
    aged(found, 40)
    assert line({**EXACT, "max_age_days": 30}).state == "waiting"
    assert "40 days old" in line({**EXACT, "max_age_days": 30}).detail
    assert line({**EXACT, "max_age_days": 60}).state == "passed"


def test_evidence_counts_from_its_day_on(line, measured):
    measured()
    assert line(EXACT, as_of=timezone.now() - timedelta(days=1)).state == "waiting"


def test_a_scan_that_found_something_blocks(line, deposit):
    assert line({"type": "scan"}).state == "waiting"
    deposit("scan", NEW, {"verdict": "clean", "findings": [], "scanner": "s 1"})
    assert line({"type": "scan"}).state == "passed"
    deposit(
        "scan", NEW, {"verdict": "unsafe", "findings": [{"path": "a.pkl", "text": "calls os.system"}], "scanner": "s 1"}
    )
    assert line({"type": "scan"}).state == "failed"
    assert "a.pkl: calls os.system" in line({"type": "scan"}).detail


@pytest.mark.parametrize(
    ("licence", "state"),
    [("MIT", "passed"), ("apache-2.0", "passed"), ("GPL-3.0", "failed"), ("", "failed"), ("MIT OR GPL-3.0", "passed"),
     ("MIT AND GPL-3.0", "failed"), ("mit and apache-2.0", "passed"), ("(MIT)", "failed")],
)  # fmt: skip
def test_a_licence_is_one_of_those_allowed(line, deposit, licence, state):
    deposit("card", NEW, {"complete": True, "missing": [], "licence": licence})
    assert line({"type": "licence", "allow": ["Apache-2.0", "mit"]}).state == state


def test_a_card_says_what_is_asked_of_it(line, deposit):
    deposit("card", NEW, {"complete": False, "missing": ["limits"], "fields": {"intended_use": "x", "contact": ""}})
    assert line({"type": "card"}).state == "failed"
    assert line({"type": "card", "fields": ["intended_use"]}).state == "passed"
    assert "contact" in line({"type": "card", "fields": ["intended_use", "contact"]}).detail


def test_lineage_names_what_is_missing(line, deposit):
    assert line({"type": "lineage"}).state == "waiting"
    deposit("lineage", NEW, {"complete": False, "missing": ["what it was trained on"], "sources": ["run 3"]})
    assert line({"type": "lineage"}).state == "failed"
    deposit("lineage", NEW, {"complete": True, "missing": [], "sources": ["run 3", "dataset acme/dates"]})
    assert "run 3, dataset acme/dates" in line({"type": "lineage"}).detail


def test_judging_costs_the_same_with_much_evidence(line, measured, django_assert_max_num_queries):
    for _ in range(30):
        measured()
    with django_assert_max_num_queries(5):
        line(EXACT)
