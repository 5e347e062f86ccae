"""Webhooks and notices by their pages and by REST: the same rules at both doors, and each page costs the same with many."""

import json

import pytest
from django.utils import timezone

from accounts.access import Actor
from governance.ledger.models import AuditEvent
from notifications import actions, deliveries
from notifications.models import Delivery, Endpoint, Notice

pytestmark = pytest.mark.django_db
LIST = "/api/v1/teams/acme/webhooks"


def test_rest_makes_changes_rotates_tests_and_removes_a_webhook(cast, api, receiver, follow):
    client = api(cast.admin)
    made = client.post(LIST, {"url": receiver.url, "events": ["request.*", "request.opened"], "description": "Bot"})
    assert made.status_code == 201
    body = made.json()
    assert body["secret"].startswith("whsec_") and body["events"] == ["request.*"] and body["state"] == "active"
    address = f"/api/v1/webhooks/{body['id']}"
    assert "secret" not in client.get(address).json()
    assert [row["id"] for row in client.get(LIST).json()["results"]] == [body["id"]]
    changed = client.patch(address, {"events": ["*"], "enabled": True})
    assert (changed.status_code, changed.json()["events"]) == (200, ["*"])
    rotated = client.post(f"{address}/secret", {"overlap_s": 60})
    assert rotated.status_code == 201 and rotated.json()["secret"] != body["secret"]
    assert client.get(address).json()["old_secret_until"]
    sent = client.post(f"{address}/test")
    assert sent.status_code == 202
    deliveries.deliver()
    shown = client.get(f"/api/v1/deliveries/{sent.json()['id']}").json()
    assert shown["state"] == "delivered" and shown["attempts"][0]["status"] == 204
    assert shown["body"] == json.loads(receiver.got[0].body)
    assert "webhook-signature" in shown["attempts"][0]["request_headers"]
    assert client.post(f"/api/v1/deliveries/{sent.json()['id']}/resend").status_code == 202
    assert len(client.get(f"{address}/deliveries?state=waiting").json()["results"]) == 1
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.get(f"/api/v1/deliveries/{sent.json()['id']}").status_code == 404


def test_rest_names_what_is_wrong(cast, api, webhook):
    client = api(cast.admin)
    wrong = client.post(LIST, {"url": "https://10.0.0.1/", "events": ["*"]})
    assert wrong.status_code == 400 and "public Internet" in wrong.json()["errors"]["url"][0]
    wrong = client.post(LIST, {"url": "https://8.8.8.8/", "events": ["no.such"]})
    assert wrong.status_code == 400 and "events" in wrong.json()["errors"]
    assert client.post(f"/api/v1/webhooks/{webhook.pk}/secret", {"overlap_s": -1}).status_code == 400
    since = (timezone.now() + timezone.timedelta(days=1)).isoformat()
    late = client.post(f"/api/v1/webhooks/{webhook.pk}/deliveries/resend", {"since": since})
    assert late.status_code == 400 and "since" in late.json()["errors"]
    assert client.get(f"/api/v1/webhooks/{webhook.pk}/deliveries?state=lost").status_code == 400
    assert Endpoint.objects.count() == 1


def test_rest_answers_404_to_outsiders_and_403_to_members(cast, api, webhook):
    delivery = actions.send_test(webhook=webhook, by=Actor(cast.admin))
    addresses = [LIST, f"/api/v1/webhooks/{webhook.pk}", f"/api/v1/webhooks/{webhook.pk}/deliveries"]
    assert {api(cast.mallory).get(address).status_code for address in addresses} == {404}
    member = api(cast.carol)
    answers = [member.get(address) for address in addresses]
    assert {answer.status_code for answer in answers} == {403}
    assert {answer.json()["permission"] for answer in answers} == {"webhook.manage"}
    assert api(cast.mallory).get(f"/api/v1/deliveries/{delivery.pk}").status_code == 404
    assert member.get(f"/api/v1/deliveries/{delivery.pk}").status_code == 403
    read_only = api(cast.admin, scopes=["read"])
    assert read_only.patch(f"/api/v1/webhooks/{webhook.pk}", {"enabled": False}).status_code == 403
    assert Endpoint.objects.get().enabled


def test_event_types_are_listed(cast, api):
    types = {row["type"] for row in api(cast.victor).get("/api/v1/webhooks/event-types").json()["results"]}
    assert {"request.opened", "webhook.disabled"} <= types


def test_notices_by_rest(cast, api, asked, follow):
    asked(2)
    asked(3)
    follow()
    client = api(cast.bob)
    rows = client.get("/api/v1/notices?unread=1").json()["results"]
    assert [row["kind"] for row in rows] == ["review_wanted", "review_wanted"]
    assert client.post("/api/v1/notices/read", {"ids": [rows[0]["id"]]}).json() == {"count": 1}
    assert api(cast.alice).post("/api/v1/notices/read").json() == {"count": 0}
    assert len(client.get("/api/v1/notices?unread=1").json()["results"]) == 1
    body = {"preferences": [{"kind": "mention", "by_mail": False}]}
    shown = client.put("/api/v1/notices/preferences", body).json()
    assert {"kind": "mention", "title": "Somebody mentions me", "on_page": True, "by_mail": False} in shown[
        "preferences"
    ]
    assert client.put("/api/v1/notices/preferences", {"preferences": [{"kind": "gossip"}]}).status_code == 400


