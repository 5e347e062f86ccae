"""Models and datasets: the same thing to the registry, told apart by `kind`."""

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.access import Actor, visible
from accounts.models import Team, User, valid_asset_name
from accounts.roles import ROLE_META, Permission


class AssetQuerySet(models.QuerySet["Asset"]):
    def visible_to(self, actor: Actor, permission: Permission = Permission.ASSET_VIEW) -> "AssetQuerySet":
        return self.filter(visible(actor, permission, Asset), deleted_at=None)

    def models(self) -> "AssetQuerySet":
        return self.filter(kind=Asset.Kind.MODEL)

    def datasets(self) -> "AssetQuerySet":
        return self.filter(kind=Asset.Kind.DATASET)


class Asset(models.Model):
    """A model or a dataset of a team, addressed team/name. Its versions hold the bytes."""

    class Kind(models.TextChoices):
        MODEL = "model"
        DATASET = "dataset"

    class Task(models.TextChoices):
        TEXT_GENERATION = "text-generation"
        FEATURE_EXTRACTION = "feature-extraction"

    class Visibility(models.TextChoices):
        TEAM = "team"
        SITE = "site"

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="assets")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=96, validators=[valid_asset_name])
    description = models.TextField(blank=True)
    task = models.CharField(max_length=40, choices=Task.choices, blank=True)
    # Its bytes leave a trace: each download of a file and each page of rows is an event in the ledger.
    restricted = models.BooleanField(default=False)
    # Its page and card are for whoever sees it; its files only for those who hold file.download on it.
    gated = models.BooleanField(default=False)
    # Who sees that it is there, with its card: the team, or (gated ones only) everybody who can sign in, to ask for access.
    visibility = models.CharField(max_length=8, choices=Visibility.choices, default=Visibility.TEAM)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Moves with every change to a version, file or alias; lists are ordered by it.
    updated_at = models.DateTimeField(default=timezone.now)
    updated_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    last_number = models.PositiveIntegerField(default=0)  # numbers are never handed out twice
    archived_at = models.DateTimeField(null=True, blank=True)  # out of the lists, otherwise as ever
    deleted_at = models.DateTimeField(null=True, blank=True)  # gone to everybody; its bytes after a grace period

    objects = AssetQuerySet.as_manager()

    class Meta:
        permissions = ROLE_META
        constraints = [
            # A deleted one gives its name away; case tells no two apart.
            models.UniqueConstraint(
                "team", "kind", Lower("name"), condition=models.Q(deleted_at=None), name="asset_name_is_unique_in_team"
            ),
            models.CheckConstraint(
                condition=models.Q(kind="model") | models.Q(task=""), name="only_models_have_a_task"
            ),
            models.CheckConstraint(
                condition=models.Q(visibility="team") | models.Q(gated=True),
                name="only_gated_assets_show_beyond_the_team",
            ),
        ]
        indexes = [
            models.Index(fields=["team", "kind", "-updated_at", "-id"], name="asset_by_team_and_update"),
            models.Index(fields=["kind", "-updated_at", "-id"], name="asset_by_update"),
            models.Index(fields=["team", "kind", "name"], name="asset_by_name"),
            models.Index(fields=["deleted_at"], condition=models.Q(deleted_at__isnull=False), name="asset_in_the_bin"),
            # A list of archived ones would walk past all the others.
            models.Index(
                fields=["kind", "-updated_at", "-id"],
                condition=models.Q(archived_at__isnull=False),
                name="asset_archived",
            ),
            # Grants on a prefix of names find their rows by it (accounts.prefixes).
            models.Index(
                fields=["team", "name"], name="asset_by_prefix", opclasses=["int8_ops", "varchar_pattern_ops"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.team.name}/{self.name}"

    @property
    def section(self) -> str:
        """The part of addresses: 'models' or 'datasets'."""
        return f"{self.kind}s"

    def get_absolute_url(self) -> str:
        return f"/{self.section}/{self.team.name}/{self.name}"
