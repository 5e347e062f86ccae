"""Versions: drafts that take files, then immutable."""

from django.db import models
from django.db.models.fields.json import KT
from django.utils import timezone

from accounts.access import Actor, visible
from accounts.models import User
from accounts.roles import Permission
from registry.models.assets import Asset


class VersionQuerySet(models.QuerySet["Version"]):
    def visible_to(self, actor: Actor) -> "VersionQuerySet":
        assets = Asset.objects.filter(visible(actor, Permission.ASSET_VIEW, Asset), deleted_at=None)
        return self.filter(asset__in=assets, deleted_at=None)

    def live(self) -> "VersionQuerySet":
        """Without those that were deleted."""
        return self.filter(deleted_at=None)

    def listed(self) -> "VersionQuerySet":
        """Without those that were archived or deleted: what a list shows unless it is asked for more."""
        return self.filter(deleted_at=None, archived_at=None)

    def registered(self) -> "VersionQuerySet":
        """Registered, and not deleted."""
        return self.filter(state=Version.State.REGISTERED, deleted_at=None)


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
    # Where it stands among the asset's versions: the branch it was committed to, and the version it was made from.
    branch = models.CharField(max_length=96, default="main")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    # What git-like clients call it: 40 hex digits, fixed at registration, unlike the digest its own even where bytes repeat.
    commit = models.CharField(max_length=40, blank=True)
    # Bytes that lie elsewhere (an address that a client gave). Such a version never reaches a protected stage.
    source = models.TextField(blank=True)
    # From here on to the dates below: what may still change once it is registered.
    description = models.TextField(blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)  # out of the lists; what refers to it works on
    deleted_at = models.DateTimeField(null=True, blank=True)  # can be restored until its files are purged
    purged_at = models.DateTimeField(null=True, blank=True)  # its files are gone; number, digest and history stay
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)  # kept by the trigger in 0002
    registered_at = models.DateTimeField(null=True, blank=True)
    registered_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")

    objects = VersionQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        indexes = [
            models.Index(fields=["digest"], name="version_by_digest"),
            models.Index(
                fields=["commit"], name="version_by_commit", opclasses=["varchar_pattern_ops"]
            ),  # by its beginning
            models.Index(fields=["asset", "branch", "-number"], name="version_by_branch"),
            models.Index(fields=["-updated_at", "-id"], name="version_by_update"),
            models.Index(
                fields=["asset", "-number"], condition=models.Q(archived_at__isnull=False), name="version_archived"
            ),
            # The run that a client of MLflow named, which may be none of ours.
            models.Index(
                KT("facts__mlflow__run_id"),
                condition=models.Q(facts__mlflow__run_id__isnull=False),
                name="version_by_mlflow_run",
            ),
            models.Index(
                fields=["source_run_id"], condition=models.Q(source_run_id__isnull=False), name="version_by_run"
            ),
            # What the bin shows and the purge looks for.
            models.Index(
                fields=["deleted_at"],
                condition=models.Q(deleted_at__isnull=False, purged_at=None),
                name="version_in_the_bin",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["asset", "number"], name="version_number_is_unique"),
            models.UniqueConstraint(
                fields=["asset", "commit"], condition=~models.Q(commit=""), name="version_commit_is_unique"
            ),
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
