"""Who is told of what, on the page and by e-mail."""

import smtplib
import socket
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone

from accounts.access import Actor
from accounts.actions import create_service_account, create_user, grant_role
from accounts.errors import Forbidden, Invalid
from accounts.models import Group, GroupMember
from accounts.roles import Role
from governance import actions as governance_actions
from governance.ledger.models import AuditEvent
from governance.models import Delegation
from notifications import actions, audiences, holders, housekeeping, mailer, reads, tail
from notifications.kinds import ABOUT, Kind
from notifications.models import Notice, Position, Preference

pytestmark = pytest.mark.django_db


def told(user):
    return list(Notice.objects.filter(user=user).order_by("id").values_list("kind", flat=True))


def review(cast, request, verdict, comment="", by=None):
    return governance_actions.review(
        request=request, verdict=verdict, comment=comment, by=Actor(by or cast.bob), on=cast.team
    )


def test_reviewers_are_told_that_a_request_waits_and_nobody_behind_it_is(cast, follow, asked):
    grant_role(user=cast.alice, role=Role.REVIEWER, on=cast.team, by=Actor(cast.admin))
    request = asked()
    follow()
    assert told(cast.bob) == ["review_wanted"]
    notice = Notice.objects.get(user=cast.bob)
    assert notice.link == f"/requests/{request.pk}"
    assert notice.title.startswith("Alice asks for your review: acme/date-normaliser version 2")
    assert notice.body == "better"
    assert all(told(user) == [] for user in (cast.alice, cast.carol, cast.dana, cast.victor, cast.mallory))


def test_who_reviews_names_with_a_prefix_is_told_of_these_alone(cast, asked, follow):
    pia = create_user(email="pia@example.com", name="Pia", password=cast.password, by=Actor(cast.admin))
    ned = create_user(email="ned@example.com", name="Ned", password=cast.password, by=Actor(cast.admin))
    grant_role(user=pia, role=Role.REVIEWER, on=cast.team, prefix="date-", by=Actor(cast.admin))
    grant_role(user=ned, role=Role.REVIEWER, on=cast.team, prefix="other-", by=Actor(cast.admin))
    asked()
    follow()
    assert (told(pia), told(ned)) == (["review_wanted"], [])


def test_who_stands_in_for_a_reviewer_is_told_too(cast, asked, follow):
    now = timezone.now()
    Delegation.objects.create(
        team=cast.team,
        delegator=cast.bob,
        delegate=cast.dana,
        starts_at=now - timedelta(days=1),
        ends_at=now + timedelta(days=1),
    )
    asked()
    follow()
    assert told(cast.dana) == ["review_wanted"]


def test_a_deactivated_reviewer_is_not_told(cast, asked, follow):
    cast.bob.is_active = False
    cast.bob.save(update_fields=["is_active"])
    asked()
    follow()
    assert told(cast.bob) == []


def test_the_requester_hears_of_words_and_of_the_decision(cast, asked, follow):
    request = asked()
    review(cast, request, "comment", "Why now?")
    follow()
    assert told(cast.alice) == ["discussion"]
    review(cast, request, "reject", "Too early.")
    follow()
    assert told(cast.alice) == ["discussion", "decision"]
    assert "rejected" in Notice.objects.filter(user=cast.alice).latest("id").title


def test_of_steps_in_one_transaction_the_last_is_told(cast, asked, follow):
    request = asked()
    review(cast, request, "approve")
    request.refresh_from_db()
    governance_actions.mark_applied(request=request, by=Actor(cast.bob))
    follow()
    decisions = Notice.objects.filter(user=cast.alice)
    assert [notice.title for notice in decisions] == [f"Your request is applied: {request}"]


def test_who_is_mentioned_is_told_and_only_in_the_team(cast, asked, follow):
    request = asked(reason="ask @carol or @mallory@example.com, not mail@dana or @bob.")
    follow()
    assert told(cast.carol) == ["mention"]
    assert told(cast.dana) == told(cast.mallory) == []
    assert told(cast.bob) == ["mention"]  # once, not for the review as well
    review(cast, request, "comment", "as @alice@example.com says")
    follow()
    assert told(cast.alice) == ["mention"]


def test_a_broken_glass_is_loud(cast, asked, follow):
    asked()
    follow()
    Notice.objects.all().delete()
    broken = AuditEvent.objects.get(action="request.opened")
    broken.action, broken.actor_id = "request.glass_broken", cast.dana.pk
    people = {one.user_id for one in audiences.told_of(broken)}
    assert {cast.bob.pk, cast.carol.pk, cast.admin.pk, cast.alice.pk} <= people
    assert cast.dana.pk not in people and cast.victor.pk not in people


def test_nobody_is_told_twice_of_one_event(cast, asked, follow):
    asked()
    follow()
    Position.objects.update(xid=0, event_id=0)
    follow()
    assert told(cast.bob) == ["review_wanted"]


