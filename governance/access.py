"""Which policies and which part of the ledger an actor reads."""

from django.db.models import Q, QuerySet

from accounts.access import Actor, team_ids, visible
from accounts.errors import Forbidden, NotFound
from accounts.models import Team
from accounts.roles import Permission
from governance.models import Policy, SavedView


def visible_policies(actor: Actor) -> QuerySet[Policy]:
    """Everybody in a team may read its rules."""
    return Policy.objects.filter(
        visible(actor, Permission.TEAM_VIEW, Policy, own=False), removed_at=None
    ).select_related("team", "current")


def get_policy(actor: Actor, policy_id: int) -> Policy:
    policy = visible_policies(actor).filter(pk=policy_id).first()
    if policy is None:
        raise NotFound("There is no such policy that you can see.")
    return policy


def ledger_teams(actor: Actor, permission: Permission = Permission.LEDGER_VIEW) -> list[str] | None:
    """The teams whose events the actor may read, or export; None: all, and those without a team. Forbidden without any."""
    if actor.is_site_admin and actor.in_scope(permission):
        return None
    names = list(Team.objects.filter(pk__in=team_ids(actor, permission)).values_list("name", flat=True))
    scoped = actor.user is not None and actor.in_scope(permission)
    if not names or not scoped:
        raise Forbidden(
            f"This needs the permission {permission.value}: auditors and administrators have it.",
            permission=permission.value,
        )
    return names


def visible_views(actor: Actor) -> QuerySet[SavedView]:
    """The actor's own saved views and those shared in the teams whose ledger they read."""
    readable = visible(actor, Permission.LEDGER_VIEW, SavedView, own=False)
    return SavedView.objects.filter(readable, Q(shared=True) | Q(owner_id=actor.id)).select_related("owner", "team")


def get_view(actor: Actor, view_id: int) -> SavedView:
    view = visible_views(actor).filter(pk=view_id).first()
    if view is None:
        raise NotFound("There is no such saved view that you can see.")
    return view
