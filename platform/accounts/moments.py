"""Moments as callers write them."""

from datetime import UTC, date, datetime, time

from accounts.errors import Invalid


def read_moment(text: str, field: str = "at") -> datetime:
    """RFC 3339, or a date alone, which means the end of that day. Without a zone it is UTC."""
    text = text.strip()
    if "T" in text and " " in text:
        text = text.replace(" ", "+")  # a '+' that nobody escaped in an address
    try:
        if len(text) == 10:
            return datetime.combine(date.fromisoformat(text), time.max, UTC)
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(field, "Use a date (2026-05-03) or a moment in RFC 3339 (2026-05-03T12:00:00Z).") from None