def test_each_kind_can_be_switched_off_on_the_page_and_by_mail(cast, asked, follow):
    actions.choose_notices(choices={"review_wanted": {"by_mail": False}}, by=Actor(cast.bob))
    asked(2)
    follow()
    notice = Notice.objects.get(user=cast.bob)
    assert (notice.shown, notice.mail) == (True, "")
    actions.choose_notices(choices={"review_wanted": {"by_mail": True, "on_page": False}}, by=Actor(cast.bob))
    asked(3)
    follow()
    notice = Notice.objects.filter(user=cast.bob).latest("id")
    assert (notice.shown, notice.mail) == (False, "waiting")
    actions.choose_notices(choices={"review_wanted": {"by_mail": False, "on_page": False}}, by=Actor(cast.bob))
    asked(4)
    follow()
    assert Notice.objects.filter(user=cast.bob).count() == 2


def test_a_choice_is_an_event_and_a_wrong_kind_changes_nothing(cast):
    by = Actor(cast.bob)
    actions.choose_notices(choices={"mention": {"by_mail": False}}, by=by)
    actions.choose_notices(choices={"mention": {"by_mail": False}}, by=by)
    event = AuditEvent.objects.get(action="notices.chosen")
    assert event.after == {"mention": {"on_page": True, "by_mail": False}}
    with pytest.raises(Invalid):
        actions.choose_notices(choices={"mention": {"by_mail": True}, "gossip": {"by_mail": True}}, by=by)
    assert Preference.objects.get().by_mail is False


def test_service_accounts_have_no_notices(cast):
    robot = create_service_account(name="robot", team=cast.team, role=Role.REVIEWER, by=Actor(cast.admin))
    with pytest.raises(Forbidden):
        actions.choose_notices(choices={}, by=Actor(robot))


def test_every_kind_is_described():
    assert set(ABOUT) == set(Kind)


def test_an_email_goes_out_once_as_text_and_html_with_a_link_and_a_way_out(cast, asked, follow, settings):
    request = asked(reason="5 < 6 & better")
    follow()
    assert mailer.send_waiting() == 1
    assert mailer.send_waiting() == 0
    (message,) = mail.outbox
    assert message.to == ["bob@example.com"]
    assert message.subject.startswith("[Countersign] Alice asks for your review")
    assert f"{settings.SITE_URL}/requests/{request.pk}" in message.body
    assert "5 < 6 & better" in message.body
    html = message.alternatives[0][0]
    assert "5 &lt; 6 &amp; better" in html and f'href="{settings.SITE_URL}/requests/{request.pk}"' in html
    assert "/settings/notifications/" in message.extra_headers["List-Unsubscribe"]
    assert Notice.objects.get(user=cast.bob).mail == "sent"


