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
