"""Named groups of a team: which of them somebody is in."""

from django.db.models import Exists

from accounts.models import Grant, Group, GroupMember

__all__ = ["Group", "GroupMember", "groups_of"]


def groups_of(user_id: int, team_id: int) -> set[str]:
    """The slugs of the team's groups that this person is in; none for a deactivated one, or one who holds no role in the team
    any more."""
    here = Grant.objects.filter(user_id=user_id, team_id=team_id).live()
    rows = GroupMember.objects.filter(Exists(here), user_id=user_id, user__is_active=True, group__team_id=team_id)
    return set(rows.values_list("group__slug", flat=True))