def test_without_a_mail_server_nothing_waits_to_be_sent(cast, asked, follow, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    asked()
    follow()
    assert Notice.objects.get(user=cast.bob).mail == ""


def test_people_are_not_mailed_about_last_week(cast, asked, follow, monkeypatch):
    monkeypatch.setattr(tail, "STALE", timedelta(seconds=-1))
    asked()
    follow()
    assert Notice.objects.get(user=cast.bob).mail == ""


def test_a_mail_server_that_is_away_is_asked_again_later_and_a_refusal_is_final(cast, asked, follow, monkeypatch):
    asked()
    follow()

    def away(self, messages):
        raise smtplib.SMTPServerDisconnected("gone")

    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", away)
        assert mailer.send_waiting() == 0
    notice = Notice.objects.get(user=cast.bob)
    assert (notice.mail, notice.mail_tries) == ("waiting", 1)
    assert timedelta(0) < notice.mail_next_at - timezone.now() <= timedelta(minutes=1)
    assert "gone" in notice.mail_error

    def refused(self, messages):
        raise smtplib.SMTPRecipientsRefused({"bob@example.com": (550, b"no such user")})

    Notice.objects.update(mail_next_at=timezone.now())
    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", refused)
        mailer.send_waiting()
    assert Notice.objects.get(user=cast.bob).mail == "failed"


def test_a_worker_that_dies_while_sending_leaves_the_mail_to_the_next(cast, asked, follow):
    asked()
    follow()
    assert len(mailer._claim()) == 1
    assert mailer.send_waiting() == 0
    Notice.objects.update(mail_next_at=timezone.now() - timedelta(seconds=1))
    assert mailer.send_waiting() == 1


class Mailbox:
    def __init__(self):
        self.got = []

    async def handle_DATA(self, server, session, envelope):
        self.got.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
        return "250 OK"


def test_a_real_mail_server_gets_a_whole_message(cast, asked, follow, settings):
    mailbox = Mailbox()
    server = Controller(mailbox, hostname="127.0.0.1", port=0)
    # aiosmtpd looks for its own port, and 0 is none: give it a free one.
    with socket.create_server(("127.0.0.1", 0)) as free:
        server.port = free.getsockname()[1]
    server.start()
    try:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.DEFAULT_FROM_EMAIL = "Countersign <countersign@example.com>"
        asked(reason="größer als zuvor")
        follow()
        assert mailer.send_waiting() == 1
    finally:
        server.stop()
    ((to, message),) = mailbox.got
    assert to == ["bob@example.com"]
    assert message["From"] == "Countersign <countersign@example.com>"
    assert message["Message-ID"].startswith("<notice-")
    assert "größer als zuvor" in message.get_body(("plain",)).get_content()
    assert "größer als zuvor" in message.get_body(("html",)).get_content()


def test_one_reads_and_marks_ones_own_notices_alone(cast, asked, follow):
    asked(2)
    asked(3)
    follow()
    bob, alice = Actor(cast.bob), Actor(cast.alice)
    assert (reads.unread_count(bob), reads.unread_count(alice)) == (2, 0)
    first = Notice.objects.filter(user=cast.bob).first()
    assert actions.mark_read(by=alice, notice_ids=[first.pk]) == 0
    assert actions.mark_read(by=bob, notice_ids=[first.pk]) == 1
    assert reads.unread_count(bob) == 1
    assert actions.mark_read(by=bob) == 1
    assert actions.mark_read(by=bob) == 0


def test_old_notices_go(cast, asked, follow):
    asked()
    follow()
    Notice.objects.update(created_at=timezone.now() - timedelta(days=91), mail="sent")
    assert housekeeping.sweep() == 1
    assert not Notice.objects.exists()


def test_the_unread_count_is_one_query_and_bounded(cast, django_assert_num_queries):
    Notice.objects.bulk_create(
        Notice(user=cast.bob, kind="mention", event_id=number, title="x") for number in range(300)
    )
    with django_assert_num_queries(1):
        assert reads.unread_count(Actor(cast.bob)) == reads.COUNTED


def as_event(action, cast, *, by=None, **after):
    """The opened request's event, as if it were another: what the life of requests beyond a decision says."""
    event = AuditEvent.objects.get(action="request.opened")
    event.action, event.actor_id, event.text.after = action, by.pk if by else None, after
    return {(one.user_id, one.kind) for one in audiences.told_of(event)}


def test_the_rest_of_a_requests_life_reaches_whom_it_concerns(cast, asked):
    asked()
    reviewers, requester = (cast.bob.pk, Kind.REVIEW_WANTED), (cast.alice.pk, Kind.DECISION)
    assert as_event("request.expired", cast) == {requester}
    assert as_event("request.reopened", cast) == {requester, reviewers}
    assert as_event("request.answered", cast, by=cast.alice, asked_by=["bob@example.com"]) == {reviewers}
    assert as_event("review.stale", cast, reviewer="bob@example.com") == {reviewers}
    escalated = as_event("request.escalated", cast, to="role:auditor")
    assert escalated == {(cast.bob.pk, Kind.ESCALATION), (cast.carol.pk, Kind.ESCALATION)}
    assert (cast.admin.pk, Kind.ESCALATION) in as_event("request.escalated", cast)
    assert (cast.alice.pk, Kind.SHELF_LIFE) in as_event("approval.lapsed", cast)
    assert as_event("delegation.created", cast, by=cast.bob, delegate="dana@example.com") == {
        (cast.dana.pk, Kind.DELEGATION)
    }


def test_a_key_that_is_used_from_a_new_address_is_told_to_its_owner(cast, api, follow):
    client = api(cast.dana)
    for address in ("198.51.100.7", "203.0.113.9", "203.0.113.9"):
        assert client.get("/api/v1/me", REMOTE_ADDR=address).status_code == 200
    follow()
    events = AuditEvent.objects.filter(action="key.first_used_from").count()
    assert events >= 1
    assert told(cast.dana) == ["key_used"] * events


def test_a_party_is_a_role_here_or_a_named_group(cast, asked):
    request = asked()
    legal = Group.objects.create(team=cast.team, slug="legal", title="Legal")
    GroupMember.objects.create(group=legal, user=cast.victor)
    assert holders.party(request, "group:legal") == {cast.victor.pk}
    assert holders.party(request, "role:deployer") == {cast.dana.pk}
    assert holders.party(request, "group:none") == set()
    request.waits_for = ["group:legal", "escalated:role:deployer"]
    assert holders.reviewers_of(request) == {cast.victor.pk, cast.dana.pk}


@pytest.mark.django_db(transaction=True)
def test_what_is_erased_from_the_ledger_is_erased_from_notices(cast, asked, follow):
    from governance.actions.ledger import erase_personal_data
    from governance.ledger.sealer import seal

    asked(reason="because alice@example.com said so")
    follow()
    assert Notice.objects.exists()
    seal()
    erase_personal_data(email="alice@example.com", reason="asked for", by=Actor(cast.admin))
    assert housekeeping.erased_lately()
    assert housekeeping.forget_erased() >= 1
    assert not Notice.objects.filter(body__contains="alice@example.com").exists()
