"""What people are told, and how they want to be."""

from django.db import models
from django.utils import timezone

from accounts.models import User


class Notice(models.Model):
    """One thing that one person is told, on their page of notices, by e-mail, or both."""

    class Mail(models.TextChoices):
        NONE = ""
        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=30)  # of notifications.kinds
    event_id = models.BigIntegerField()  # of the ledger
    team = models.CharField(max_length=96, blank=True)
    title = models.CharField(max_length=300)
    body = models.TextField(blank=True)
    link = models.CharField(max_length=300, blank=True)  # an address of this site, from the slash on
    shown = models.BooleanField(default=True)  # on the page of notices; False: by e-mail alone
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    read_at = models.DateTimeField(null=True)
    mail = models.CharField(max_length=8, choices=Mail.choices, default=Mail.NONE, blank=True)
    mail_tries = models.PositiveIntegerField(default=0)
    mail_next_at = models.DateTimeField(null=True)
    mail_claim = models.CharField(max_length=24, blank=True)
    mail_error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user", "-id"], name="notice_by_person", condition=models.Q(shown=True)),
            models.Index(fields=["user"], name="notice_unread", condition=models.Q(shown=True, read_at=None)),
            models.Index(fields=["mail_next_at"], name="notice_mail_due", condition=models.Q(mail="waiting")),
            models.Index(fields=["created_at"], name="notice_by_time"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["user", "event_id", "kind"], name="one_notice_per_event_kind_and_person"),
        ]

    def __str__(self) -> str:
        return self.title


class Preference(models.Model):
    """How one person wants one kind of notice, where that isn't the default."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=30)
    on_page = models.BooleanField()
    by_mail = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="one_preference_per_kind_and_person")]

    def __str__(self) -> str:
        return f"{self.kind}: page {self.on_page}, e-mail {self.by_mail}"
