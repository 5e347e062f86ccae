"""The demo's generated pairs say what they claim, and keep what is held back apart from what is trained on."""

import itertools
import random
from datetime import date

from examples.demo import dates


def test_every_spelling_names_its_day():
    day = date(2021, 3, 3)
    written = [form(day) for form in dates.FORMS]
    assert len(set(written)) >= len(dates.FORMS) - 1
    for text in ("the 3rd of March 2021", "third of March, 2021", "Wed 3 Mar 2021", "3/3/2021", "2021.03.03"):
        assert text in written


def test_figures_are_day_first_unless_the_year_leads():
    written = {form(date(2021, 4, 3)) for form in dates.FORMS}
    assert {"3/4/2021", "03.04.2021", "2021/4/3", "20210403"} <= written
    assert not {"4/3/2021", "04/03/2021"} & written


def test_ordinals_of_the_teens_end_in_th():
    assert [dates.ordinal(day) for day in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 31)] == (
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd", "31st"]
    )
    assert len(dates.ORDINALS) == 31
    assert dates.ORDINALS[20] == "twenty-first"


def test_no_spelling_means_two_days():
    rng = random.Random(1)
    meaning = {}
    for ordinal in range(dates.FIRST.toordinal(), dates.LAST.toordinal(), 11):
        pair = dates.write(date.fromordinal(ordinal), rng)
        assert meaning.setdefault(pair.text, pair.iso) == pair.iso


def test_held_back_days_are_never_trained_on():
    trained = {pair.iso for pair in itertools.islice(dates.training_pairs(seed=2021), 30_000)}
    held_back, validation = dates.held_back(), dates.validation()
    assert not trained & {pair.iso for pair in [*held_back, *validation]}
    assert not {pair.text for pair in held_back} & {pair.text for pair in validation}


def test_held_back_pairs_are_distinct_and_the_same_every_time():
    held_back = dates.held_back()
    assert len({pair.text for pair in held_back}) == len(held_back) == 250
    assert held_back == dates.held_back()
    assert all(dates.FIRST <= date.fromisoformat(pair.iso) <= dates.LAST for pair in held_back)
