"""People, service accounts and teams."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.roles import ROLE_META

# One rule for the names that stand in addresses: team/name.
NAME_PATTERN = r"^[a-z0-9](?:[a-z0-9._-]{0,94}[a-z0-9])?$"
NAME_HELP = (
    "Use lower-case letters, digits, '.', '_' and '-' (at most 96), beginning and ending with a letter or digit."
)
valid_name = RegexValidator(NAME_PATTERN, NAME_HELP)
# Models and datasets keep the case that clients of other registries gave them; two that differ in case alone are refused.
ASSET_NAME_PATTERN = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?$"
ASSET_NAME_HELP = NAME_HELP.replace("lower-case letters", "letters")
valid_asset_name = RegexValidator(ASSET_NAME_PATTERN, ASSET_NAME_HELP)


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
    # Roles whose granting needs an approved request (slugs, or patterns of them as in file names): written by policies of kind "role".
    guarded_roles = ArrayField(models.CharField(max_length=48), default=list, blank=True)
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
