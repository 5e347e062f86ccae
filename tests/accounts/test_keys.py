"""Where keys work from, how they are rotated, and what is told of them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import actions, keys
from accounts.access import Actor
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.models import ApiKey, KeyAddress
from accounts.networks import allows, client_address, plain, read_network
from governance.ledger.models import AuditEvent


def told(action):
    return AuditEvent.objects.filter(action=action)


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        ([], "203.0.113.9", True), ([], "", True),
        (["10.0.0.0/8"], "10.1.2.3", True), (["10.0.0.0/8"], "11.1.2.3", False), (["10.0.0.0/8"], "", False),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True), (["2001:db8::/32"], "2001:db8::1", True),
        (["2001:db8::/32"], "10.0.0.1", False), (["10.0.0.0/8", "192.0.2.7/32"], "192.0.2.7", True),
    ],
)  # fmt: skip
def test_networks(networks, address, allowed):
    assert allows(networks, address) is allowed


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "found"),
    [
        ("203.0.113.9", ["1.2.3.4"], (), "203.0.113.9"),  # nobody's word is taken
        ("203.0.113.9", ["1.2.3.4"], ("10.0.0.0/8",), "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4"], ("10.0.0.0/8",), "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6, 1.2.3.4, 10.0.0.2"], ("10.0.0.0/8",), "1.2.3.4"),  # what stands left of it is a claim
        ("10.0.0.1", ["nonsense"], ("10.0.0.0/8",), "10.0.0.1"), ("", ["1.2.3.4"], ("10.0.0.0/8",), ""),
    ],
)  # fmt: skip
def test_the_clients_address(peer, forwarded, trusted, found):
    assert client_address(peer, forwarded, trusted) == found


def test_a_network_with_host_bits_is_told_what_was_meant():
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/8"):
        read_network("10.1.2.3/8")
    assert plain("fe80::1%eth0") == "fe80::1"


def test_a_key_works_from_its_networks_alone_and_a_refusal_is_told_once_a_minute(cast, api, settings):
    client = api(cast.victor, networks=["192.0.2.0/24"])
    for _ in range(3):
        answer = client.get("/api/v1/me")
        assert answer.status_code == 403 and "127.0.0.1" in answer.json()["detail"]
    assert told("key.refused").count() == 1
    settings.TRUSTED_PROXIES = ("127.0.0.0/8",)
    assert client.get("/api/v1/me", headers={"x-forwarded-for": "192.0.2.7"}).status_code == 200
    assert client.get("/api/v1/me", headers={"x-forwarded-for": "192.0.2.7, 198.51.100.1"}).status_code == 403
    KeyAddress.objects.filter(refused=True).update(at=timezone.now() - timedelta(minutes=2))
    assert client.get("/api/v1/me", headers={"x-forwarded-for": "198.51.100.1"}).status_code == 403
    assert told("key.refused").count() == 3


def test_the_first_use_from_an_address_is_told_once(cast, client):
    row, whole = actions.create_key(name="k", by=Actor(cast.victor))
    for _ in range(3):
        assert client.get("/api/v1/me", headers={"authorization": f"Bearer {whole}"}).status_code == 200
    event = told("key.first_used_from").get()
    assert (event.after, event.key_id, event.actor_email) == (
        {"address": "127.0.0.1"},
        row.key_id,
        "victor@example.com",
    )
    row.refresh_from_db()
    assert row.last_used_from == "127.0.0.1"


def test_what_the_gateway_noted_becomes_events_once(cast):
    row, _ = actions.create_key(name="k", by=Actor(cast.victor))
    KeyAddress.objects.create(key=row, address="192.0.2.1", recorded=False)
    KeyAddress.objects.create(key=row, address="192.0.2.2", refused=True, recorded=False)
    assert (keys.record_noted_uses(), keys.record_noted_uses()) == (2, 0)
    assert told("key.first_used_from").get().address == "192.0.2.1"
    assert told("key.refused").get().via == "gateway"


def test_rotation_makes_a_new_key_and_the_old_one_works_until_the_end(cast, client_of, client):
    row, whole = actions.create_key(
        name="k", team=cast.team, scopes=["read"], networks=["127.0.0.0/8"],
        expires_at=timezone.now() + timedelta(days=30), by=Actor(cast.victor),
    )  # fmt: skip
    page = client_of(cast.victor)
    answer = page.post(f"/api/v1/keys/{row.key_id}/rotate", {"overlap_s": 3600}, content_type="application/json")
    assert answer.status_code == 201, answer.json()
    new = answer.json()
    assert (new["scopes"], new["networks"], new["team"], new["name"]) == (["read"], ["127.0.0.0/8"], "acme", "k")

    def ask(key):
        return client.get("/api/v1/me", headers={"authorization": f"Bearer {key}"}).status_code

    assert ask(whole) == ask(new["key"]) == 200
    row.refresh_from_db()
    assert timedelta(minutes=59) < row.expires_at - timezone.now() < timedelta(minutes=61)
    ApiKey.objects.filter(pk=row.pk).update(expires_at=timezone.now())
    assert (ask(whole), ask(new["key"])) == (401, 200)
    with pytest.raises(Conflict, match="rotated already"):
        actions.rotate_key(key=row, overlap_s=0, by=Actor(cast.victor))
    assert told("key.rotated").get().after["replaced_by"] == new["id"]


def test_who_may_rotate(cast, api):
    row, _ = actions.create_key(name="k", by=Actor(cast.victor))
    with pytest.raises(Forbidden):
        actions.rotate_key(key=row, overlap_s=0, by=Actor(cast.admin))
    with pytest.raises(Forbidden, match="key"):
        actions.rotate_key(key=row, overlap_s=0, by=Actor(cast.victor, key=row))
    with pytest.raises(Invalid):
        actions.rotate_key(key=row, overlap_s=10**9, by=Actor(cast.victor))
    assert api(cast.mallory).post(f"/api/v1/keys/{row.key_id}/rotate", {"overlap_s": 0}).status_code == 404


def test_whoever_ever_made_a_secret_of_a_service_account_stays_on_record(cast):
    """Who saw a secret does not review what was asked with it: a rotation by somebody else must not wash that away."""
    admin = Actor(cast.admin)
    robot = actions.create_service_account(name="robot", team=cast.team, role="contributor", by=admin)
    row, _ = actions.create_key(name="k", team=cast.team, user=robot, by=admin)
    actions.grant_role(user=cast.dana, role="admin", on=cast.team, by=admin)
    actions.rotate_key(key=row, overlap_s=0, by=Actor(cast.dana))
    assert set(ApiKey.objects.filter(user=robot).values_list("made_by", flat=True)) == {cast.admin.pk, cast.dana.pk}


def test_networks_can_be_changed_and_bad_ones_are_named(cast, client_of):
    row, _ = actions.create_key(name="k", by=Actor(cast.victor))
    page = client_of(cast.victor)
    path = f"/api/v1/keys/{row.key_id}"
    wrong = page.patch(path, {"networks": ["10.1.2.3/8"]}, content_type="application/json")
    assert wrong.status_code == 400 and "10.0.0.0/8" in wrong.json()["errors"]["networks"][0]
    assert page.patch(path, {"networks": ["10.0.0.0/8"]}, content_type="application/json").json()["networks"] == [
        "10.0.0.0/8"
    ]
    assert told("key.changed").get().after["networks"] == ["10.0.0.0/8"]
