"""The terms of an approval: how long a request stays open, how long its approval is good, and what happens when nobody answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from governance.rules.reading import SLUG, Errors, Reader

MAX_OPEN_DAYS = 365
MAX_SHELF_LIFE_DAYS = 3650
MAX_HOURS = 8760
_ESCALATE = rf"(role|group):{SLUG.pattern}"


@dataclass(frozen=True)
class Terms:
    """`escalate_to`: 'role:admin' or 'group:safety'. `break_glass`: may the glass be broken here at all.
    `unsafe_files`: 'allowed' lets files pass that can run code, or were not scanned."""

    open_days: int = 30
    shelf_life_days: int | None = None
    escalate_after_h: int | None = None
    escalate_to: str | None = None
    break_glass: bool = True
    review_glass_within_h: int = 72
    unsafe_files: str = "refused"

    @property
    def sentences(self) -> list[str]:
        days = "1 day" if self.open_days == 1 else f"{self.open_days} days"
        found = [f"A request stays open for {days}"]
        if self.shelf_life_days:
            life = "1 day" if self.shelf_life_days == 1 else f"{self.shelf_life_days} days"
            found.append(f"An approval is good for {life}, then it is renewed")
        if self.escalate_to:
            kind, _, name = self.escalate_to.partition(":")
            found.append(f"Unanswered for {self.escalate_after_h} h, it goes to the {kind} {name}")
        if self.break_glass:
            found.append(
                f"In an emergency the glass may be broken: applied at once, reviewed within {self.review_glass_within_h} h"
            )
        else:
            found.append("The glass may not be broken: nothing is applied without a review, not even in an emergency")
        if self.unsafe_files == "allowed":
            found.append("Files that can run code may pass")
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            "open_days": self.open_days,
            "shelf_life_days": self.shelf_life_days,
            "escalate_after_h": self.escalate_after_h,
            "escalate_to": self.escalate_to,
            "break_glass": self.break_glass,
            "review_glass_within_h": self.review_glass_within_h,
            "unsafe_files": self.unsafe_files,
        }


def read_terms(entry: Any, errors: Errors) -> Terms | None:
    """Terms out of JSON; what is left out has its default."""
    if entry is None:
        return Terms()
    if not isinstance(entry, Mapping):
        errors["terms"] = ["Give an object, such as {shelf_life_days: 90}; an empty one has the defaults."]
        return None
    read = Reader(entry, "terms", errors)
    open_days = read.whole("open_days", 1, MAX_OPEN_DAYS, "days", default=30) or 30
    shelf_life = read.whole("shelf_life_days", 1, MAX_SHELF_LIFE_DAYS, "days")
    after = read.whole("escalate_after_h", 1, MAX_HOURS, "hours")
    to = read.text("escalate_to", _ESCALATE, "Use 'role:admin' or 'group:safety', with a name of your own.") or None
    glass = read.flag("break_glass", default=True)
    within = read.whole("review_glass_within_h", 1, MAX_HOURS, "hours", default=72) or 72
    unsafe = read.choice("unsafe_files", ("refused", "allowed"), default="refused")
    if after is not None and to is None and not read.failed:
        read.fail("escalate_to", "Say to whom a request goes that nobody answers.")
    if to is not None and after is None and not read.failed:
        read.fail("escalate_after_h", "Say after how many hours.")
    if after is not None and after >= open_days * 24:
        read.fail("escalate_after_h", f"A request is open for {open_days} days only, so that this never happens.")
    return Terms(open_days, shelf_life, after, to, glass, within, unsafe) if read.end() else None
