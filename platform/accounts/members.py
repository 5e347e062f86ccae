"""Reads of people: who is in a team with which roles, and whom an actor may know of."""

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.access import Actor, team_ids
from accounts.errors import NotFound
from accounts.models import ApiKey, Grant, Team, User
from accounts.models.grants import GrantQuerySet
from accounts.roles import Permission, Role


def members(team: Team) -> QuerySet[User]:
    """Everybody with a role in the team, be it on one asset of it; `roles_of` reads their roles on the whole team out of the
    same query."""
    grants = Grant.objects.filter(user_id=OuterRef("pk"), team=team).live().order_by()
    return User.objects.filter(Exists(grants)).annotate(role_slugs=ArraySubquery(_team_wide(grants).values("role")))


def _team_wide(grants: GrantQuerySet) -> GrantQuerySet:
    """Of these, the live ones on whole teams, at every stage."""
    return grants.live().filter(content_type__app_label="accounts", content_type__model="team", prefix="", stage="")


def grants_in(team: Team, user: User | None = None) -> GrantQuerySet:
    """Every live grant in a team: on it, on prefixes of its names and on its assets."""
    rows: GrantQuerySet = Grant.objects.filter(team=team).live()
    if user is not None:
        rows = rows.filter(user=user)
    return rows.select_related("user", "team", "granted_by", "content_type", "custom_role").prefetch_related(
        "content_object"
    )


def roles_of(member: User) -> list[str]:
    """The roles of a row of `members`: the built-in ones in the order of their table, then the team's own."""
    held = set(member.role_slugs)  # type: ignore[attr-defined]
    return [role.value for role in Role if role in held] + sorted(held - set(Role))


def known_people(actor: Actor) -> QuerySet[User]:
    """Whom the actor may know of: oneself and everybody in one's teams; a site administrator knows all."""
    if actor.is_site_admin:
        return User.objects.all()
    shared = Grant.objects.filter(user_id=OuterRef("pk"), team_id__in=team_ids(actor, Permission.TEAM_VIEW)).live()
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
