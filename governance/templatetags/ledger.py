"""Template tags that put ledger events into words."""

import json
import re
from collections.abc import Mapping
from typing import Any

from django import template
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from governance.ledger.models import ERASED, AuditEvent
from governance.sentences import icon_of, verb_of

register = template.Library()
SHOWN = 3
LONG = 48
DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{40,})")


def short(value: Any) -> str:
    """A value in a few characters; digests keep their first twelve."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping | list):
        return f"{len(value)} entries" if value else "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    if digest := DIGEST.fullmatch(text):
        return digest[1][:12]
    return text if len(text) <= LONG else text[: LONG - 1] + "…"


def _said(key: str, value: Any) -> str:
    """Sizes are in bytes, and said with a unit."""
    return filesizeformat(value) if key == "size" and type(value) is int else short(value)


@register.simple_tag
def change_summary(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """What changed, in a line: 'version 1 → 2, slot production'."""
    before, after = before or {}, after or {}
    parts = []
    for key in dict.fromkeys([*after, *before]):
        name = key.replace("_", " ")
        if key in before and key in after:
            if before[key] != after[key]:
                parts.append(f"{name} {_said(key, before[key])} → {_said(key, after[key])}")
        elif key in after:
            parts.append(f"{name} {_said(key, after[key])}")
        else:
            parts.append(f"{name} {_said(key, before[key])} → –")
    more = f" and {len(parts) - SHOWN} more" if len(parts) > SHOWN else ""
    return ", ".join(parts[:SHOWN]) + more


@register.filter
def humanise(text: str) -> str:
    """'exact_match' as 'exact match'."""
    return str(text).replace("_", " ")


@register.filter
def verb(event: AuditEvent) -> str:
    """'approved request' of an event."""
    return verb_of(event.action)


@register.filter
def event_icon(event: AuditEvent) -> str:
    return icon_of(event.action)


@register.filter
def flagged(event: AuditEvent) -> bool:
    return event.out_of_band


@register.filter
def erasable(value: Any, empty: str = "–") -> SafeString | str:
    """A text that may have been erased: then it says so."""
    if value in (None, ERASED):
        return mark_safe('<span class="erased">erased</span>')
    return str(value) if value != "" else empty


@register.filter
def json_value(value: Any) -> SafeString | str:
    """One JSON value as it stands in a difference: texts plain, digests by their beginning."""
    if isinstance(value, str):
        return value or mark_safe('<span class="text-secondary">empty</span>')
    if value is None:
        return mark_safe('<span class="text-secondary">nothing</span>')
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping | list):
        return format_html("<code>{}</code>", json.dumps(value, ensure_ascii=False))
    return str(value)
