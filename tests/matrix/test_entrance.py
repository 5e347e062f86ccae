"""What allauth's own forms change is told in the same transaction: passwords, second factors, sessions."""

from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import hotp_value, yield_hotp_counters_from_time
from django.test import Client

from accounts.roles import Role
from governance.ledger.models import AuditEvent
from tests.conftest import PASSWORD
from tests.matrix.calls import undone
from tests.matrix.governed import untold
from tests.matrix.journal import journal
from tests.matrix.world import World

NEW = "another-long-password-9"


@pytest.fixture
def visitor(world: World) -> Any:
    """somebody(path, body) -> the status; what every post wrote is followed, and told."""
    with undone(), journal() as written:
        client = Client()

        def send(path: str, **body: str) -> int:
            return client.post(f"/accounts/{path}/", body).status_code

        send.client, send.written = client, written  # type: ignore[attr-defined]
        send.email = world.own.people[Role.REVIEWER].email  # type: ignore[attr-defined]
        yield send


def told() -> list[str]:
    return list(AuditEvent.objects.filter(pk__gt=0).order_by("-pk").values_list("action", flat=True)[:6])


def sign_in(visitor: Any) -> None:
    assert visitor("login", login=visitor.email, password=PASSWORD) == 302


def test_signing_in_and_out(visitor):
    assert visitor("login", login=visitor.email, password="wrong") == 200
    assert told()[0] == "user.sign_in_failed"
    sign_in(visitor)
    assert told()[0] == "user.signed_in"
    assert visitor("logout") == 302
    assert "user.signed_out" in told()
    assert untold(visitor.written) == []


def test_a_new_password(visitor):
    sign_in(visitor)
    assert visitor("password/change", oldpassword=PASSWORD, password1=NEW, password2=NEW) == 302
    assert "user.password_changed" in told()
    assert untold(visitor.written) == []


def test_second_factors(visitor):
    sign_in(visitor)
    visitor("reauthenticate", password=PASSWORD)
    assert visitor.client.get("/accounts/2fa/totp/activate/").status_code == 200
    secret = visitor.client.session["mfa.totp.secret"]
    code = f"{hotp_value(secret, next(iter(yield_hotp_counters_from_time()))):06d}"
    assert visitor("2fa/totp/activate", code=code) == 302
    assert "mfa.enabled" in told()
    assert visitor("2fa/recovery-codes/generate") == 302
    assert visitor("2fa/totp/deactivate") == 302
    assert "mfa.disabled" in told()
    assert untold(visitor.written) == []
