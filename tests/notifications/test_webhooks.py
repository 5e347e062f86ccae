"""Webhooks: what is sent, signed and tried again, and who may say so."""

import contextlib
import socket
import ssl
import threading
import time
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from accounts.access import Actor
from accounts.actions import create_team
from accounts.errors import Conflict, Forbidden, Invalid, NotFound
from governance.ledger.models import AuditEvent
from notifications import actions, deliveries, guard, housekeeping, reads, tail, vault, wire
from notifications.models import Attempt, Delivery, Endpoint, Notice, Position

pytestmark = pytest.mark.django_db
DUE = "2026-01-01T00:00:00Z"


def due_now():
    Delivery.objects.filter(state="waiting").update(next_at=DUE)


def test_an_event_arrives_and_the_unmodified_verifier_accepts_it(webhook, receiver, pump, asked):
    request = asked()
    assert pump() == 1
    got = receiver.got[0]
    message = Webhook(webhook.plain_secret).verify(got.body, got.headers)
    event = AuditEvent.objects.get(action="request.opened")
    assert message["type"] == "request.opened"
    assert message["data"]["id"] == event.pk
    assert message["data"]["target"]["id"] == str(request.pk)
    assert message["data"]["actor"] == "alice@example.com"
    assert message["timestamp"].startswith(str(event.at.year))
    assert got.headers["webhook-id"] == Delivery.objects.get().message_id
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 43 + "=").verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(webhook.plain_secret).verify(got.body.replace(b"opened", b"closed"), got.headers)


def test_the_message_holds_the_event_as_rest_shows_it(webhook, receiver, pump, asked, api, cast):
    asked()
    pump()
    data = receiver.messages()[0]["data"]
    assert api(cast.carol).get(f"/api/v1/ledger/{data['id']}").json() == data


def test_after_a_rotation_both_secrets_verify_until_the_old_one_ends(webhook, receiver, pump, asked, cast):
    new = actions.rotate_secret(webhook=webhook, overlap=timedelta(hours=1), by=Actor(cast.admin))
    asked()
    pump()
    got = receiver.got[-1]
    assert Webhook(webhook.plain_secret).verify(got.body, got.headers)
    assert Webhook(new).verify(got.body, got.headers)
    Endpoint.objects.update(previous_until=timezone.now() - timedelta(seconds=1))
    asked(3)
    pump()
    got = receiver.got[-1]
    assert Webhook(new).verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(webhook.plain_secret).verify(got.body, got.headers)


@pytest.mark.parametrize(
    "chosen, types",
    [
        (["request.*"], ["request.opened"]),
        (["request.opened", "alias.moved"], ["request.opened"]),
        (["alias.moved"], []),
        (["*"], ["request.opened"]),
    ],
)
def test_an_endpoint_hears_of_what_it_chose(webhook, receiver, pump, asked, cast, chosen, types):
    actions.change_webhook(webhook=webhook, events=chosen, by=Actor(cast.admin))
    asked()
    pump()
    assert [message["type"] for message in receiver.messages()] == types


def test_another_teams_events_and_those_before_it_was_made_are_not_sent(cast, receiver, pump, asked):
    asked()
    other = create_team(name="other", title="", by=Actor(cast.admin))
    actions.create_webhook(team=other, url=receiver.url, events=["*"], by=Actor(cast.admin))
    webhook, _ = actions.create_webhook(team=cast.team, url=receiver.url, events=["*"], by=Actor(cast.admin))
    Endpoint.objects.filter(pk=webhook.pk).update(created_at=timezone.now() + timedelta(hours=1))
    asked(3)
    pump()
    assert [m["type"] for m in receiver.messages() if m["data"]["team"] != "other"] == []


def test_a_failed_delivery_is_tried_again_over_days_with_one_id_and_then_given_up(webhook, receiver, pump, asked):
    receiver.answers = [(500, {}, b"no")]
    asked()
    for tries, pause in enumerate(deliveries.PAUSES, start=1):
        before = timezone.now()
        pump()
        row = Delivery.objects.get()
        assert (row.state, row.tries) == ("waiting", tries)
        low, high = pause * (1 - deliveries.JITTER), pause * (1 + deliveries.JITTER)
        assert before + low <= row.next_at <= timezone.now() + high
        assert pump() == 0  # not before its time
        due_now()
    pump()
    row = Delivery.objects.get()
    assert (row.state, row.tries, Attempt.objects.count()) == ("failed", 10, 10)
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert sum(deliveries.PAUSES, timedelta()) > timedelta(days=3)
    assert Attempt.objects.first().response == "no"


