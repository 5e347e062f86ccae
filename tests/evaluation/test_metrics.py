import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.metrics import METRICS, Measured, compute
from evaluation.statistics import quantile, ratio, wilson
from evaluation.texts import levenshtein, score, score_of_no_answer


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ("kitten", "sitting", 3),
        ("", "abc", 3),
        ("abc", "", 3),
        ("", "", 0),
        ("2021-03-03", "2021-03-03", 0),
        ("2021-03-03", "2021-30-03", 2),
        ("flaw", "lawn", 2),
        ("intention", "execution", 5),
        ("日本語", "日本人", 1),
        ("a" * 500, "a" * 499 + "b", 1),
    ],
)
def test_levenshtein_of_known_pairs(a, b, distance):
    assert levenshtein(a, b) == levenshtein(b, a) == distance


def textbook(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (x != y))
    return row[-1]


@given(st.text("abc ", max_size=70), st.text("abc ", max_size=70))
def test_levenshtein_is_the_textbook_table(a, b):
    assert levenshtein(a, b) == textbook(a, b)


def test_white_space_around_texts_counts_for_nothing():
    assert score(" 2021-03-03\n", "2021-03-03").correct
    assert score("2021-03-03", "2021-03-04").as_json() == {"exact_match": 0, "edits": 1, "reference": 10}


def test_no_answer_is_wrong_in_every_character():
    assert score_of_no_answer("abcd").as_json() == {"exact_match": 0, "edits": 4, "reference": 4}


@pytest.mark.parametrize(
    ("successes", "n", "lower", "upper"),
    [
        # R: binom::binom.confint(x, n, methods = "wilson")
        (81, 263, 0.2552725, 0.3661682),
        (15, 148, 0.0623890, 0.1604952),
        (0, 20, 0.0, 0.1611252),
        (1, 29, 0.0061096, 0.1717623),
        (20, 20, 0.8388748, 1.0),
        (95, 100, 0.8882495, 0.9784547),
    ],
)
def test_wilson_interval_of_known_values(successes, n, lower, upper):
    found = wilson(successes, n)
    assert found.value == successes / n
    assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=2e-4)


def test_a_share_of_nothing_is_refused():
    with pytest.raises(ValueError):
        wilson(0, 0)
    with pytest.raises(ValueError):
        wilson(3, 2)


def test_median_interval_has_the_ranks_of_the_binomial_table():
    # Conover's tables: the ranks for a median's 95 % interval.
    values = list(range(1, 101))
    found = quantile(values, 0.5)
    assert (found.value, found.lower, found.upper) == (50, 40, 61)
    assert (quantile(range(1, 11), 0.5).lower, quantile(range(1, 11), 0.5).upper) == (2, 9)


def test_p95_of_few_values_reaches_to_the_largest():
    found = quantile([5.0, 1.0, 3.0], 0.95)
    assert (found.value, found.upper) == (5.0, 5.0)
    assert found.lower <= found.value


def test_quantile_interval_covers_the_true_quantile_about_as_often_as_it_says():
    generator = random.Random(1)
    hits = 0
    for _ in range(400):
        sample = [generator.expovariate(1) for _ in range(60)]
        found = quantile(sample, 0.5)
        hits += found.lower <= 0.6931 <= found.upper
    assert hits / 400 >= 0.93


def test_ratio_is_of_sums_and_the_same_each_time():
    above, below = [1, 0, 2, 0, 1] * 20, [10, 10, 10, 5, 5] * 20
    found = ratio(above, below)
    assert found.value == pytest.approx(80 / 800)
    assert found.lower < found.value < found.upper
    assert found == ratio(above, below)


def test_ratio_interval_agrees_with_the_normal_one_of_many_examples():
    generator = random.Random(2)
    edits = [generator.random() < 0.1 for _ in range(2_000)]
    found = ratio([int(e) for e in edits], [1] * 2_000)
    expected = wilson(sum(edits), 2_000)
    assert (found.lower, found.upper) == pytest.approx((expected.lower, expected.upper), abs=0.004)


def example(output, expected, latency_ms=100.0, tokens=5):
    return Measured(score(output, expected).as_json(), latency_ms, tokens)


def test_all_metrics_of_a_few_examples():
    examples = [example("abcd", "abcd"), example("abcx", "abcd", 300.0, 3), example("abcd", "abcd", 200.0, 4)]
    found = compute(examples)
    assert set(found) == set(METRICS)
    assert found["exact_match"]["value"] == pytest.approx(2 / 3)
    assert found["character_error_rate"]["value"] == pytest.approx(1 / 12)
    assert found["latency_p50_ms"]["value"] == 200.0
    assert found["latency_p95_ms"]["value"] == 300.0
    assert found["tokens_per_second"]["value"] == pytest.approx(12 / 0.6)
    for figures in found.values():
        assert figures["n"] == 3
        assert figures["lower"] <= figures["value"] <= figures["upper"]


def test_examples_without_an_answer_count_against_quality_and_not_for_speed():
    none = Measured(score_of_no_answer("abcd").as_json(), None, None)
    found = compute([example("abcd", "abcd"), none])
    assert found["exact_match"]["value"] == 0.5
    assert found["character_error_rate"]["value"] == 0.5
    assert found["latency_p50_ms"]["n"] == 1


def test_metrics_that_cannot_be_computed_are_left_out():
    found = compute([Measured(score("", "").as_json(), None, None)])
    assert set(found) == {"exact_match"}
    with pytest.raises(ValueError):
        compute([])


def test_every_metric_says_what_it_is():
    for metric in METRICS.values():
        assert metric.better in ("higher", "lower")
        assert all([metric.title, metric.description, metric.source])
    assert [m.name for m in METRICS.values() if m.is_share] == ["exact_match", "character_error_rate"]


def test_pieces_put_expected_and_answer_back_together():
    from evaluation.differences import pieces

    for expected, output in itertools.permutations(["2021-03-03", "3 March 2021", "", "2021-30-03"], 2):
        found = pieces(expected, output)
        assert "".join(p.text for p in found if p.kind != "extra") == expected
        assert "".join(p.text for p in found if p.kind != "missing") == output
    assert pieces("x" * 5_000, "y") == []
    assert pieces("ab" * 1_000, "ba" * 1_000) == []  # within the length, and yet millions of steps
