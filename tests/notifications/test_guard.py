"""Where webhooks don't go, however the address is written and whatever the name server says."""

import socket

import pytest

from accounts.access import Actor
from accounts.errors import Forbidden, Invalid
from governance.ledger.models import AuditEvent
from notifications import actions, deliveries, guard, wire
from notifications.models import Attempt, Delivery, Endpoint

PRIVATE = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200",
    "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.0.192", "198.18.0.1", "240.0.0.1", "168.63.129.16", "192.0.2.1",
    "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1",
    "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "2001:db8::1", "fec0::1",
]  # fmt: skip
MALFORMED = [
    "", "example.com/hooks", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "javascript:alert(1)",
    "http://example.com/", "https://", "https:///path", "https://user:word@example.com/", "https://user@example.com/",
    "https://example.com@evil.example/", "https://example.com:22/", "https://example.com:99999/", "https://example.com:abc/",
    "https://exa mple.com/", "https://example.com\\@evil.example/", "https://example.com/\r\nHost: evil", "https://example.com/#x",
    "https://[::1", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.0.0.1.:443/",
    "https://①②⑦.⓪.⓪.①/", "https://ⓔxample.com/", "https://[fe80::1%25eth0]/", "https://example.com/" + "x" * 2000,
    "https://127.0.0.1%2f.example.com/",
]  # fmt: skip


@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_address_is_refused_before_any_name_is_asked_for(url, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: pytest.fail("a name server was asked"))
    with pytest.raises(guard.Refused) as refused:
        guard.check(url)
    assert len(str(refused.value)) > 10


@pytest.mark.parametrize("address", PRIVATE)
def test_inner_addresses_are_refused_written_out_or_behind_a_name(address):
    literal = f"https://[{address}]/" if ":" in address else f"https://{address}/"
    with pytest.raises(guard.Refused):
        guard.check(literal)
    with pytest.raises(guard.Refused, match="public Internet"):
        guard.check("https://hooks.example.com/", resolve=lambda host, port: [address])


def test_one_inner_address_among_public_ones_is_enough_to_refuse():
    with pytest.raises(guard.Refused):
        guard.check("https://hooks.example.com/", resolve=lambda host, port: ["93.184.215.14", "10.0.0.1"])


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700::1111"])
def test_public_addresses_are_let_through(address):
    goal = guard.check("https://hooks.example.com/in?x=1", resolve=lambda host, port: [address])
    assert (goal.host, goal.port, goal.addresses) == ("hooks.example.com", 443, (address,))


def test_an_operator_may_allow_a_network(inner):
    assert guard.check("http://127.0.0.1:9000/").addresses == ("127.0.0.1",)
    with pytest.raises(guard.Refused):
        guard.check("https://10.0.0.1/")


def test_a_name_that_leads_nowhere_says_so(monkeypatch):
    def nothing(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    with pytest.raises(guard.Unresolved, match="spelling"):
        guard.check("https://hooks.example.com/")


@pytest.mark.django_db
def test_a_refused_address_is_a_clear_error_an_event_and_no_change(cast):
    with pytest.raises(Invalid) as refused:
        actions.create_webhook(
            team=cast.team, url="https://169.254.169.254/latest/meta-data", events=["*"], by=Actor(cast.admin)
        )
    assert "169.254.169.254" in refused.value.errors["url"][0]
    event = AuditEvent.objects.filter(action="webhook.refused").get()
    assert (event.team, event.after["host"]) == ("acme", "169.254.169.254")
    assert not Endpoint.objects.exists()


@pytest.mark.django_db
def test_whoever_may_not_make_webhooks_asks_no_name_server(cast, monkeypatch):
    monkeypatch.setattr(guard, "check", lambda url: pytest.fail("the address was looked at"))
    with pytest.raises(Forbidden):
        actions.create_webhook(team=cast.team, url="https://10.0.0.1/", events=["*"], by=Actor(cast.bob))
    assert not AuditEvent.objects.filter(action="webhook.refused").exists()


def test_a_name_is_asked_for_once_and_that_very_address_is_connected_to(receiver, monkeypatch):
    """Rebinding: a name server that says something else the second time is never asked a second time."""
    port, asked = receiver.server.server_port, []

    def rebinding(host, *args, **kwargs):
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "10.255.255.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    message = wire.Message(f"http://rebind.example:{port}/hooks", b"{}", {"X-Test": "1"})
    with wire.Wire() as line:
        outcome = line.send(message).result(timeout=20)
    assert (outcome.status, outcome.address, asked) == (204, "127.0.0.1", ["rebind.example"])
    assert receiver.got[0].headers["Host"] == f"rebind.example:{port}"


@pytest.mark.django_db
def test_a_name_that_leads_inside_later_is_refused_at_delivery_with_one_event(webhook, receiver, pump, cast, settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    actions.send_test(webhook=webhook, by=Actor(cast.admin))
    actions.send_test(webhook=webhook, by=Actor(cast.admin))
    pump()
    Delivery.objects.update(next_at="2026-01-01T00:00:00Z")
    pump()
    assert receiver.got == []
    assert Attempt.objects.count() >= 2
    assert all("public Internet" in attempt.error and attempt.status is None for attempt in Attempt.objects.all())
    assert AuditEvent.objects.filter(action="webhook.refused").count() == 1


def test_redirects_are_not_followed(receiver, new_receiver):
    other = new_receiver()
    receiver.answers = [(307, {"Location": other.url}, b"")]
    with wire.Wire() as line:
        outcome = line.send(wire.Message(receiver.url, b"{}", {})).result(timeout=20)
    assert outcome.status == 307
    assert "redirect" in outcome.error and not outcome.delivered
    assert other.got == []


def test_an_answer_without_end_is_cut_off(receiver):
    receiver.answers = [(200, {}, b"x" * 5_000_000)]
    with wire.Wire() as line:
        outcome = line.send(wire.Message(receiver.url, b"{}", {})).result(timeout=20)
    assert outcome.delivered
    assert len(outcome.response) == wire.KEPT_BYTES


def test_an_answer_that_drips_ends_at_the_time_limit(monkeypatch, inner):
    monkeypatch.setattr(wire, "TIMEOUT_S", 1.0)
    server = socket.create_server(("127.0.0.1", 0))
    with wire.Wire() as line:
        outcome = line.send(wire.Message(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {})).result(timeout=10)
    server.close()
    assert outcome.status is None
    assert "1 s" in outcome.error and outcome.duration_ms < 3000


def test_the_deliverer_takes_the_guards_word_for_it():
    assert deliveries.LEASE.total_seconds() > 2 * wire.TIMEOUT_S
