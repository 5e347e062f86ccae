"""Versions: drafts that take files, then immutable."""

from django.db import models
from django.utils import timezone

from accounts.access import Actor, visible
from accounts.models import User
from accounts.roles import Permission
from registry.models.assets import Asset


class VersionQuerySet(models.QuerySet["Version"]):
    def visible_to(self, actor: Actor) -> "VersionQuerySet":
        return self.filter(asset__in=Asset.objects.filter(visible(actor, Permission.ASSET_VIEW, Asset)))

    def registered(self) -> "VersionQuerySet":
        return self.filter(state=Version.State.REGISTERED)


class Version(models.Model):
    """One version of a model or dataset. A draft takes files; registering fixes manifest and digest for ever."""

    class State(models.TextChoices):
        DRAFT = "draft"
        REGISTERED = "registered"

    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.DRAFT)
    digest = models.CharField(max_length=80, blank=True)
    message = models.TextField(blank=True)
    # What the files say of themselves (architecture, parameters, rows), read at registration; the card's front matter.
    facts = models.JSONField(default=dict)
    card = models.TextField(blank=True)  # README.md, kept here for pages and checks; its bytes are in the manifest
    # Datasets: where every n-th row begins in each file, so that a page of rows deep inside is found at once.
    row_index = models.JSONField(default=dict)
    size = models.BigIntegerField(default=0)  # bytes of all files
    source_run_id = models.BigIntegerField(
        null=True, blank=True
    )  # the run that made it; text-like, no foreign key upwards
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    registered_at = models.DateTimeField(null=True, blank=True)
    registered_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")

    objects = VersionQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        indexes = [
            models.Index(fields=["digest"], name="version_by_digest"),
            models.Index(
                fields=["source_run_id"], condition=models.Q(source_run_id__isnull=False), name="version_by_run"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["asset", "number"], name="version_number_is_unique"),
            models.CheckConstraint(
                condition=models.Q(state="draft", digest="", registered_at=None)
                | (models.Q(state="registered", registered_at__isnull=False) & ~models.Q(digest="")),
                name="version_has_a_digest_exactly_when_registered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset} version {self.number}"

    @property
    def is_registered(self) -> bool:
        return self.state == self.State.REGISTERED

    def get_absolute_url(self) -> str:
        return f"{self.asset.get_absolute_url()}/versions/{self.number}"
