"""Sessions end when they are told to; refused attempts and second factors are events."""

import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret, hotp_value, yield_hotp_counters_from_time
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.sessions import device
from governance.ledger.models import AuditEvent

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(autouse=True)
def _nobody_is_slowed_down():
    cache.clear()
    yield
    cache.clear()


def told(action):
    return AuditEvent.objects.filter(action=action)


@pytest.fixture
def sign_in(cast):
    def go(user):
        client = Client(headers={"user-agent": FIREFOX})
        answer = client.post("/accounts/login/", {"login": user.email, "password": cast.password})
        assert answer.status_code == 302, answer.content
        return client

    return go


def signed_in(client):
    return client.get("/settings/").status_code == 200


def test_devices_have_names():
    assert device(FIREFOX) == "Firefox on Linux"
    assert device("") == "Unknown device"


def test_one_session_and_all_others_can_be_ended(cast, sign_in):
    here, there, elsewhere = (sign_in(cast.alice) for _ in range(3))
    page = here.get("/settings/sessions/").content.decode()
    assert page.count("Firefox on Linux</span>") == 3 and page.count(">this one<") == 1
    rows = here.get("/api/v1/sessions").json()["results"]
    assert [row["current"] for row in rows].count(True) == 1
    first = UserSession.objects.get(session_key=there.session.session_key)
    assert here.post(f"/settings/sessions/{first.pk}/revoke").status_code == 302
    assert (signed_in(here), signed_in(there), signed_in(elsewhere)) == (True, False, True)
    assert here.post("/settings/sessions/revoke-others").status_code == 302
    assert (signed_in(here), signed_in(elsewhere)) == (True, False)
    assert told("session.revoked").count() == 2


def test_nobody_ends_anothers_session_but_a_site_administrator(cast, sign_in, api):
    alice, bob = sign_in(cast.alice), sign_in(cast.bob)
    session = UserSession.objects.get(user=cast.alice)
    assert bob.post(f"/settings/sessions/{session.pk}/revoke").status_code == 404
    assert api(cast.bob).get(f"/api/v1/people/{cast.alice.pk}/sessions").status_code == 403
    assert signed_in(alice)
    assert api(cast.admin).delete(f"/api/v1/people/{cast.alice.pk}/sessions").status_code == 204
    assert not signed_in(alice) and signed_in(bob)
    assert told("session.revoked").get().actor_email == "admin@example.com"


def test_a_new_password_ends_the_other_sessions(cast, sign_in):
    here, there = sign_in(cast.alice), sign_in(cast.alice)
    new = "another-long-password"
    body = {"oldpassword": cast.password, "password1": new, "password2": new}
    assert here.post("/accounts/password/change/", body).status_code == 302
    assert (signed_in(here), signed_in(there)) == (True, False)
    assert told("session.revoked").get().reason == "The password was changed."


def test_a_deactivated_persons_sessions_are_gone_for_good(cast, sign_in, client_of):
    alice = sign_in(cast.alice)
    admin = client_of(cast.admin)
    admin.post(f"/settings/people/{cast.alice.pk}/activate", {"active": "0"})
    admin.post(f"/settings/people/{cast.alice.pk}/activate", {"active": "1"})
    assert not signed_in(alice)


def test_the_last_use_is_written_once_a_minute(cast, sign_in, django_assert_max_num_queries):
    alice = sign_in(cast.alice)
    UserSession.objects.update(last_seen_at=timezone.now() - timezone.timedelta(hours=1))
    assert signed_in(alice)
    assert timezone.now() - UserSession.objects.get().last_seen_at > timezone.timedelta(minutes=50)
    session = alice.session
    session["seen"] = int(time.time()) - 61
    session.save()
    assert signed_in(alice)
    assert timezone.now() - UserSession.objects.get().last_seen_at < timezone.timedelta(minutes=1)


def test_wrong_passwords_are_slowed_down(cast, client):
    body = {"login": "alice@example.com", "password": "wrong-wrong-wrong"}
    pages = [client.post("/accounts/login/", body).content.decode() for _ in range(7)]
    assert "Too many failed login attempts" in pages[-1]
    body["password"] = cast.password
    assert client.post("/accounts/login/", body).status_code == 200  # the right one too, for now


def test_second_factors_are_events_and_their_secrets_are_encrypted(cast, sign_in):
    alice = sign_in(cast.alice)
    assert alice.get("/accounts/2fa/totp/activate/").status_code == 302  # who is there, once more
    assert alice.post("/accounts/reauthenticate/", {"password": cast.password}).status_code == 302
    alice.get("/accounts/2fa/totp/activate/")
    secret = alice.session["mfa.totp.secret"]
    code = f"{hotp_value(secret, next(iter(yield_hotp_counters_from_time()))):06d}"
    assert alice.post("/accounts/2fa/totp/activate/", {"code": code}).status_code == 302
    row = Authenticator.objects.get(user=cast.alice, type="totp")
    assert secret not in str(row.data) and len(secret) == len(generate_totp_secret())
    assert {event.after["factor"] for event in told("mfa.enabled")} == {"authenticator app", "recovery codes"}
    assert alice.post("/accounts/2fa/totp/deactivate/").status_code == 302
    assert {event.after["factor"] for event in told("mfa.disabled")} == {"authenticator app", "recovery codes"}


def test_a_refused_change_is_an_event_once_a_minute_and_a_refused_look_is_none(cast, api):
    victor = api(cast.victor)
    body = {"person": "mallory@example.com", "role": "admin"}
    for _ in range(3):
        assert victor.post("/api/v1/teams/acme/members", body).status_code == 403
    event = told("access.refused").get()
    assert event.after == {"permission": "team.manage", "door": "POST /api/v1/teams/acme/members"}
    assert (event.actor_email, event.team, event.target_kind) == ("victor@example.com", "acme", "team")
    assert victor.get("/api/v1/ledger").status_code == 403
    assert told("access.refused").count() == 1


def test_a_page_that_refuses_tells_it_too(cast, client_of):
    assert client_of(cast.victor).post("/settings/people/new", {}).status_code == 403
    assert told("access.refused").get().after["permission"] == "site.manage"


def test_a_strangers_attempt_is_no_event(cast, client):
    assert client.post("/api/v1/teams", {"name": "x"}, content_type="application/json").status_code == 401
    assert not told("access.refused").exists()
