"""`manage.py bootstrap`: the first administrator of a fresh installation, printed as JSON (empty when there is one)."""

import json
import os
import secrets
from typing import Any

from django.core.management.base import BaseCommand

from accounts.actions import create_first_administrator


class Command(BaseCommand):
    help = "Make the first site administrator and print {email, password}; print {} when there is one already."

    def handle(self, *args: Any, **options: Any) -> None:
        email = os.environ.get("COUNTERSIGN_ADMIN_EMAIL") or "admin@example.com"
        password = os.environ.get("COUNTERSIGN_ADMIN_PASSWORD") or secrets.token_urlsafe(12)
        user = create_first_administrator(email=email, password=password)
        self.stdout.write(json.dumps({"email": email, "password": password} if user else {}))
