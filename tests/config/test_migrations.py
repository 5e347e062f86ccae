"""The migrations say what the models say."""

import pytest
from django.core.management import call_command


@pytest.mark.django_db
def test_no_migration_is_missing(capsys: pytest.CaptureFixture[str]):
    call_command("makemigrations", dry_run=True)
    assert capsys.readouterr().out.strip() == "No changes detected", "run `manage.py makemigrations`"
