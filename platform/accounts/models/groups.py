"""Named groups of a team's people, such as 'legal': policies ask for reviews by them. A group gives no permission."""

from django.db import models
from django.utils import timezone

from accounts.models.people import Team, User, valid_name


class Group(models.Model):
    """A named group of one team."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="named_groups")
    slug = models.CharField(max_length=48, validators=[valid_name])
    title = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    members = models.ManyToManyField(
        User, through="GroupMember", through_fields=("group", "user"), related_name="named_groups"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["slug"]
        constraints = [models.UniqueConstraint(fields=["team", "slug"], name="group_slug_is_unique_in_team")]

    def __str__(self) -> str:
        return self.title or self.slug


class GroupMember(models.Model):
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    added_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    added_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "user"], name="group_has_a_member_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.group}"