def test_retry_after_is_honoured_but_not_beyond_a_day(webhook, receiver, pump, asked):
    receiver.answers = [(429, {"Retry-After": "3600"}, b""), (503, {"Retry-After": "99999999"}, b"")]
    asked()
    pump()
    wait = Delivery.objects.get().next_at - timezone.now()
    assert timedelta(minutes=59) < wait <= timedelta(hours=1)
    due_now()
    pump()
    wait = Delivery.objects.get().next_at - timezone.now()
    assert timedelta(hours=23) < wait <= timedelta(hours=24)


def test_retry_after_may_be_a_date():
    now = timezone.now().replace(year=2026, month=5, day=3, hour=10, minute=0, second=0, microsecond=0)
    assert wire.retry_after("Sun, 03 May 2026 10:05:00 GMT", now) == 300
    assert wire.retry_after("soon", now) is None
    assert wire.retry_after("-5", now) is None


def test_a_success_ends_it_and_the_endpoint_is_well_again(webhook, receiver, pump, asked):
    receiver.answers = [(500, {}, b""), (200, {}, b"ok")]
    asked()
    pump()
    assert Endpoint.objects.get().state == "failing"
    due_now()
    pump()
    assert (Endpoint.objects.get().state, Delivery.objects.get().state) == ("active", "delivered")
    assert Delivery.objects.get().ended_at is not None


def test_410_disables_the_endpoint_and_its_administrators_are_told(webhook, receiver, pump, follow, asked, cast):
    receiver.answers = [(410, {}, b"")]
    asked()
    pump()
    webhook.refresh_from_db()
    assert (webhook.enabled, Delivery.objects.get().state) == (False, "failed")
    assert "410" in webhook.disabled_reason
    assert AuditEvent.objects.get(action="webhook.disabled").actor_name == "system"
    asked(3)
    follow()
    assert Delivery.objects.count() == 1
    notice = Notice.objects.get(user=cast.admin, kind="webhook_disabled")
    assert notice.link == f"/settings/webhooks/{webhook.pk}/"


def test_after_five_days_of_failures_the_endpoint_is_disabled(webhook, receiver, pump, asked):
    receiver.answers = [(500, {}, b"")]
    asked()
    pump()
    Endpoint.objects.update(failing_since=timezone.now() - timedelta(days=4, hours=23))
    due_now()
    pump()
    assert Endpoint.objects.get().enabled
    Endpoint.objects.update(failing_since=timezone.now() - timedelta(days=5))
    due_now()
    pump()
    assert not Endpoint.objects.get().enabled
    assert AuditEvent.objects.get(action="webhook.disabled").reason == "Every attempt failed for 5 days."


def test_failed_messages_are_sent_again_one_by_one_or_all_since_a_time(webhook, receiver, pump, asked, cast):
    receiver.answers = [(410, {}, b"")]
    for number in (2, 3, 4):
        asked(number)
    pump()
    with pytest.raises(Conflict, match="disabled"):
        actions.resend(delivery=Delivery.objects.first(), by=Actor(cast.admin))
    actions.change_webhook(webhook=webhook, enabled=True, by=Actor(cast.admin))
    receiver.answers = [(200, {}, b"")]
    failed = list(Delivery.objects.filter(state="failed").order_by("id"))
    assert len(failed) == 3
    Delivery.objects.filter(pk=failed[0].pk).update(created_at=timezone.now() - timedelta(days=2))
    since = timezone.now() - timedelta(days=1)
    assert actions.resend_failed(webhook=webhook, since=since, by=Actor(cast.admin)) == 2
    sent = len(receiver.got)
    deliveries.deliver()
    assert {got.headers["webhook-id"] for got in receiver.got[sent:]} == {row.message_id for row in failed[1:]}
    actions.resend(delivery=failed[0], by=Actor(cast.admin))
    deliveries.deliver()
    assert Delivery.objects.filter(state="delivered").count() == 3
    replays = AuditEvent.objects.filter(action="delivery.replayed").order_by("id")
    assert [event.target_kind for event in replays] == ["webhook", "delivery"]
    assert replays[0].after["deliveries"] == 2


