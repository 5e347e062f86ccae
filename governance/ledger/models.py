"""The ledger's one table. It holds no foreign keys: names, labels and digests are written out, so that nothing that
is renamed or deleted later changes what was recorded."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.expressions import Func
from django.db.models.functions import Now


class CurrentXactId(Func):
    template = "(pg_current_xact_id()::text::bigint)"
    output_field = models.BigIntegerField()


class AuditEvent(models.Model):
    """One fact: who did what to what, when and by which door, and what it was before and after."""

    at = models.DateTimeField(db_default=Now(), editable=False)
    # The writing transaction (pg_current_xact_id(), set by the database): lets a sealer take events in commit order.
    xid = models.BigIntegerField(db_default=CurrentXactId(), editable=False)
    team = models.CharField(max_length=96, blank=True)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=200)
    actor_email = models.CharField(max_length=254, blank=True)
    via = models.CharField(max_length=20)
    key_id = models.CharField(max_length=24, blank=True)
    address = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=80, blank=True)
    action = models.CharField(max_length=60)
    target_kind = models.CharField(max_length=40)
    target_id = models.CharField(max_length=64)
    target_label = models.CharField(max_length=300)
    target_digest = models.CharField(max_length=80, blank=True)
    # Everything the event is about, 'kind:id': a version's life is the events that name it here.
    subjects = ArrayField(models.CharField(max_length=110), default=list)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            # The writers pay for this one alone: searching has postings of its own (governance.ledger.search).
            models.Index(fields=["xid", "id"], name="event_by_commit"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_label}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk:
            raise TypeError("Ledger events are append-only.")
        super().save(*args, **kwargs)


from governance.ledger.search.models import SearchBatch, SearchName, SearchPosting  # noqa: E402  Django looks for them here

__all__ = ["AuditEvent", "SearchBatch", "SearchName", "SearchPosting"]
