"""The checks: what evidence must say of exactly these bytes. Each one is a value that reads as a sentence and writes itself as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from governance.rules.reading import Errors, Reader

BOUNDS = ("lower", "value", "upper")  # in the order in which they lie on the number line
BETTER = ("higher", "lower")
PRODUCTION = "production"
MAX_AGE_DAYS = 3650
CARD_FIELDS = {
    "intended_use": "intended use",
    "limits": "limits",
    "training_data": "training data",
    "licence": "licence",
}
_METRIC = r"[A-Za-z0-9][A-Za-z0-9_.:@%/+-]{0,99}"
_DATASET = r"[a-z0-9._-]{1,96}/[a-z0-9._-]{1,96}"
_LICENCE = r"[A-Za-z0-9][A-Za-z0-9.+-]{0,99}"


def words(name: str) -> str:
    return name.replace("_", " ")


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _fresh(days: int | None) -> str:
    return "" if days is None else f", not older than {days} day{'' if days == 1 else 's'}"


@dataclass(frozen=True)
class MetricCheck:
    """A metric of an evaluation of exactly these bytes, held against a threshold or against what is in production now.

    `bound` says which end of the 95 % interval counts. Against production, `margin` is by how much it must be better than
    production's value on the same version of the dataset; a negative one lets it be worse by that much.
    """

    type: ClassVar[str] = "metric"
    metric: str
    bound: str  # lower, upper or value
    minimum: float | None = None
    maximum: float | None = None
    dataset: str = ""  # team/name, or '' for any
    dataset_version: int | None = None  # None: the newest
    against: str = ""  # 'production', or '' for a threshold
    margin: float = 0.0
    better: str = ""  # against production: higher or lower
    max_age_days: int | None = None

    @property
    def what(self) -> str:
        """'lower bound of exact match on acme/dates version 3'"""
        which = "" if self.bound == "value" else f"{self.bound} bound of "
        on = f" on {self.dataset}" if self.dataset else ""
        pin = f" version {self.dataset_version}" if self.dataset_version else ""
        return f"{which}{words(self.metric)}{on}{pin}"

    @property
    def demand(self) -> str:
        """'at least 0.9', 'not more than 0.02 below production'"""
        if not self.against:
            limits = [f"at least {self.minimum:g}"] if self.minimum is not None else []
            limits += [f"at most {self.maximum:g}"] if self.maximum is not None else []
            return " and ".join(limits)
        over, under = ("above", "below") if self.better == "higher" else ("below", "above")
        if not self.margin:
            return "at least that of production" if self.better == "higher" else "at most that of production"
        if self.margin > 0:
            return f"at least {self.margin:g} {over} production"
        return f"not more than {-self.margin:g} {under} production"

    @property
    def title(self) -> str:
        return _sentence(f"{self.what} {self.demand}{_fresh(self.max_age_days)}")

    def as_json(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": self.type, "metric": self.metric, "bound": self.bound}
        if self.against:
            entry |= {"against": self.against, "margin": self.margin, "better": self.better}
        names = ("minimum", "maximum", "dataset", "dataset_version", "max_age_days")
        return entry | {name: value for name in names if (value := getattr(self, name)) not in (None, "")}

    @classmethod
    def read(cls, read: Reader) -> "MetricCheck":
        metric = read.text("metric", _METRIC, "Name the metric by its letters, digits and '_', such as 'exact_match'.")
        if not metric and not read.failed:
            read.fail("metric", "Name the metric, such as 'exact_match'.")
        bound = read.choice("bound", BOUNDS, default="value")
        low, high = read.number("minimum"), read.number("maximum")
        against = read.choice("against", (PRODUCTION,)) if read.value("against") is not None else ""
        margin = read.number("margin")
        better = read.choice("better", BETTER) if read.value("better") is not None else ""
        dataset = read.text("dataset", _DATASET, "Name the dataset as team/name, or leave it out for any.")
        pin = read.whole("dataset_version", 1, 2**31 - 1, "the version")
        if pin is not None and not dataset:
            read.fail("dataset_version", "A version is one of a dataset: name the dataset too.")
        age = read.whole("max_age_days", 1, MAX_AGE_DAYS, "days")
        _limits(read, low, high, against)
        if not against:
            for name, value in (("margin", margin), ("better", better or None)):
                if value is not None:
                    read.fail(name, "This belongs to a check against production: set against to 'production'.")
        elif not better and not read.failed:
            read.fail("better", "Say which is better, 'higher' or 'lower'.")
        return cls(metric, bound, low, high, dataset, pin, against, margin or 0.0, better, age)


def _limits(read: Reader, low: float | None, high: float | None, against: str) -> None:
    given = read.entry.get("minimum") is not None or read.entry.get("maximum") is not None
    if against and given:
        name = "minimum" if read.entry.get("minimum") is not None else "maximum"
        read.fail(name, "A check is against a threshold or against production; make two checks for both.")
    elif not against and not given and read.entry.get("against") is None:
        read.fail("minimum", "Give a minimum or a maximum, or hold it against production.")
    if low is not None and high is not None and low > high:
        read.fail("maximum", "This is below the minimum, so that nothing could ever pass.")


@dataclass(frozen=True)
class CardCheck:
    """The card says what it must: these fields, or without any the ones that every card of this kind needs."""

    type: ClassVar[str] = "card"
    fields: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        if not self.fields:
            return "Card complete"
        return f"Card says {', '.join(CARD_FIELDS.get(name, words(name)) for name in self.fields)}"

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type} | ({"fields": list(self.fields)} if self.fields else {})

    @classmethod
    def read(cls, read: Reader) -> "CardCheck":
        help_text = f"Use {', '.join(CARD_FIELDS)} or names of the front matter."
        return cls(read.texts("fields", r"[A-Za-z][A-Za-z0-9_-]{0,59}", help_text, most=20) or ())


@dataclass(frozen=True)
class ScanCheck:
    """The files were scanned for code that runs when they are loaded, and nothing was found."""

    type: ClassVar[str] = "scan"
    max_age_days: int | None = None

    @property
    def title(self) -> str:
        return f"Scan finds nothing unsafe{_fresh(self.max_age_days)}"

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type} | ({"max_age_days": self.max_age_days} if self.max_age_days else {})

    @classmethod
    def read(cls, read: Reader) -> "ScanCheck":
        return cls(read.whole("max_age_days", 1, MAX_AGE_DAYS, "days"))


@dataclass(frozen=True)
class LicenceCheck:
    """The card's licence is one of these SPDX identifiers."""

    type: ClassVar[str] = "licence"
    allow: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"Licence is {' or '.join(self.allow)}"

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "allow": list(self.allow)}

    @classmethod
    def read(cls, read: Reader) -> "LicenceCheck":
        help_text = "Use SPDX identifiers, such as 'Apache-2.0' or 'MIT'."
        allow = read.texts("allow", _LICENCE, help_text, most=100)
        if allow is None and not read.failed:
            read.fail("allow", f"Give the licences that are allowed. {help_text}")
        return cls(allow or ())


