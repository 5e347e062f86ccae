"""A passkey is added and signs in, in a real browser with a virtual authenticator; the page runs under the site's own CSP."""

import re

import pytest
from django.conf import settings
from django.core.cache import cache

from governance.ledger.models import AuditEvent

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def page(live_server, cast, chromium):
    cache.clear()
    # A passkey belongs to a host name, never to an address.
    context = chromium.new_context(base_url=live_server.url.replace("127.0.0.1", "localhost"))
    found = context.new_page()
    found.set_default_timeout(20_000)
    wrong = []
    found.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    found.on("pageerror", lambda error: wrong.append(str(error)))
    devtools = context.new_cdp_session(found)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    yield found
    assert wrong == []
    context.close()


def test_a_passkey_is_added_and_signs_in(page, cast):
    page.goto("/accounts/login/")
    page.fill("input[name=login]", "alice@example.com")
    page.fill("input[name=password]", cast.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(re.compile(r"localhost:\d+/$"))
    page.goto("/accounts/2fa/webauthn/add/")
    page.fill("input[name=password]", cast.password)  # who is there, once more
    page.get_by_role("button", name="Confirm").click()
    page.fill("input[name=name]", "Laptop")
    page.check("input[name=passwordless]")
    page.get_by_role("button", name="Add").click()
    page.wait_for_url("**/recovery-codes/")
    assert {event.after["factor"] for event in AuditEvent.objects.filter(action="mfa.enabled")} == {
        "passkey", "recovery codes",
    }  # fmt: skip
    page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(re.compile(r"localhost:\d+/$"))
    assert page.goto("/settings/").ok and "alice@example.com" in page.content()
    assert AuditEvent.objects.filter(action="user.signed_in").count() == 2
