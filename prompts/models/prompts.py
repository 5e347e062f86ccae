"""Prompts and their versions. A version is immutable from the start, in the database too (a trigger in the migration)."""

from typing import Any
from urllib.parse import quote

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Left, Lower
from django.utils import timezone

from accounts.access import Actor, visible
from accounts.models import Team, User
from accounts.roles import ROLE_META, Permission
from prompts.names import MAX_NAME, valid_prompt_name

MAIN = "main"


class PromptQuerySet(models.QuerySet["Prompt"]):
    def visible_to(self, actor: Actor, permission: Permission = Permission.ASSET_VIEW) -> "PromptQuerySet":
        """Those that are not deleted and that the actor may see (or act on)."""
        return self.filter(visible(actor, permission, Prompt), deleted_at=None)


class Prompt(models.Model):
    """A prompt of a team, addressed team/name. A name may hold folders: 'support/refunds/first-reply'. Its versions hold the text."""

    class Type(models.TextChoices):
        TEXT = "text"
        CHAT = "chat"

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="prompts")
    name = models.CharField(max_length=MAX_NAME, validators=[valid_prompt_name])
    description = models.TextField(blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Moves with every new version and label; lists are ordered by it.
    updated_at = models.DateTimeField(default=timezone.now)
    updated_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    last_number = models.PositiveIntegerField(default=0)
    archived_at = models.DateTimeField(null=True, blank=True)
    # A deleted prompt is seen by nobody and gives its name away; it can be restored.
    deleted_at = models.DateTimeField(null=True, blank=True)
    # Where the name stands: 'support/refunds'; empty at the top. The database keeps it, so that lists of a folder are one index range.
    folder = models.GeneratedField(
        expression=models.Func(
            models.F("name"), models.Value("(^|/)[^/]*$"), models.Value(""), function="regexp_replace"
        ),
        output_field=models.CharField(max_length=MAX_NAME),
        db_persist=True,
    )

    objects = PromptQuerySet.as_manager()

    class Meta:
        permissions = ROLE_META
        constraints = [
            # Two names that differ in case alone are one.
            models.UniqueConstraint(
                "team", Lower("name"), condition=models.Q(deleted_at=None), name="prompt_name_is_unique_in_team"
            )
        ]
        indexes = [
            models.Index(fields=["team", "-updated_at", "-id"], name="prompt_by_team_and_update"),
            models.Index(fields=["-updated_at", "-id"], name="prompt_by_update"),
            models.Index(fields=["team", "name"], condition=models.Q(deleted_at=None), name="prompt_by_address"),
            models.Index(
                fields=["team", "folder", "-updated_at", "-id"],
                condition=models.Q(deleted_at=None, archived_at=None),
                name="prompt_by_folder",
            ),
            # Grants on a prefix of names find their rows by it (accounts.prefixes), and so do folders.
            models.Index(
                fields=["team", "name"], name="prompt_by_prefix", opclasses=["int8_ops", "varchar_pattern_ops"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.team.name}/{self.name}"

    @property
    def short_name(self) -> str:
        """The name without its folders."""
        return self.name.rpartition("/")[2]

    def get_absolute_url(self) -> str:
        return f"/prompts/{self.team.name}/{quote(self.name)}"


class PromptVersion(models.Model):
    """One text or chat template with all that it is called with. It never changes; only its deletion can be noted (a trigger holds to it)."""

    Type = Prompt.Type

    class Format(models.TextChoices):
        JINJA = "jinja2"
        MUSTACHE = "mustache"

    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    type = models.CharField(max_length=4, choices=Type.choices)
    format = models.CharField(max_length=8, choices=Format.choices, default=Format.JINJA)
    # text: a string; chat: a list of {"role", "content", …} and {"type": "placeholder", "name"}.
    template = models.JSONField()
    # What the variables are: [{"name", "type", "description", "default", "example", "required", "enum", …}], in the author's order.
    inputs = models.JSONField(default=list, blank=True)
    tools = models.JSONField(default=list, blank=True)  # functions as OpenAI's API takes them
    response_format = models.JSONField(null=True, blank=True)  # JSON schema, as OpenAI's API takes it
    model = models.CharField(max_length=300, blank=True)  # a model that the gateway serves, or any name
    parameters = models.JSONField(default=dict, blank=True)
    variables = ArrayField(models.CharField(max_length=200), default=list)  # the names in the template, sorted
    digest = models.CharField(max_length=80)
    message = models.TextField(blank=True)
    branch = models.CharField(max_length=96, default=MAIN)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    # The other parent of a merge.
    merged = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["prompt", "number"], name="prompt_version_number_is_unique"),
            models.CheckConstraint(
                condition=models.Q(digest__regex=r"^sha256:[0-9a-f]{64}$"), name="prompt_version_has_a_digest"
            ),
        ]
        indexes = [
            # 'latest' is the newest on main that is not deleted.
            models.Index(
                fields=["prompt", "branch", "-number"],
                condition=models.Q(deleted_at=None),
                name="prompt_version_latest",
            )
        ]

    def __str__(self) -> str:
        return f"{self.prompt} version {self.number}"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The template as messages; a text template is one without a role."""
        if isinstance(self.template, list):
            return self.template
        return [{"role": "", "content": str(self.template)}]

    def get_absolute_url(self) -> str:
        return f"{self.prompt.get_absolute_url()}/versions/{self.number}"


class Include(models.Model):
    """A version's template includes another prompt: at a label ('latest': what is newest when it is rendered) or at a number."""

    version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="includes")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="included_by")
    # As the template names it. The row says which prompt was meant, whatever is called so later.
    written = models.CharField(max_length=400)
    label = models.CharField(max_length=96, blank=True)
    number = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "written"], name="include_is_listed_once"),
            models.CheckConstraint(
                condition=models.Q(label="", number__isnull=False) | (~models.Q(label="") & models.Q(number=None)),
                name="include_has_a_label_or_a_number",
            ),
        ]
        indexes = [models.Index(fields=["prompt", "label"], name="include_by_prompt")]

    def __str__(self) -> str:
        return f"{self.prompt}{f':{self.number}' if self.number else f'@{self.label}'}"


class PromptTag(models.Model):
    """A key with or without a value, of a prompt."""

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="tags")
    key = models.CharField(max_length=250)
    value = models.TextField(blank=True)

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["prompt", "key"], name="prompt_tag_is_unique")]
        indexes = [models.Index("key", Left("value", 200), "prompt", name="prompt_tag_by_value")]

    def __str__(self) -> str:
        return f"{self.key}={self.value}" if self.value else self.key


class PromptVersionTag(models.Model):
    """A key with or without a value, of one version."""

    version = models.ForeignKey(PromptVersion, on_delete=models.CASCADE, related_name="tags")
    key = models.CharField(max_length=250)
    value = models.TextField(blank=True)

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["version", "key"], name="prompt_version_tag_is_unique")]

    def __str__(self) -> str:
        return f"{self.key}={self.value}" if self.value else self.key