def test_a_webhook_by_its_pages(cast, client_of, receiver, follow, asked):
    client = client_of(cast.admin)
    assert b"No webhooks yet" in client.get("/settings/webhooks/").content
    wrong = client.post("/settings/webhooks/new", {"url": "https://127.0.0.1:22/", "events": ["*"]})
    assert wrong.status_code == 422 and b"Port 22" in wrong.content
    made = client.post("/settings/webhooks/new", {"url": receiver.url, "description": "Bot", "events": ["*"]})
    assert made.status_code == 200 and b"whsec_" in made.content and "no-store" in made["Cache-Control"]
    webhook = Endpoint.objects.get()
    page = f"/settings/webhooks/{webhook.pk}/"
    assert b"whsec_" not in client.get(page).content
    tested = client.post(f"{page}test")
    deliveries.deliver()
    shown = client.get(tested["Location"]).content.decode()
    assert "Delivered" in shown and "webhook-signature" in shown and "A test of this webhook." in shown
    assert "every 2s" not in client.get(tested["Location"], headers={"hx-request": "true"}).content.decode()
    client.post(f"{page}edit", {"url": receiver.url, "description": "Robot", "events": ["alias.*"]})
    webhook.refresh_from_db()
    assert (webhook.description, webhook.events) == ("Robot", ["alias.*"])
    rotated = client.post(f"{page}secret", {"overlap": "3600"})
    assert b"whsec_" in rotated.content and b"Old secret signs until" in rotated.content
    client.post(f"{page}enable", {"on": "0"})
    assert b"Enable" in client.get(page).content
    assert client.post(f"{page}test").status_code == 409
    client.post(f"{page}enable")
    client.post(f"{page}resend", {"hours": "24"})
    client.post(f"{page}remove")
    assert client.get(page).status_code == 404
    actions_written = AuditEvent.objects.filter(target_kind="webhook").values_list("action", flat=True)
    assert set(actions_written) >= {"webhook.refused", "webhook.created", "webhook.removed", "webhook.secret_rotated"}


def test_pages_of_webhooks_are_for_who_manages_them(cast, client_of, webhook):
    for user, status in ((cast.bob, 403), (cast.carol, 403)):
        client = client_of(user)
        assert client.get("/settings/webhooks/").status_code == status
        assert client.get(f"/settings/webhooks/{webhook.pk}/").status_code == status
        assert client.post(f"/settings/webhooks/{webhook.pk}/remove").status_code == status
        assert b"/settings/webhooks/" not in client.get("/settings/").content
    assert client_of(cast.mallory).get(f"/settings/webhooks/{webhook.pk}/").status_code == 404
    assert b"/settings/webhooks/" in client_of(cast.admin).get("/settings/").content
    assert Endpoint.objects.filter(removed_at=None).exists()


def test_the_bell_counts_and_opening_a_notice_reads_it(cast, client_of, asked, follow):
    request = asked()
    follow()
    client = client_of(cast.bob)
    assert "Notices: 1 unread" in client.get("/notices/").content.decode()
    notice = Notice.objects.get(user=cast.bob)
    opened = client.get(f"/notices/{notice.pk}/")
    assert opened["Location"] == f"/requests/{request.pk}"
    assert "unread" not in client.get("/notices/").content.decode().split("topbar-bell")[1][:120]
    assert client_of(cast.alice).get(f"/notices/{notice.pk}/").status_code == 404
    assert b"All read" in client.get("/notices/?unread=1").content


def test_preferences_by_the_page(cast, client_of):
    client = client_of(cast.bob)
    shown = client.get("/settings/notifications/").content.decode()
    assert "A request waits for me" in shown
    assert client.post("/settings/notifications/", {"mention-page": "on"}).status_code == 302
    event = AuditEvent.objects.get(action="notices.chosen")
    assert event.after["mention"] == {"on_page": True, "by_mail": False}
    assert event.after["review_wanted"] == {"on_page": False, "by_mail": False}


@pytest.mark.parametrize("page", ["/settings/webhooks/", "/settings/webhooks/{webhook}/", "/notices/"])
def test_lists_cost_the_same_with_many(cast, client_of, webhook, page, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def fill(numbers):
        for number in numbers:
            Endpoint.objects.create(
                team=cast.team, url="https://example.com/", events=["*"], secret="x", created_by=cast.bob
            )
            Delivery.objects.create(endpoint=webhook, event_id=1000 + number, type="request.opened")
            Notice.objects.create(user=cast.admin, kind="mention", event_id=number, title="x", team="acme")

    address = page.format(webhook=webhook.pk)
    client = client_of(cast.admin)
    fill([1])
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        assert client.get(address).status_code == 200
    fill(range(2, 22))
    with django_assert_num_queries(len(few)):
        assert client.get(address).status_code == 200


def test_a_page_that_shows_what_others_sent_escapes_it(cast, client_of, webhook, receiver, pump):
    receiver.answers = [(500, {}, b"<script>alert(1)</script>\x00\xff")]
    delivery = actions.send_test(webhook=webhook, by=Actor(cast.admin))
    pump()
    shown = client_of(cast.admin).get(f"/settings/webhooks/deliveries/{delivery.pk}/").content.decode()
    assert "<script>alert(1)" not in shown and "&lt;script&gt;alert(1)" in shown
