"""E-mail: taken from the notices that wait, written from templates, sent by Django's mail back end, tried for two days."""

import logging
import secrets
import smtplib
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from notifications.kinds import ABOUT, Kind
from notifications.models import Notice

log = logging.getLogger(__name__)
LEASE = timedelta(minutes=5)
AT_ONCE = 50
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 720, 1440))
SILENT = ("django.core.mail.backends.dummy.EmailBackend", "")
Mail = Notice.Mail


def configured() -> bool:
    """Does this site send e-mail at all?"""
    return settings.EMAIL_BACKEND not in SILENT


def send_waiting() -> int:
    """Send what is due; how many were sent. Safe to run twice and at the same time: each notice is taken by one worker."""
    sent = 0
    while taken := _claim():
        sent += _send(taken)
        if len(taken) < AT_ONCE:
            break
    return sent


@transaction.atomic
def _claim() -> list[Notice]:
    now, token = timezone.now(), secrets.token_hex(12)
    due = Notice.objects.filter(mail=Mail.WAITING, mail_next_at__lte=now).order_by("mail_next_at", "id")
    keys = list(due.select_for_update(skip_locked=True).values_list("pk", flat=True)[:AT_ONCE])
    Notice.objects.filter(pk__in=keys).update(mail_claim=token, mail_next_at=now + LEASE)
    return list(Notice.objects.filter(pk__in=keys).select_related("user").order_by("id"))


def _send(notices: list[Notice]) -> int:
    connection, sent = get_connection(), 0
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        for notice in notices:
            _settle(notice, error)
        return 0
    try:
        for notice in notices:
            problem = _send_one(notice, connection)
            sent += problem is None
            _settle(notice, problem)
    finally:
        connection.close()
    return sent


def _send_one(notice: Notice, connection: BaseEmailBackend) -> Exception | None:
    if not notice.user.is_active:
        return smtplib.SMTPRecipientsRefused({notice.user.email: (550, b"The account is deactivated.")})
    try:
        message(notice, connection).send()
    except (OSError, smtplib.SMTPException, ValueError) as error:
        return error
    return None


def message(notice: Notice, connection: BaseEmailBackend | None = None) -> EmailMultiAlternatives:
    """The e-mail of a notice, as text and HTML. Its Message-ID stays the same should it be sent again."""
    about = ABOUT.get(Kind(notice.kind)) if notice.kind in set(Kind) else None
    context = {
        "notice": notice,
        "about": about,
        "address": settings.SITE_URL + notice.link,
        "preferences": f"{settings.SITE_URL}/settings/notifications/",
    }
    host = urlsplit(settings.SITE_URL).hostname or "countersign"
    mail = EmailMultiAlternatives(
        subject=" ".join(f"[Countersign] {notice.title}".split())[:200],
        body=render_to_string("notifications/mail.txt", context),
        to=[notice.user.email],
        connection=connection,
        headers={
            "Message-ID": f"<notice-{notice.pk}@{host}>",
            "List-Unsubscribe": f"<{settings.SITE_URL}/settings/notifications/>",
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(render_to_string("notifications/mail.html", context), "text/html")
    return mail


def _settle(notice: Notice, problem: Exception | None) -> None:
    """Write down what came of it, unless another worker has taken the notice meanwhile."""
    rows = Notice.objects.filter(pk=notice.pk, mail=Mail.WAITING, mail_claim=notice.mail_claim)
    tries = notice.mail_tries + 1
    if problem is None:
        rows.update(mail=Mail.SENT, mail_tries=tries, mail_claim="", mail_error="", mail_next_at=None)
        return
    text = f"{type(problem).__name__}: {problem}"[:300].replace("\0", "")
    if tries > len(PAUSES) or _for_ever(problem):
        log.warning("An e-mail of notice %d could not be sent: %s", notice.pk, text)
        rows.update(mail=Mail.FAILED, mail_tries=tries, mail_claim="", mail_error=text, mail_next_at=None)
        return
    rows.update(mail_tries=tries, mail_claim="", mail_error=text, mail_next_at=timezone.now() + PAUSES[tries - 1])


def _for_ever(problem: Exception) -> bool:
    """A server's refusal of this very recipient or message, which it will repeat."""
    if isinstance(problem, smtplib.SMTPRecipientsRefused):
        return all(500 <= code < 600 for code, _ in problem.recipients.values())
    if isinstance(problem, smtplib.SMTPDataError):
        return 500 <= problem.smtp_code < 600
    return isinstance(problem, ValueError)