def test_a_slow_endpoint_does_not_hold_up_the_others(webhook, receiver, new_receiver, follow, asked, cast, monkeypatch):
    monkeypatch.setattr(wire, "TIMEOUT_S", 3.0)
    receiver.slow_s = 4.0
    quick = new_receiver()
    actions.create_webhook(team=cast.team, url=quick.url, events=["request.*"], by=Actor(cast.admin))
    for number in range(2, 12):
        asked(number)
    follow()
    # The slow one has the older messages, and more of them than it may have under way.
    Delivery.objects.filter(endpoint=webhook).update(next_at=DUE)
    began = timezone.now().timestamp()
    deliveries.deliver(budget_s=1.0)
    assert len(quick.got) == 10
    assert max(got.at for got in quick.got) - began < 2.5
    assert len(receiver.got) <= deliveries.MOST_PER_ENDPOINT + 1


def test_a_failing_endpoint_gets_one_message_at_a_time(webhook, asked, follow):
    for number in range(2, 8):
        asked(number)
    follow()
    Endpoint.objects.update(failing_since=timezone.now())
    assert len(deliveries.claim(100, busy=[])) == 1
    Endpoint.objects.update(failing_since=None)
    assert len(deliveries.claim(100, busy=[])) == deliveries.MOST_PER_ENDPOINT
    assert deliveries.claim(100, busy=[webhook.pk]) == []


def test_what_a_dead_worker_took_is_delivered_after_its_lease_and_its_late_word_is_ignored(
    webhook, receiver, pump, asked
):
    asked()
    tail.follow()
    (taken,) = deliveries.claim(10, busy=[])
    assert pump() == 0
    due_now()
    assert pump() == 1
    deliveries.settle(taken, wire.Outcome(status=500))
    row = Delivery.objects.get()
    assert (row.state, row.tries, Attempt.objects.count()) == ("delivered", 1, 1)


def test_an_event_is_told_once_even_when_the_tail_goes_over_it_again(webhook, pump, receiver, asked):
    asked()
    pump()
    Position.objects.update(xid=0, event_id=0)
    pump()
    assert [m["type"] for m in receiver.messages()].count("request.opened") == 1
    assert Delivery.objects.filter(type="request.opened").count() == 1


def test_a_tail_that_dies_half_way_has_done_nothing(webhook, follow, asked, monkeypatch):
    asked()
    before = Position.objects.get()
    broken = monkeypatch.context
    with broken() as patch:
        patch.setattr(Position, "save", lambda *a, **k: (_ for _ in ()).throw(RuntimeError("power cut")))
        with pytest.raises(RuntimeError):
            follow()
    assert not Delivery.objects.exists()
    assert Position.objects.get().event_id == before.event_id
    follow()
    assert Delivery.objects.count() == 1


def test_an_endpoint_does_not_hear_of_itself(webhook, receiver, pump, cast):
    actions.change_webhook(webhook=webhook, description="changed", by=Actor(cast.admin))
    pump()
    assert receiver.messages() == []


def test_a_test_message_verifies(webhook, receiver, cast):
    actions.send_test(webhook=webhook, by=Actor(cast.admin))
    deliveries.deliver()
    got = receiver.got[0]
    assert Webhook(webhook.plain_secret).verify(got.body, got.headers)["type"] == "webhook.test"


def test_no_secret_is_at_rest_in_the_clear_nor_in_any_event(webhook, cast):
    new = actions.rotate_secret(webhook=webhook, by=Actor(cast.admin))
    row = Endpoint.objects.get()
    assert vault.unlock(row.secret) == new
    assert vault.unlock(row.previous_secret) == webhook.plain_secret
    text = str(list(AuditEvent.objects.values())) + str(
        [(e.before, e.after, e.target_label) for e in AuditEvent.objects.all()]
    )
    assert "whsec_" not in text and new[6:] not in text and row.secret not in text and "/hooks" not in text


def test_a_new_key_takes_over_and_the_old_one_can_go(webhook, settings):
    from cryptography.fernet import Fernet

    old, new = settings.FERNET_KEYS[0], Fernet.generate_key().decode()
    settings.FERNET_KEYS = [new, old]
    assert housekeeping.encrypt_anew() == 1
    settings.FERNET_KEYS = [new]
    assert vault.unlock(Endpoint.objects.get().secret) == webhook.plain_secret
    assert housekeeping.encrypt_anew() == 0


def test_a_secret_that_no_key_opens_fails_the_delivery_and_says_why(webhook, pump, asked, settings):
    from cryptography.fernet import Fernet

    settings.FERNET_KEYS = [Fernet.generate_key().decode()]
    asked()
    pump()
    assert "COUNTERSIGN_FERNET_KEYS" in Attempt.objects.get().error


