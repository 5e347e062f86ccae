"""Asking for the files of a gated asset. What is given is a grant (accounts.models.Grant) of the role `downloader` on that asset."""

from django.db import models
from django.utils import timezone

from accounts.access import Actor, visible
from accounts.models import Grant, User
from accounts.roles import Permission
from registry.models.assets import Asset


class AccessRequestQuerySet(models.QuerySet["AccessRequest"]):
    def open(self) -> "AccessRequestQuerySet":
        return self.filter(state=AccessRequest.State.OPEN, asset__deleted_at=None)

    def decided_by(self, actor: Actor) -> "AccessRequestQuerySet":
        """Those that the actor may decide: on assets where they hand out roles."""
        return self.filter(asset__in=Asset.objects.visible_to(actor, Permission.TEAM_MANAGE))

    def known_to(self, actor: Actor) -> "AccessRequestQuerySet":
        """Those that the actor may decide, and their own (with a key of one team: in that team)."""
        own = models.Q(person_id=actor.id or 0, asset__deleted_at=None)
        if actor.key and actor.key.team_id:
            own &= models.Q(asset__team_id=actor.key.team_id)
        managed = visible(actor, Permission.TEAM_MANAGE, Asset, team_field="asset__team_id")
        # An empty condition is everything (a site administrator's); joined by 'or' it would be nothing.
        return self.filter(own | managed) if managed else self.all()


class AccessRequest(models.Model):
    """One person's wish for the files of one asset, and what was decided. A grant that was given may have ended since."""

    class State(models.TextChoices):
        OPEN = "open"
        GRANTED = "granted"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    asset = models.ForeignKey(Asset, on_delete=models.CASCADE, related_name="access_requests")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    reason = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    answer = models.TextField(blank=True)
    until = models.DateTimeField(null=True, blank=True)  # when what was given ends
    # Null: nothing was given, or it was taken away or has ended.
    grant = models.ForeignKey(Grant, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    objects = AccessRequestQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["asset", "person"], condition=models.Q(state="open"), name="access_is_asked_for_once_at_a_time"
            ),
            models.CheckConstraint(
                condition=models.Q(state="open", decided_at=None)
                | (~models.Q(state="open") & models.Q(decided_at__isnull=False)),
                name="access_request_is_decided_at_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["asset", "-id"], name="access_request_by_asset"),
            models.Index(fields=["person", "-id"], name="access_request_by_person"),
            models.Index(fields=["-id"], condition=models.Q(state="open"), name="access_request_that_waits"),
        ]

    def __str__(self) -> str:
        return f"{self.person} asks for the files of {self.asset}"

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN

    @property
    def holds(self) -> bool:
        """Does what was given still stand?"""
        return bool(
            self.state == self.State.GRANTED and self.grant_id and (not self.until or self.until > timezone.now())
        )
