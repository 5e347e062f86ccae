"""`manage.py rotate_ledger_key`: a new key signs the ledger from now on, endorsed by the present one."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.embedded.secrets import write_private
from governance.ledger import keys


class Command(BaseCommand):
    help = (
        "Make a new signing key for the ledger and the attestations, endorsed by the present one. Restart the platform with it "
        "afterwards: until then nothing is sealed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", default="", help="written into the ledger")
        parser.add_argument(
            "--secrets",
            type=Path,
            help="the secrets.json of an instance that `config.up` runs: the new seed is written there instead of printed",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path | None = options["secrets"]
        known = json.loads(path.read_text()) if path else {}
        try:
            seed = keys.rotate(reason=options["reason"])
        except keys.KeyUnknown as error:
            raise CommandError(str(error)) from error
        if path:
            write_private(path, json.dumps({**known, "signing_seed": seed}, indent=2) + "\n")
            self.stdout.write(f"The new seed is in {path}. Restart the platform now.")
        else:
            self.stdout.write(
                f"Set COUNTERSIGN_SIGNING_SEED={seed} and restart the platform now; it is shown this once."
            )
