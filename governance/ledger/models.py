"""The ledger's tables. No foreign keys lead out of it: names, labels and digests are written out, so that nothing that
is renamed or deleted later changes what was recorded. All of them only grow (migration 0002); the one exception is that
the texts of a sealed event can be erased."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.expressions import Func
from django.db.models.functions import Now

ERASED = "(erased)"


class CurrentXactId(Func):
    template = "(pg_current_xact_id()::text::bigint)"
    output_field = models.BigIntegerField()


class RandomSalt(Func):
    """A random UUID, made by the database: 16 bytes that nobody can guess."""

    template = "(gen_random_uuid())"
    output_field = models.UUIDField()


class EventQuerySet(models.QuerySet["AuditEvent"]):
    pass


class EventManager(models.Manager["AuditEvent"]):
    """Events with their texts: whoever reads an event shows them, and a list costs one statement."""

    def get_queryset(self) -> EventQuerySet:
        return EventQuerySet(self.model, using=self._db).select_related("text")


class AuditEvent(models.Model):
    """The facts of one event: which person did what to which thing, when and by which door. They never change."""

    at = models.DateTimeField(db_default=Now(), editable=False)
    # The writing transaction (pg_current_xact_id(), set by the database): lets a sealer take events in commit order.
    xid = models.BigIntegerField(db_default=CurrentXactId(), editable=False)
    team = models.CharField(max_length=96, blank=True)
    actor_id = models.BigIntegerField(null=True)
    via = models.CharField(max_length=20)
    key_id = models.CharField(max_length=24, blank=True)
    request_id = models.CharField(max_length=80, blank=True)
    action = models.CharField(max_length=60)
    target_kind = models.CharField(max_length=40)
    target_id = models.CharField(max_length=64)
    target_digest = models.CharField(max_length=80, blank=True)
    # Everything the event is about, 'kind:id': a version's life is the events that name it here.
    subjects = ArrayField(models.CharField(max_length=110), default=list)

    objects = EventManager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            # The writers pay for this one alone: searching has postings of its own (governance.ledger.search).
            models.Index(fields=["xid", "id"], name="event_by_commit"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_label}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("Ledger events are append-only, and governance.ledger.actions.record writes them.")

    @property
    def actor_name(self) -> str:
        """Who acted, as they were called then."""
        return self.text.shown("actor_name")

    @property
    def actor_email(self) -> str:
        return self.text.shown("actor_email")

    @property
    def address(self) -> str:
        """The network address that it came from."""
        return self.text.shown("address")

    @property
    def target_label(self) -> str:
        return self.text.shown("target_label")

    @property
    def reason(self) -> str:
        return self.text.shown("reason")

    @property
    def before(self) -> dict[str, Any] | None:
        return self.text.before

    @property
    def after(self) -> dict[str, Any] | None:
        return self.text.after

    @property
    def erased(self) -> list[str]:
        """The names of the texts that were erased on request."""
        return self.text.erased

    @property
    def out_of_band(self) -> bool:
        """Whether it is a change that was made past the application, which a trigger recorded."""
        return self.action == "out_of_band.changed"


class EventText(models.Model):
    """What may be personal in one event, each text with the salt of its commitment. Erasing drops text and salt."""

    # What a leaf of the tree commits to, in the order of its canonical JSON.
    FIELDS = ("actor_email", "actor_name", "address", "after", "before", "reason", "target_label")

    event = models.OneToOneField(
        AuditEvent, on_delete=models.DO_NOTHING, primary_key=True, db_constraint=False, related_name="text"
    )
    actor_name = models.CharField(max_length=200, null=True)
    actor_email = models.CharField(max_length=254, null=True)
    address = models.CharField(max_length=64, null=True)
    target_label = models.CharField(max_length=300, null=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(null=True)
    salt_actor_name = models.UUIDField(null=True, db_default=RandomSalt())
    salt_actor_email = models.UUIDField(null=True, db_default=RandomSalt())
    salt_address = models.UUIDField(null=True, db_default=RandomSalt())
    salt_target_label = models.UUIDField(null=True, db_default=RandomSalt())
    salt_before = models.UUIDField(null=True, db_default=RandomSalt())
    salt_after = models.UUIDField(null=True, db_default=RandomSalt())
    salt_reason = models.UUIDField(null=True, db_default=RandomSalt())

    def __str__(self) -> str:
        return f"texts of event {self.event_id}"

    def shown(self, name: str) -> str:
        """A text as people read it; '(erased)' when it was erased."""
        if getattr(self, f"salt_{name}") is None:
            return ERASED
        value: str | None = getattr(self, name)
        return value or ""

    @property
    def erased(self) -> list[str]:
        return [name for name in self.FIELDS if getattr(self, f"salt_{name}") is None]


class Leaf(models.Model):
    """An event's place in the Merkle tree: its leaf hash, and the commitments to its texts as they were sealed."""

    index = models.BigIntegerField(primary_key=True)
    event = models.OneToOneField(AuditEvent, on_delete=models.DO_NOTHING, db_constraint=False, related_name="leaf")
    hash = models.BinaryField()
    # 7 x 32 bytes in the order of EventText.FIELDS: what an erased text can still be proven against.
    commitments = models.BinaryField()

    def __str__(self) -> str:
        return f"leaf {self.index}"


class Subtree(models.Model):
    """The hash of one complete subtree of 2^height leaves, for heights 8, 16, 24...: proofs read few rows."""

    pk = models.CompositePrimaryKey("height", "index")
    height = models.SmallIntegerField()
    index = models.BigIntegerField()
    hash = models.BinaryField()

    def __str__(self) -> str:
        return f"subtree {self.height}/{self.index}"


class Checkpoint(models.Model):
    """A signed tree head over the first `tree_size` events: `note` is a C2SP signed note."""

    tree_size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()
    note = models.TextField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"checkpoint {self.tree_size}"


class SigningKey(models.Model):
    """A public key that signs checkpoints from `from_size` on, until the next one. `endorsement`: a note that the key
    before it signed when it handed over."""

    name = models.CharField(max_length=255)
    hash = models.CharField(max_length=8)
    public_key = models.BinaryField()
    active_from = models.DateTimeField(db_default=Now(), editable=False)
    from_size = models.BigIntegerField()
    endorsement = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["hash"], name="signing_key_once")]

    def __str__(self) -> str:
        return f"{self.name}+{self.hash}"


class Anchor(models.Model):
    """An attempt to leave a checkpoint outside: in a file, or with a timestamp service. `receipt` is its DER answer."""

    class Kind(models.TextChoices):
        FILE = "file", "File"
        TIMESTAMP = "rfc3161", "RFC 3161 timestamp"

    kind = models.CharField(max_length=10, choices=Kind)
    place = models.CharField(max_length=500)
    tree_size = models.BigIntegerField()
    at = models.DateTimeField(db_default=Now(), editable=False)
    error = models.TextField(blank=True)
    receipt = models.BinaryField(null=True)

    class Meta:
        indexes = [models.Index(fields=["kind", "-id"], name="anchor_by_kind")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.tree_size}"


from governance.ledger.search.models import SearchBatch, SearchName, SearchPosting  # noqa: E402  Django looks for them here

__all__ = [
    "Anchor", "AuditEvent", "Checkpoint", "EventText", "Leaf", "SearchBatch", "SearchName", "SearchPosting", "SigningKey",
    "Subtree",
]  # fmt: skip
