"""Template filters of the registry's pages."""

import json
from typing import Any

from django import template

register = template.Library()


@register.filter
def cell(value: Any) -> str:
    """A value of a dataset's row as text in a table."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@register.filter
def grouped(value: Any) -> str:
    """A whole number with its thousands apart: 1 250 000."""
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else str(value)


@register.filter
def shape(value: Any) -> str:
    """A tensor's shape: 4 096 × 128; a single number has none."""
    return " × ".join(grouped(n) for n in value) or "scalar"


@register.filter
def share(value: Any) -> str:
    """A share of a length: 0.034 %, 12 %; '–' where it can't be said."""
    return f"{value * 100:.3g} %" if isinstance(value, int | float) else "–"


@register.filter
def decimal(value: Any) -> str:
    """A number to six digits; '–' where it can't be said."""
    return f"{value:.6g}" if isinstance(value, int | float) else "–"


@register.filter
def unlocal(value: Any) -> str:
    """A number as HTML wants it, whatever the language."""
    return repr(float(value)) if isinstance(value, int | float) else ""
