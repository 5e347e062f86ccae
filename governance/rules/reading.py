"""Reading one object of a policy's JSON: each field once, each mistake named, nothing ignored."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from accounts.errors import Problem

Errors = dict[str, list[str]]
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,94}[a-z0-9])?")


class InvalidRules(Problem):
    title = "Invalid policy"


def refuse(errors: Mapping[str, Sequence[str]]) -> None:
    """Raise InvalidRules when there are errors; the first is the detail."""
    if errors:
        field, texts = next(iter(errors.items()))
        raise InvalidRules(f"{field}: {texts[0]}", errors=errors)


class Reader:
    """The fields of one JSON object; `end` refuses those that nobody asked for, since a typo must not pass in silence."""

    def __init__(self, entry: Mapping[str, Any], field: str, errors: Errors) -> None:
        self.entry, self.field, self.errors = entry, field, errors
        self.read: set[str] = set()
        self.failed = False

    def fail(self, name: str, text: str) -> None:
        self.failed = True
        self.errors.setdefault(f"{self.field}.{name}" if self.field else name, []).append(text)

    def value(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        value = self.entry.get(name)
        return default if value is None else value

    def text(self, name: str, pattern: str, help_text: str, *, default: str = "") -> str:
        value = self.value(name, default)
        if not isinstance(value, str) or (value and not re.fullmatch(pattern, value)):
            self.fail(name, help_text)
            return default
        return value

    def choice(self, name: str, options: Collection[str], *, default: str = "") -> str:
        value = self.value(name, default)
        if not isinstance(value, str) or value not in options:
            self.fail(name, f"Use {_either(options)}.")
            return default
        return value

    def number(self, name: str) -> float | None:
        value = self.value(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(name, "Use a number.")
            return None
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.fail(name, "Use a finite number.")
            return None
        return number

    def whole(self, name: str, low: int, high: int, what: str, *, default: int | None = None) -> int | None:
        value = self.value(name, default)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.fail(name, f"Use a whole number of {what} from {low} to {high}.")
            return default
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.value(name, default)
        if not isinstance(value, bool):
            self.fail(name, "Use true or false.")
            return default
        return value

    def texts(self, name: str, pattern: str, help_text: str, *, most: int) -> tuple[str, ...] | None:
        """A list of texts without doubles; None when it is not there."""
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fail(name, f"Give a list. {help_text}")
            return None
        if not value:
            self.fail(name, f"This list is empty, so that nothing could ever pass. {help_text}")
            return None
        if len(value) > most:
            self.fail(name, f"Use at most {most}.")
            return None
        for item in value:
            if not re.fullmatch(pattern, item):
                self.fail(name, f"'{item[:60]}' is not one. {help_text}")
                return None
        if len({item.casefold() for item in value}) < len(value):
            self.fail(name, "One of these is there twice.")
            return None
        return tuple(value)

    def end(self) -> bool:
        """Name what was not read. Was everything all right?"""
        for name in list(self.entry)[:100]:
            if name not in self.read:
                known = ", ".join(sorted(self.read))
                self.fail(str(name)[:60], f"There is no such field here. Known are {known}.")
        return not self.failed


def _either(options: Collection[str]) -> str:
    quoted = [f"'{option}'" for option in options]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
