"""Who holds which role on what, and the roles that teams make for themselves."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from guardian.managers import UserObjectPermissionManager
from guardian.models import UserObjectPermissionAbstract

from accounts.models.people import Team, User, valid_name
from accounts.roles import Permission, Role, known_permissions, permissions_of


class CustomRole(models.Model):
    """A team's own set of permissions, beside the built-in roles. Archived, it can't be granted any more; its slug stays taken."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="custom_roles")
    slug = models.CharField(max_length=48, validators=[valid_name])
    title = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    permissions = ArrayField(models.CharField(max_length=40))
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(fields=["team", "slug"], name="custom_role_slug_is_unique_in_team"),
            models.CheckConstraint(
                condition=~Q(slug__in=[role.value for role in Role]), name="custom_role_is_not_named_like_a_built_in"
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.slug

    @property
    def allowed(self) -> frozenset[Permission]:
        return known_permissions(self.permissions)


class GrantQuerySet(models.QuerySet["Grant"]):
    def live(self) -> "GrantQuerySet":
        """Those that hold now, by the database's clock."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=Now()))

    def on(self, obj: models.Model) -> "GrantQuerySet":
        """Those made on just this team or asset (those on a prefix of names are made on the team)."""
        return self.filter(
            content_type__app_label=obj._meta.app_label,
            content_type__model=obj._meta.model_name,
            object_pk=str(obj.pk),
        )


class GrantManager(UserObjectPermissionManager.from_queryset(GrantQuerySet)):  # type: ignore[misc]  # guardian is untyped
    """guardian's manager, with our reads."""


class Grant(UserObjectPermissionAbstract):  # type: ignore[misc]  # guardian is untyped
    """A role of one person or service account: guardian's row (user, permission, object), and what guardian's doesn't say.

    The object is a team or one asset. On a team the grant can be narrowed to names that begin with `prefix`; any grant can be
    narrowed to a `stage` and end at `expires_at`. `accounts.access` is the one that reads them.
    """

    # The object's own team: all that a person holds is then one index range, and the doors that speak SQL join integers.
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="grants")
    role = models.CharField(max_length=48)  # a built-in role's value or the custom role's slug
    custom_role = models.ForeignKey(
        CustomRole, null=True, blank=True, on_delete=models.PROTECT, related_name="grants", db_index=False
    )
    prefix = models.CharField(max_length=96, blank=True, default="")
    kind = models.CharField(max_length=12, blank=True, default="")  # of what the prefix names; empty: of every kind
    stage = models.CharField(max_length=20, blank=True, default="")
    expires_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True)
    granted_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    granted_at = models.DateTimeField(default=timezone.now, editable=False)
    request_id = models.BigIntegerField(null=True, blank=True)  # the approved request behind it

    objects: ClassVar[Any] = GrantManager()

    class Meta:
        unique_together: ClassVar[list[Any]] = []
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "role", "team", "content_type", "object_pk", "prefix", "kind", "stage"],
                name="grant_is_made_once",
            ),
            models.CheckConstraint(condition=~Q(prefix="") | Q(kind=""), name="grant_kind_narrows_a_prefix"),
        ]
        indexes = [
            models.Index(fields=["team", "user"], name="grant_by_team"),
            models.Index(fields=["expires_at"], name="grant_that_ends", condition=Q(expires_at__isnull=False)),
            models.Index(fields=["content_type", "object_pk"], name="grant_by_object"),
        ]

    def __str__(self) -> str:
        return f"{self.role} on {self.where}"

    @property
    def where(self) -> str:
        """What it is on, as people write it: acme, acme/date-*, acme/date-normaliser."""
        if self.prefix:
            return f"{self.team.name}/{self.prefix}*"
        return self.team.name if self.is_on_team else str(self.content_object)

    @property
    def is_on_team(self) -> bool:
        return bool(self.content_type.model == "team")

    @property
    def allowed(self) -> frozenset[Permission]:
        return self.custom_role.allowed if self.custom_role else permissions_of(self.role)

    def has_expired(self, now: datetime | None = None) -> bool:
        return bool(self.expires_at and self.expires_at <= (now or timezone.now()))
