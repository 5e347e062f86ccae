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
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_and_named(checks, reviews, field):
    with pytest.raises(InvalidRules) as refused:
        parse(checks, reviews)
    assert field in refused.value.errors


def test_the_built_in_rule_asks_for_one_reviewer():
    assert DEFAULT_RULES.reviews.count == 1
