"""What the request pages show beside the tags of every page."""

import re

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
_MENTION = re.compile(r"(?<![\w@])@([\w.+-]+@[\w-]+(?:\.[\w-]+)*)")


@register.filter
def said(comment: str) -> SafeString:
    """A comment as HTML: escaped, its line breaks kept, people named in it marked."""
    marked = _MENTION.sub(r'<span class="mention">@\1</span>', escape(comment))
    return mark_safe(marked.replace("\r\n", "\n").replace("\n", "<br>"))


@register.filter
def mention(email: str) -> str:
    return f"@{email}"
