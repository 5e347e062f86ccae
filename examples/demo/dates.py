"""Pairs of a written date and its ISO form: the world that `acme/date-normaliser` learns, and the dataset `acme/dates`.

A date written in figures is day first ('3/4/2021' is the third of April), unless it starts with the year.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

FIRST = date(1900, 1, 1)
LAST = date(2099, 12, 31)
# Every 23rd day is never trained on, in any spelling: a held-back example is a date that the model has not met.
RESERVED_EVERY = 23

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_UNITS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_TEENS = (
    *("tenth", "eleventh", "twelfth", "thirteenth", "fourteenth"),
    *("fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"),
)
ORDINALS = (
    *_UNITS,
    *_TEENS,
    "twentieth",
    *(f"twenty-{unit}" for unit in _UNITS),
    "thirtieth",
    "thirty-first",
)


@dataclass(frozen=True)
class Pair:
    """What a person wrote, and the same day as YYYY-MM-DD."""

    text: str
    iso: str


def ordinal(day: int) -> str:
    """1 -> '1st', 12 -> '12th', 23 -> '23rd'."""
    if 11 <= day <= 13:
        return f"{day}th"
    return f"{day}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th') }"


def _month(day: date) -> str:
    return MONTHS[day.month - 1]


def _mon(day: date) -> str:
    return _month(day)[:3]


def _weekday(day: date) -> str:
    return WEEKDAYS[day.weekday()]


def _word(day: date) -> str:
    return ORDINALS[day.day - 1]


# One entry per way of writing a day; each is as likely as any other.
FORMS: tuple[Callable[[date], str], ...] = (
    lambda d: f"the {ordinal(d.day)} of {_month(d)} {d.year}",
    lambda d: f"the {ordinal(d.day)} of {_month(d)}, {d.year}",
    lambda d: f"{ordinal(d.day)} of {_month(d)} {d.year}",
    lambda d: f"{ordinal(d.day)} {_month(d)} {d.year}",
    lambda d: f"{ordinal(d.day)} {_mon(d)} {d.year}",
    lambda d: f"{d.day} {_month(d)} {d.year}",
    lambda d: f"{d.day} {_mon(d)} {d.year}",
    lambda d: f"{d.day:02d} {_mon(d)} {d.year}",
    lambda d: f"{d.day}-{_mon(d)}-{d.year}",
    lambda d: f"{_month(d)} {d.day}, {d.year}",
    lambda d: f"{_month(d)} {ordinal(d.day)}, {d.year}",
    lambda d: f"{_mon(d)} {d.day}, {d.year}",
    lambda d: f"{_mon(d)}. {d.day}, {d.year}",
    lambda d: f"{_month(d)} the {_word(d)}, {d.year}",
    lambda d: f"{_word(d)} of {_month(d)}, {d.year}",
    lambda d: f"the {_word(d)} of {_month(d)} {d.year}",
    lambda d: f"{_weekday(d)}, {d.day} {_month(d)} {d.year}",
    lambda d: f"{_weekday(d)}, {_month(d)} {d.day}, {d.year}",
    lambda d: f"{_weekday(d)[:3]} {d.day} {_mon(d)} {d.year}",
    lambda d: f"{_weekday(d)} the {ordinal(d.day)} of {_month(d)} {d.year}",
    lambda d: f"on {d.day} {_month(d)} {d.year}",
    lambda d: f"{d.year} {_month(d)} {d.day}",
    lambda d: f"{d.year}, {_month(d)} {ordinal(d.day)}",
    lambda d: f"{d.year}-{_mon(d)}-{d.day:02d}",
    lambda d: f"{d.day}/{d.month}/{d.year}",
    lambda d: f"{d.day:02d}/{d.month:02d}/{d.year}",
    lambda d: f"{d.day}.{d.month}.{d.year}",
    lambda d: f"{d.day:02d}.{d.month:02d}.{d.year}",
    lambda d: f"{d.year}.{d.month:02d}.{d.day:02d}",
    lambda d: f"{d.year}/{d.month}/{d.day}",
    lambda d: f"{d.year}-{d.month:02d}-{d.day:02d}",
    lambda d: f"{d.year}{d.month:02d}{d.day:02d}",
)


def is_reserved(day: date) -> bool:
    return day.toordinal() % RESERVED_EVERY == 0


def write(day: date, rng: random.Random) -> Pair:
    """One day in one randomly chosen spelling and case."""
    text = rng.choice(FORMS)(day)
    case = rng.random()
    if case < 0.2:
        text = text.lower()
    elif case < 0.3:
        text = text.upper()
    return Pair(text, day.isoformat())


def _any_day(rng: random.Random, *, reserved: bool) -> date:
    while True:
        day = date.fromordinal(rng.randint(FIRST.toordinal(), LAST.toordinal()))
        if is_reserved(day) == reserved:
            return day


def training_pairs(seed: int) -> Iterator[Pair]:
    """Endless pairs of days that are not reserved; the same seed gives the same pairs."""
    rng = random.Random(seed)
    while True:
        yield write(_any_day(rng, reserved=False), rng)


def _reserved_pairs(seed: int) -> Iterator[Pair]:
    rng = random.Random(seed)
    while True:
        yield write(_any_day(rng, reserved=True), rng)


def held_back(count: int = 250) -> list[Pair]:
    """The evaluation set: distinct strings, none of whose days is ever trained on."""
    return _distinct(_reserved_pairs(seed=20210303), count, without=frozenset())


def validation(count: int = 400) -> list[Pair]:
    """What training is stopped by; disjoint from both the training days and the held-back strings."""
    return _distinct(_reserved_pairs(seed=7), count, without=frozenset(pair.text for pair in held_back()))


def _distinct(pairs: Iterator[Pair], count: int, *, without: frozenset[str]) -> list[Pair]:
    seen = set(without)
    found: list[Pair] = []
    while len(found) < count:
        pair = next(pairs)
        if pair.text not in seen:
            seen.add(pair.text)
            found.append(pair)
    return found
