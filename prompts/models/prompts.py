"""Prompts and their versions. A version is immutable from the start, in the database too (a trigger in the migration)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.access import Actor, visible
from accounts.models import Team, User, valid_name
from accounts.roles import ROLE_META, Permission


class PromptQuerySet(models.QuerySet["Prompt"]):
    def visible_to(self, actor: Actor, permission: Permission = Permission.ASSET_VIEW) -> "PromptQuerySet":
        return self.filter(visible(actor, permission, Prompt))


class Prompt(models.Model):
    """A prompt of a team, addressed team/name. Its versions hold the text."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="prompts")
    name = models.CharField(max_length=96, validators=[valid_name])
    description = models.TextField(blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Moves with every new version and label; lists are ordered by it.
    updated_at = models.DateTimeField(default=timezone.now)
    updated_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    last_number = models.PositiveIntegerField(default=0)

    objects = PromptQuerySet.as_manager()

    class Meta:
        permissions = ROLE_META
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="prompt_name_is_unique_in_team")]
        indexes = [
            models.Index(fields=["team", "-updated_at", "-id"], name="prompt_by_team_and_update"),
            models.Index(fields=["-updated_at", "-id"], name="prompt_by_update"),
            # Grants on a prefix of names find their rows by it (accounts.prefixes).
            models.Index(
                fields=["team", "name"], name="prompt_by_prefix", opclasses=["int8_ops", "varchar_pattern_ops"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.team.name}/{self.name}"

    def get_absolute_url(self) -> str:
        return f"/prompts/{self.team.name}/{self.name}"


class PromptVersion(models.Model):
    """One text or chat template with its model parameters. Never changed, never removed."""

    class Type(models.TextChoices):
        TEXT = "text"
        CHAT = "chat"

    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    type = models.CharField(max_length=4, choices=Type.choices)
    # text: a string; chat: a list of {"role", "content"}. Both Jinja.
    template = models.JSONField()
    parameters = models.JSONField(default=dict, blank=True)
    variables = ArrayField(models.CharField(max_length=200), default=list)
    digest = models.CharField(max_length=80)
    message = models.TextField(blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["prompt", "number"], name="prompt_version_number_is_unique"),
            models.CheckConstraint(
                condition=models.Q(digest__regex=r"^sha256:[0-9a-f]{64}$"), name="prompt_version_has_a_digest"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prompt} version {self.number}"

    @property
    def messages(self) -> list[dict[str, str]]:
        """The template as messages; a text template is one without a role."""
        if isinstance(self.template, list):
            return self.template
        return [{"role": "", "content": str(self.template)}]

    def get_absolute_url(self) -> str:
        return f"{self.prompt.get_absolute_url()}/versions/{self.number}"
