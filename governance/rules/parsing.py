"""A whole policy out of JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from accounts.roles import Role
from governance.rules.checks import Check, read_check
from governance.rules.reading import Errors, refuse
from governance.rules.reviews import ReviewRule, ReviewStep, read_reviews
from governance.rules.terms import Terms, read_terms

MAX_CHECKS = 50


@dataclass(frozen=True)
class Rules:
    checks: Sequence[Check]
    reviews: ReviewRule
    terms: Terms = field(default_factory=Terms)

    @property
    def sentences(self) -> list[str]:
        """The whole policy, line by line."""
        return [
            *(check.title for check in self.checks),
            *self.reviews.sentences,
            *self.terms.sentences,
        ]

    def as_json(self) -> dict[str, Any]:
        return {
            "checks": [check.as_json() for check in self.checks],
            "reviews": self.reviews.as_json(),
            "terms": self.terms.as_json(),
        }


# A protected stage that nobody wrote a policy for: one other person looks.
DEFAULT_RULES = Rules(checks=(), reviews=ReviewRule((ReviewStep(1, Role.REVIEWER.value),)))


def parse(checks: Any, reviews: Any, terms: Any = None) -> Rules:
    """Rules out of JSON; InvalidRules names every field that is wrong. Whether they make sense together says `check_sense`."""
    errors: Errors = {}
    found: list[Check] = []
    if not isinstance(checks, list):
        errors["checks"] = ["Give a list of checks; an empty one asks for reviews alone."]
        checks = []
    if len(checks) > MAX_CHECKS:
        errors["checks"] = [f"Use at most {MAX_CHECKS} checks."]
        checks = []
    for index, entry in enumerate(checks):
        if check := read_check(entry, f"checks[{index}]", errors):
            found.append(check)
    rule = read_reviews(reviews, errors)
    agreed = read_terms(terms, errors)
    refuse(errors)
    assert rule is not None
    assert agreed is not None
    return Rules(tuple(found), rule, agreed)
