"""Numbers that somebody sends as text."""


def whole(text: str, *, below: int = 2**63) -> int | None:
    """The whole number that a text of plain digits says, None for any other text and from `below` on.
    Texts of thousands of digits, which int() refuses with an error of its own, cost nothing."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 20:
        return None
    number = int(text)
    return number if number < below else None