def test_old_deliveries_go_and_waiting_ones_stay(webhook, follow, asked):
    asked(2)
    asked(3)
    follow()
    old, waiting = Delivery.objects.order_by("id")
    long_ago = timezone.now() - timedelta(days=31)
    Delivery.objects.update(created_at=long_ago)
    Delivery.objects.filter(pk=old.pk).update(state="failed", ended_at=long_ago)
    housekeeping.sweep()
    assert list(Delivery.objects.all()) == [waiting]


@pytest.mark.parametrize(
    "fields, wrong",
    [
        ({"events": []}, "events"),
        ({"events": ["nothing.*"]}, "events"),
        ({"events": ["request.exploded"]}, "events"),
        ({"description": "x" * 201}, "description"),
    ],
)
def test_what_makes_no_sense_names_the_field_and_changes_nothing(cast, receiver, fields, wrong):
    with pytest.raises(Invalid) as problem:
        actions.create_webhook(
            **{"team": cast.team, "url": receiver.url, "events": ["*"], "by": Actor(cast.admin), **fields}
        )
    assert list(problem.value.errors) == [wrong]
    assert not Endpoint.objects.exists()


def test_only_who_manages_webhooks_does(cast, webhook, receiver):
    for user in (cast.alice, cast.bob, cast.carol, cast.dana, cast.victor):
        by = Actor(user)
        for attempt in (
            lambda by=by: actions.create_webhook(team=cast.team, url=receiver.url, events=["*"], by=by),
            lambda by=by: actions.change_webhook(webhook=webhook, enabled=False, by=by),
            lambda by=by: actions.rotate_secret(webhook=webhook, by=by),
            lambda by=by: actions.send_test(webhook=webhook, by=by),
            lambda by=by: actions.remove_webhook(webhook=webhook, by=by),
            lambda by=by: reads.get_webhook(by, webhook.pk),
        ):
            with pytest.raises(Forbidden):
                attempt()
    with pytest.raises(NotFound):
        reads.get_webhook(Actor(cast.mallory), webhook.pk)


def test_each_change_is_one_event_and_no_change_is_none(cast, webhook):
    by = Actor(cast.admin)
    actions.change_webhook(webhook=webhook, description="Bot", by=by)
    actions.change_webhook(webhook=webhook, description="Bot", by=by)
    actions.rotate_secret(webhook=webhook, by=by)
    actions.send_test(webhook=webhook, by=by)
    actions.remove_webhook(webhook=webhook, by=by)
    written = AuditEvent.objects.filter(target_kind="webhook").order_by("id").values_list("action", flat=True)
    assert list(written) == [
        "webhook.created", "webhook.changed", "webhook.secret_rotated", "webhook.tested", "webhook.removed",
    ]  # fmt: skip
    assert AuditEvent.objects.get(action="webhook.changed").after == {"description": "Bot"}
    with pytest.raises(NotFound):
        actions.send_test(webhook=webhook, by=by)


def test_a_team_has_a_bounded_number_of_webhooks(cast, receiver, monkeypatch):
    monkeypatch.setattr(actions, "MAX_ENDPOINTS", 1)
    actions.create_webhook(team=cast.team, url=receiver.url, events=["*"], by=Actor(cast.admin))
    with pytest.raises(Conflict, match="at most 1"):
        actions.create_webhook(team=cast.team, url=receiver.url, events=["*"], by=Actor(cast.admin))


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_follow_and_deliver_each_event_once(new_receiver, asked, cast):
    receiver = new_receiver()
    receiver.slow_s = 0.05
    actions.create_webhook(team=cast.team, url=receiver.url, events=["request.*"], by=Actor(cast.admin))
    tail.follow()
    for number in range(2, 22):
        asked(number)
    barrier, errors = threading.Barrier(4), []

    def work():
        try:
            barrier.wait()
            for _ in range(3):
                tail.follow()
                deliveries.deliver(budget_s=2)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    tail.follow()
    deliveries.deliver()
    assert errors == []
    ids = [got.headers["webhook-id"] for got in receiver.got]
    assert len(ids) == len(set(ids)) == 20


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_take_the_same_delivery(receiver, asked, cast):
    webhook, _ = actions.create_webhook(team=cast.team, url=receiver.url, events=["*"], by=Actor(cast.admin))
    Delivery.objects.bulk_create(Delivery(endpoint=webhook, event_id=n, type="x.y") for n in range(1, 41))
    barrier, taken = threading.Barrier(4), []

    def work():
        barrier.wait()
        while found := deliveries.claim(2, busy=[]):
            taken.extend(row.pk for row in found)
        connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(taken) == len(set(taken)) == 40


