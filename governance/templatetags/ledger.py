"""Template tags that put ledger events into words."""

from collections.abc import Mapping
from typing import Any

from django import template

register = template.Library()
SHOWN = 3
LONG = 48


def short(value: Any) -> str:
    """A value in a few characters; digests keep their first twelve."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping | list):
        return f"{len(value)} entries" if value else "none"
    text = str(value)
    if text.startswith("sha256:"):
        return text[7:19]
    return text if len(text) <= LONG else text[: LONG - 1] + "…"


@register.simple_tag
def change_summary(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """What changed, in a line: 'version 1 → 2, slot production'."""
    before, after = before or {}, after or {}
    parts = []
    for key in dict.fromkeys([*after, *before]):
        name = key.replace("_", " ")
        if key in before and key in after:
            if before[key] != after[key]:
                parts.append(f"{name} {short(before[key])} → {short(after[key])}")
        elif key in after:
            parts.append(f"{name} {short(after[key])}")
        else:
            parts.append(f"{name} {short(before[key])} → –")
    more = f" and {len(parts) - SHOWN} more" if len(parts) > SHOWN else ""
    return ", ".join(parts[:SHOWN]) + more


@register.filter
def humanise(text: str) -> str:
    """'exact_match' as 'exact match'."""
    return str(text).replace("_", " ")
