"""The rules of a policy as data: parsed with errors that name the field, and written out as sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accounts.errors import Problem
from accounts.roles import Role

MAX_CHECKS = 50


class InvalidRules(Problem):
    title = "Invalid policy"


@dataclass(frozen=True)
class MetricCheck:
    """A metric of an evaluation of exactly these bytes, held against a bound. `bound` says which end of the 95 % interval counts."""

    metric: str
    bound: str  # lower, upper or value
    minimum: float | None
    maximum: float | None
    dataset: str  # team/name, or '' for any

    @property
    def title(self) -> str:
        which = {"lower": "lower bound of ", "upper": "upper bound of ", "value": ""}[self.bound]
        limits = []
        if self.minimum is not None:
            limits.append(f"at least {self.minimum:g}")
        if self.maximum is not None:
            limits.append(f"at most {self.maximum:g}")
        on = f" on {self.dataset}" if self.dataset else ""
        text = f"{which}{self.metric.replace('_', ' ')}{on} {' and '.join(limits)}"
        return text[0].upper() + text[1:]


@dataclass(frozen=True)
class CardCheck:
    """The card says what it must: intended use, limits, training data, licence."""

    title: str = "Card complete"


Check = MetricCheck | CardCheck


@dataclass(frozen=True)
class ReviewRule:
    """How many people of which role must approve; never the author of the version nor of the request, and no one twice."""

    count: int
    role: Role

    @property
    def title(self) -> str:
        people = "one review" if self.count == 1 else f"{self.count} reviews"
        return f"{people} by a {self.role.value} who is neither the author nor the requester".capitalize()


@dataclass(frozen=True)
class Rules:
    checks: Sequence[Check]
    reviews: ReviewRule

    def as_json(self) -> dict[str, Any]:
        checks: list[dict[str, Any]] = []
        for check in self.checks:
            if isinstance(check, CardCheck):
                checks.append({"type": "card"})
            else:
                entry: dict[str, Any] = {"type": "metric", "metric": check.metric, "bound": check.bound}
                entry |= {name: value for name in ("minimum", "maximum") if (value := getattr(check, name)) is not None}
                checks.append(entry | ({"dataset": check.dataset} if check.dataset else {}))
        return {"checks": checks, "reviews": {"count": self.reviews.count, "role": self.reviews.role.value}}


# A protected stage that nobody wrote a policy for: one other person looks.
DEFAULT_RULES = Rules(checks=(), reviews=ReviewRule(1, Role.REVIEWER))


def parse(checks: Any, reviews: Any) -> Rules:
    """Rules out of JSON; InvalidRules names every field that is wrong."""
    errors: dict[str, list[str]] = {}
    found: list[Check] = []
    if not isinstance(checks, list):
        errors["checks"] = ["Give a list of checks; an empty one asks for reviews alone."]
        checks = []
    if len(checks) > MAX_CHECKS:
        errors["checks"] = [f"Use at most {MAX_CHECKS} checks."]
        checks = []
    for index, entry in enumerate(checks):
        field = f"checks[{index}]"
        if not isinstance(entry, Mapping) or entry.get("type") not in ("metric", "card"):
            errors[f"{field}.type"] = ["Use 'metric' or 'card'."]
        elif entry["type"] == "card":
            found.append(CardCheck())
        elif check := _metric(entry, field, errors):
            found.append(check)
    rule = _reviews(reviews, errors)
    if errors or rule is None:
        field, texts = next(iter(errors.items()))
        raise InvalidRules(f"{field}: {texts[0]}", errors=errors)
    return Rules(tuple(found), rule)


def _metric(entry: Mapping[str, Any], field: str, errors: dict[str, list[str]]) -> MetricCheck | None:
    before = len(errors)
    metric, bound, dataset = entry.get("metric"), entry.get("bound", "value"), entry.get("dataset") or ""
    limits: dict[str, float | None] = {}
    if not isinstance(metric, str) or not metric:
        errors[f"{field}.metric"] = ["Name the metric, such as 'exact_match'."]
    if bound not in ("lower", "upper", "value"):
        errors[f"{field}.bound"] = ["Use 'lower', 'upper' (of the 95 % interval) or 'value'."]
    if not isinstance(dataset, str) or (dataset and dataset.count("/") != 1):
        errors[f"{field}.dataset"] = ["Name the dataset as team/name, or leave it out for any."]
    for name in ("minimum", "maximum"):
        value = entry.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value != value):
            errors[f"{field}.{name}"] = ["Use a number."]
        limits[name] = None if value is None else float(value) if isinstance(value, int | float) else None
    if entry.get("minimum") is None and entry.get("maximum") is None:
        errors[f"{field}.minimum"] = ["Give a minimum or a maximum."]
    low, high = limits["minimum"], limits["maximum"]
    if low is not None and high is not None and low > high:
        errors[f"{field}.maximum"] = ["This is below the minimum, so that nothing could ever pass."]
    if len(errors) > before:
        return None
    return MetricCheck(str(metric), str(bound), low, high, str(dataset))


def _reviews(reviews: Any, errors: dict[str, list[str]]) -> ReviewRule | None:
    if not isinstance(reviews, Mapping):
        errors["reviews"] = ["Give {count, role}."]
        return None
    count, role = reviews.get("count", 1), reviews.get("role", Role.REVIEWER.value)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 10:
        errors["reviews.count"] = ["Use a whole number from 1 to 10: an approval is somebody else's word."]
    if role not in set(Role):
        errors["reviews.role"] = [f"Use one of {', '.join(Role)}."]
    return None if "reviews.count" in errors or "reviews.role" in errors else ReviewRule(int(count), Role(role))
