"""People, service accounts, teams and their keys."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from guardian.models import UserObjectPermissionBase

from accounts.roles import ROLE_META

# One rule for the names that stand in addresses: team/name.
NAME_PATTERN = r"^[a-z0-9](?:[a-z0-9._-]{0,94}[a-z0-9])?$"
NAME_HELP = (
    "Use lower-case letters, digits, '.', '_' and '-' (at most 96), beginning and ending with a letter or digit."
)
valid_name = RegexValidator(NAME_PATTERN, NAME_HELP)


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """Somebody who acts: a person who signs in, or a service account that only has keys."""

    class Kind(models.TextChoices):
        PERSON = "person"
        SERVICE = "service"

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.PERSON)
    is_active = models.BooleanField(default=True)
    # A site administrator: makes teams and people. Bound by every policy like anybody else.
    is_superuser = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_is_unique_in_any_case")]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def initials(self) -> str:
        words = (self.name or self.email).split()
        return "".join(word[0] for word in words[:2]).upper()


class Team(models.Model):
    """The namespace of assets and the unit of membership."""

    name = models.CharField(max_length=96, unique=True, validators=[valid_name])
    title = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        permissions = ROLE_META
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def team(self) -> "Team":
        """So that a permission is asked of a team as of anything in it."""
        return self

    @property
    def team_id(self) -> int:
        return self.pk


class TeamUserObjectPermission(UserObjectPermissionBase):
    """Roles on teams, in a table of their own (guardian finds it): integers instead of text keys, so joins stay cheap."""

    content_object = models.ForeignKey(Team, on_delete=models.CASCADE)


class ApiKey(models.Model):
    """A key of one person or service account, for one team or (team empty) for all that its owner reaches."""

    key_id = models.CharField(max_length=24, unique=True)
    secret_sha256 = models.BinaryField(max_length=32)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    # Who made it and so saw it: for a service account's key an administrator of the team, who is not somebody else to it.
    made_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=120)
    scopes = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.key_id})"

    def state(self, now: datetime | None = None) -> str:
        """active, expired or revoked."""
        if self.revoked_at:
            return "revoked"
        if self.expires_at and self.expires_at <= (now or timezone.now()):
            return "expired"
        return "active"
