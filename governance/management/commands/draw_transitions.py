"""Writes the diagram of a request's life into docs/approvals.md, between its markers."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from governance.transitions import diagram

BEGIN, END = "<!-- transitions: begin -->\n", "<!-- transitions: end -->"


def drawn(text: str) -> str:
    """The page with the diagram as the table has it now."""
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise CommandError("docs/approvals.md has lost the markers of the diagram.")
    return f"{before}{BEGIN}{diagram()}\n{END}{after}"


class Command(BaseCommand):
    help = "Write the diagram of a request's life, out of governance.transitions, into docs/approvals.md."

    def handle(self, *args: Any, **options: Any) -> None:
        page = Path(settings.ROOT) / "docs" / "approvals.md"
        page.write_text(drawn(page.read_text()))
        self.stdout.write("docs/approvals.md is drawn.")
