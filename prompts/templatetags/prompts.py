"""What pages of prompts show beside the tags of every page."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import template

from prompts.reading import Said, said_of, text_of

register = template.Library()


@register.filter
def said(message: Mapping[str, Any]) -> Iterable[Said]:
    """The pieces of a message: texts, images, and what else is in it."""
    return said_of(message)


@register.filter
def as_text(message: Mapping[str, Any]) -> str:
    """The same as one text."""
    return text_of(message)