@dataclass(frozen=True)
class LineageCheck:
    """It is recorded where it comes from: the run that made it or the base model, and the training dataset."""

    type: ClassVar[str] = "lineage"

    @property
    def title(self) -> str:
        return "Lineage complete"

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type}

    @classmethod
    def read(cls, read: Reader) -> "LineageCheck":
        return cls()


@dataclass(frozen=True)
class PromptTestsCheck:
    """The tests of the prompt, as they are now, passed with exactly these bytes: all of them, or a share. With `models`, by each of them."""

    type: ClassVar[str] = "prompt_tests"
    share: float = 1.0
    models: tuple[str, ...] = ()
    max_age_days: int | None = None

    @property
    def title(self) -> str:
        much = "All tests" if self.share == 1 else f"At least {100 * self.share:g} % of the tests"
        by = f" with {' and '.join(self.models)}" if self.models else ""
        return f"{much} of the prompt pass{by}{_fresh(self.max_age_days)}"

    def as_json(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": self.type, "share": self.share}
        if self.models:
            entry["models"] = list(self.models)
        return entry | ({"max_age_days": self.max_age_days} if self.max_age_days else {})

    @classmethod
    def read(cls, read: Reader) -> "PromptTestsCheck":
        share = read.number("share")
        if share is not None and not 0 < share <= 1:
            read.fail("share", "Use a share above 0 and up to 1 (all of them).")
        models = read.texts("models", _DATASET, "Name deployments as team/name.", most=20)
        age = read.whole("max_age_days", 1, MAX_AGE_DAYS, "days")
        return cls(1.0 if share is None else share, models or (), age)


Check = MetricCheck | CardCheck | ScanCheck | LicenceCheck | LineageCheck | PromptTestsCheck
CHECK_TYPES: dict[str, type[Check]] = {
    check.type: check for check in (MetricCheck, CardCheck, ScanCheck, LicenceCheck, LineageCheck, PromptTestsCheck)
}


def read_check(entry: Any, field: str, errors: Errors) -> Check | None:
    """One check out of JSON; None with its mistakes in `errors`."""
    kinds = ", ".join(f"'{name}'" for name in CHECK_TYPES)
    if not isinstance(entry, Mapping) or not isinstance(entry.get("type"), str) or entry["type"] not in CHECK_TYPES:
        errors[f"{field}.type"] = [f"Use one of {kinds}."]
        return None
    read = Reader(entry, field, errors)
    read.read.add("type")
    check = CHECK_TYPES[entry["type"]].read(read)
    return check if read.end() else None
