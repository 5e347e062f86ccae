import pytest

from governance.rules import DEFAULT_RULES, InvalidRules, parse

METRIC = {"type": "metric", "metric": "exact_match", "bound": "lower", "minimum": 0.9, "dataset": "acme/dates"}
REVIEWS = {"count": 1, "role": "reviewer"}


def test_rules_survive_being_written_and_read():
    rules = parse([METRIC, {"type": "card"}], REVIEWS)
    again = rules.as_json()
    assert parse(again["checks"], again["reviews"]) == rules


def test_rules_read_as_sentences():
    rules = parse([METRIC], {"count": 2, "role": "reviewer"})
    assert rules.checks[0].title == "Lower bound of exact match on acme/dates at least 0.9"
    assert rules.reviews.title == "2 reviews by a reviewer who is neither the author nor the requester"


@pytest.mark.parametrize(
    ("checks", "reviews", "field"),
    [
        ("x", REVIEWS, "checks"),
        ([{"type": "vibes"}], REVIEWS, "checks[0].type"),
        ([METRIC, {**METRIC, "bound": "middle"}], REVIEWS, "checks[1].bound"),
        ([{**METRIC, "minimum": None}], REVIEWS, "checks[0].minimum"),
        ([{**METRIC, "minimum": "0.9"}], REVIEWS, "checks[0].minimum"),
        ([{**METRIC, "minimum": float("nan")}], REVIEWS, "checks[0].minimum"),
        ([{**METRIC, "minimum": 0.9, "maximum": 0.1}], REVIEWS, "checks[0].maximum"),
        ([{**METRIC, "metric": ""}], REVIEWS, "checks[0].metric"),
        ([{**METRIC, "dataset": "dates"}], REVIEWS, "checks[0].dataset"),
        ([], {"count": 0, "role": "reviewer"}, "reviews.count"),
        ([], {"count": True, "role": "reviewer"}, "reviews.count"),
        ([], {"count": 1, "role": "Queen of all"}, "reviews.role"),
        ([], None, "reviews"),
        ([{**METRIC, "minimun": 0.9}], REVIEWS, "checks[0].minimun"),
        ([{**METRIC, "minimum": float("inf")}], REVIEWS, "checks[0].minimum"),
        ([{**METRIC, "minimum": 10**400}], REVIEWS, "checks[0].minimum"),
        ([{**METRIC, "against": "production", "better": "higher"}], REVIEWS, "checks[0].minimum"),
        ([{**METRIC, "margin": 0.1}], REVIEWS, "checks[0].margin"),
        ([{"type": "metric", "metric": "x", "against": "production"}], REVIEWS, "checks[0].better"),
        ([{**METRIC, "dataset_version": 0}], REVIEWS, "checks[0].dataset_version"),
        ([{**METRIC, "dataset": None, "dataset_version": 3}], REVIEWS, "checks[0].dataset_version"),
        ([{**METRIC, "max_age_days": 0}], REVIEWS, "checks[0].max_age_days"),
        ([{"type": "licence"}], REVIEWS, "checks[0].allow"),
        ([{"type": "licence", "allow": []}], REVIEWS, "checks[0].allow"),
        ([{"type": "licence", "allow": ["MIT", "mit"]}], REVIEWS, "checks[0].allow"),
        ([{"type": "card", "fields": [1]}], REVIEWS, "checks[0].fields"),
        ([{"type": ["metric"]}], REVIEWS, "checks[0].type"),
        ([METRIC] * 10_000, REVIEWS, "checks"),
        ([], {**REVIEWS, "ordred": True}, "reviews.ordred"),
        ([], {"steps": []}, "reviews.steps"),
        ([], {"steps": [REVIEWS] * 9}, "reviews.steps"),
        ([], {"steps": [{"count": 1, "role": "reviewer", "group": "legal"}]}, "reviews.steps[0].group"),
        ([], {"steps": ["reviewer"]}, "reviews.steps[0]"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_and_named(checks, reviews, field):
    with pytest.raises(InvalidRules) as refused:
        parse(checks, reviews)
    assert field in refused.value.errors


def test_the_built_in_rule_asks_for_one_reviewer():
    assert DEFAULT_RULES.reviews.count == 1


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ([], "terms"),
        ({"shelf_life_days": 0}, "terms.shelf_life_days"),
        ({"shelf_life_days": -5}, "terms.shelf_life_days"),
        ({"open_days": 10_000}, "terms.open_days"),
        ({"shelf_live_days": 5}, "terms.shelf_live_days"),
        ({"escalate_after_h": 5}, "terms.escalate_to"),
        ({"escalate_to": "role:admin"}, "terms.escalate_after_h"),
        ({"escalate_after_h": 5, "escalate_to": "admin"}, "terms.escalate_to"),
        ({"open_days": 1, "escalate_after_h": 24, "escalate_to": "role:admin"}, "terms.escalate_after_h"),
        ({"break_glass": "yes"}, "terms.break_glass"),
    ],
)
def test_terms_that_make_no_sense_are_refused_and_named(terms, field):
    with pytest.raises(InvalidRules) as refused:
        parse([], REVIEWS, terms)
    assert field in refused.value.errors


def test_ordered_reviews_and_terms_read_as_sentences():
    reviews = {"steps": [{"count": 1, "role": "reviewer"}, {"count": 2, "group": "legal"}], "ordered": True}
    rules = parse([], reviews, {"shelf_life_days": 90, "escalate_after_h": 24, "escalate_to": "role:admin"})
    assert rules.reviews.title.endswith(", then 2 reviews by members of the group legal")
    assert "An approval is good for 90 days, then it is renewed" in rules.sentences
    assert "Unanswered for 24 h, it goes to the role admin" in rules.sentences
    again = rules.as_json()
    assert parse(again["checks"], again["reviews"], again["terms"]) == rules


def test_every_check_survives_being_written_and_read():
    against = {
        "type": "metric",
        "metric": "x",
        "bound": "upper",
        "against": "production",
        "margin": -0.1,
        "better": "lower",
    }
    checks = [
        METRIC, against, {"type": "card", "fields": ["limits"]}, {"type": "scan", "max_age_days": 7},
        {"type": "licence", "allow": ["MIT"]}, {"type": "lineage"},
    ]  # fmt: skip
    assert parse(checks, REVIEWS).as_json()["checks"] == checks
    assert parse([against], REVIEWS).checks[0].title == "Upper bound of x not more than 0.1 above production"
