"""Reads of people: who is in a team with which roles, and whom an actor may know of."""

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.access import Actor, team_ids
from accounts.errors import NotFound
from accounts.models import ApiKey, Team, TeamUserObjectPermission, User
from accounts.roles import ALL_ROLE_CODENAMES, Permission, Role


def members(team: Team) -> QuerySet[User]:
    """Everybody with a role on the team; `roles_of` reads their roles out of the same query."""
    grants = TeamUserObjectPermission.objects.filter(user_id=OuterRef("pk"), content_object=team)
    return User.objects.filter(Exists(grants)).annotate(
        role_codenames=ArraySubquery(grants.values("permission__codename"))
    )


def roles_of(member: User) -> list[Role]:
    """The roles of a row of `members`, in the order of the table of roles."""
    held = {ALL_ROLE_CODENAMES[name] for name in member.role_codenames if name in ALL_ROLE_CODENAMES}  # type: ignore[attr-defined]
    return [role for role in Role if role in held]


def known_people(actor: Actor) -> QuerySet[User]:
    """Whom the actor may know of: oneself and everybody in one's teams; a site administrator knows all."""
    if actor.is_site_admin:
        return User.objects.all()
    shared = TeamUserObjectPermission.objects.filter(
        user_id=OuterRef("pk"), content_object_id__in=team_ids(actor, Permission.TEAM_VIEW)
    )
    return User.objects.filter(Q(pk=actor.id) | Exists(shared))


def get_member(team: Team, email: str) -> User:
    member = members(team).filter(email__iexact=email).first()
    if member is None:
        raise NotFound(f"{email} has no role in the team '{team}'.")
    return member


def keys_of(actor: Actor, team: Team | None = None) -> QuerySet[ApiKey]:
    """The actor's own keys, or (the caller has checked team.manage) all keys made for a team."""
    rows = ApiKey.objects.select_related("team", "user")
    if actor.key and actor.key.team_id:
        rows = rows.filter(team_id=actor.key.team_id)
    return rows.filter(team=team) if team else rows.filter(user_id=actor.id or 0)


def get_key(actor: Actor, key_id: str) -> ApiKey:
    """A key by its public id: one's own, or one of a team that one manages."""
    seen = Q(user_id=actor.id)
    if actor.in_scope(Permission.TEAM_MANAGE):
        seen |= Q(team_id__in=team_ids(actor, Permission.TEAM_MANAGE))
    if actor.is_site_admin:
        seen = Q()
    if actor.key and actor.key.team_id:
        seen &= Q(team_id=actor.key.team_id)
    row = ApiKey.objects.select_related("team", "user").filter(seen, key_id=key_id).first() if actor.id else None
    if row is None:
        raise NotFound(f"There is no key '{key_id}' that you can see.")
    return row
