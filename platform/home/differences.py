"""The difference of two texts as a table: two columns that fold into one on a narrow screen."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from accounts.matching import Budget, Matcher, TooMuch

# Unchanged lines shown around a change; longer runs fold into one line.
_AROUND = 3


@dataclass(frozen=True)
class Row:
    """One line of the table. kind: same, changed, removed, added or fold (then `count` lines are left out)."""

    kind: str
    left_number: int | None = None
    right_number: int | None = None
    left: str = ""
    right: str = ""
    count: int = 0


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str)


def render(before: str, after: str, before_label: str, after_label: str) -> SafeString:
    found = list(rows(before, after))
    added = sum(row.kind in ("added", "changed") for row in found)
    removed = sum(row.kind in ("removed", "changed") for row in found)
    context = {
        "rows": found, "same": before == after, "before_label": before_label, "after_label": after_label,
        "added": added, "removed": removed,
    }  # fmt: skip
    return render_to_string("components/diff.html", context)


def rows(before: str, after: str) -> Iterator[Row]:
    """The table's lines, with the changed words of a changed line marked."""
    left, right = before.splitlines(), after.splitlines()
    budget = Budget()
    for place, group in enumerate(groups := _groups(left, right, budget)):
        start = group[0][1] - (groups[place - 1][-1][2] if place else 0)
        if start:
            yield Row("fold", count=start)
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                for i, j in zip(range(i1, i2), range(j1, j2), strict=True):
                    text = mark_safe(escape(left[i]))
                    yield Row("same", i + 1, j + 1, text, text)
            else:
                yield from _changed(left, right, i1, i2, j1, j2, budget)
    if groups and (rest := len(left) - groups[-1][-1][2]):
        yield Row("fold", count=rest)


def _groups(left: list[str], right: list[str], budget: Budget) -> list[list[tuple[str, int, int, int, int]]]:
    """difflib's opcodes around each change; where that would take too long, everything between the first and the last one."""
    if left == right:
        return []
    try:
        return [list(group) for group in Matcher(left, right, budget).get_grouped_opcodes(_AROUND)]
    except TooMuch:
        same = min(len(left), len(right))
        start = next((i for i in range(same) if left[i] != right[i]), same)
        end = next((i for i in range(same - start) if left[-1 - i] != right[-1 - i]), same - start)
        around = min(start, _AROUND)
        return [
            [
                ("equal", start - around, start, start - around, start),
                ("replace", start, len(left) - end, start, len(right) - end),
                (
                    "equal",
                    len(left) - end,
                    len(left) - max(end - _AROUND, 0),
                    len(right) - end,
                    len(right) - max(end - _AROUND, 0),
                ),
            ]
        ]


def _changed(left: list[str], right: list[str], i1: int, i2: int, j1: int, j2: int, budget: Budget) -> Iterator[Row]:
    paired = min(i2 - i1, j2 - j1)
    for offset in range(paired):
        i, j = i1 + offset, j1 + offset
        marked = _marked(left[i], right[j], budget)
        yield Row("changed", i + 1, j + 1, *marked)
    for i in range(i1 + paired, i2):
        yield Row("removed", i + 1, None, mark_safe(escape(left[i])))
    for j in range(j1 + paired, j2):
        yield Row("added", None, j + 1, "", mark_safe(escape(right[j])))


def _marked(before: str, after: str, budget: Budget) -> tuple[SafeString, SafeString]:
    """Both lines with the words that differ in <del> and <ins>; the whole lines where finding them would take too long."""
    a, b = re.findall(r"\w+|\s+|.", before), re.findall(r"\w+|\s+|.", after)
    left, right = [], []
    try:
        codes = Matcher(a, b, budget).get_opcodes()
    except TooMuch:
        codes = [("replace", 0, len(a), 0, len(b))]
    for tag, i1, i2, j1, j2 in codes:
        old, new = escape("".join(a[i1:i2])), escape("".join(b[j1:j2]))
        left.append(old if tag == "equal" or not old else f"<del>{old}</del>")
        right.append(new if tag == "equal" or not new else f"<ins>{new}</ins>")
    return mark_safe("".join(left)), mark_safe("".join(right))
