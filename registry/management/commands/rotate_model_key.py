"""`manage.py rotate_model_key`: a new key signs versions from now on."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from registry.actions.signing import rotate_signing_key


class Command(BaseCommand):
    help = "Make a new key for the signatures of versions. What was signed stays as it is, and verifiable by the old public key."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", default="", help="written into the ledger")

    def handle(self, *args: Any, **options: Any) -> None:
        made = rotate_signing_key(reason=options["reason"])
        self.stdout.write(f"Versions are signed by {made.fingerprint} from now on.")