@pytest.mark.django_db(transaction=True)
def test_the_tail_waits_for_a_transaction_that_is_still_open(receiver, asked, cast, superuser_connection):
    actions.create_webhook(team=cast.team, url=receiver.url, events=["request.*"], by=Actor(cast.admin))
    with superuser_connection.transaction():
        superuser_connection.execute("SELECT pg_current_xact_id()")
        asked()
        tail.follow()
        assert not Delivery.objects.exists()
    tail.follow()
    assert Delivery.objects.count() == 1


def test_https_is_verified_against_the_name_and_the_authorities_that_are_trusted(
    inner, settings, tmp_path, monkeypatch
):
    """A receiver with a certificate of its own authority: trusted when the operator says so, for its own name alone."""
    server = tls_receiver(tmp_path, "hooks.example.com")
    port = server.getsockname()[1]
    monkeypatch.setattr(guard, "look_up", lambda host, port: ["127.0.0.1"])
    with wire.Wire() as line:

        def send(host):
            return line.send(wire.Message(f"https://{host}:{port}/", b"{}", {})).result(timeout=20)

        assert "certificate" in send("hooks.example.com").error.lower()
        settings.WEBHOOK_CA_FILE = str(tmp_path / "ca.pem")
        assert send("hooks.example.com").status == 204
        assert "certificate" in send("other.example.com").error.lower()
    server.close()


def tls_receiver(folder, name):
    """Answers 204 to everything, by TLS, with a self-signed certificate for `name` that lies in `folder`/ca.pem."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, subject = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]),
    )
    now = timezone.now()
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                plain, _ = server.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as conn:
                conn.recv(65536)
                conn.sendall(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    threading.Thread(target=serve, daemon=True).start()
    return server


def test_a_worker_that_is_told_to_stop_takes_no_more_and_leaves_the_rest_to_others(
    webhook, receiver, follow, asked, monkeypatch
):
    monkeypatch.setattr(deliveries, "STOP_S", 0.5)
    monkeypatch.setattr(deliveries, "stopping", threading.Event())
    receiver.slow_s = 3.0
    for number in range(2, 9):
        asked(number)
    follow()
    deliveries.stopping.set()
    began = time.monotonic()
    assert deliveries.deliver() == 0
    assert time.monotonic() - began < 2.5
    assert Delivery.objects.filter(state="waiting", tries=0).count() == 7
    receiver.slow_s = 0.0
    deliveries.stopping.clear()
    due_now()
    assert deliveries.deliver() == 7
    assert Delivery.objects.filter(state="delivered").count() == 7


def test_a_slow_endpoint_holds_nothing_up_however_long_it_is_slow(webhook, receiver, new_receiver, follow, asked, cast):
    """New messages to others leave while the slow one's are still under way."""
    receiver.slow_s = 3.0
    quick = new_receiver()
    other, _ = actions.create_webhook(team=cast.team, url=quick.url, events=["alias.moved"], by=Actor(cast.admin))
    asked()
    follow()
    Delivery.objects.create(endpoint=other, type="webhook.test", next_at=timezone.now() + timedelta(seconds=0.7))
    began = time.time()
    assert deliveries.deliver() == 3  # the slow one is told of the other webhook too
    assert quick.got[0].at - began < 2.5


@pytest.mark.django_db(transaction=True)
def test_a_webhook_that_is_moved_past_the_application_is_an_event_without_its_secrets(
    receiver, cast, superuser_connection
):
    webhook, _ = actions.create_webhook(team=cast.team, url=receiver.url, events=["*"], by=Actor(cast.admin))
    superuser_connection.execute("UPDATE notifications_endpoint SET url = 'https://thief.example.com/token'")
    event = AuditEvent.objects.get(action="out_of_band.changed")
    assert (event.target_kind, event.target_id) == ("webhook", str(webhook.pk))
    assert "thief" not in str(event.after) and webhook.secret not in str((event.before, event.after))
    webhook.refresh_from_db()
    housekeeping.encrypt_anew()
    actions.remove_webhook(webhook=webhook, by=Actor(cast.admin))
    Endpoint.objects.update(removed_at=timezone.now() - timedelta(days=31))
    housekeeping.sweep()
    assert not Endpoint.objects.exists()
    assert AuditEvent.objects.filter(action="out_of_band.changed").count() == 1
