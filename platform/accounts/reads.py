"""Reads of people, members and keys."""

from django.db.models import Q, QuerySet

from accounts.access import Actor, team_ids
from accounts.errors import NotFound
from accounts.models import ApiKey, Team, TeamUserObjectPermission, User
from accounts.roles import ALL_ROLE_CODENAMES, Permission, Role


def members(team: Team) -> list[tuple[User, list[Role]]]:
    """Everybody with a role on the team, with the roles, by name."""
    rows = TeamUserObjectPermission.objects.filter(content_object=team).select_related("user", "permission")
    found: dict[User, set[Role]] = {}
    for row in rows:
        if row.permission.codename in ALL_ROLE_CODENAMES:
            found.setdefault(row.user, set()).add(ALL_ROLE_CODENAMES[row.permission.codename])
    order = list(Role)
    return [
        (user, sorted(roles, key=order.index))
        for user, roles in sorted(found.items(), key=lambda item: (item[0].kind, item[0].name.lower(), item[0].pk))
    ]


def get_user(email: str) -> User:
    user = User.objects.filter(email=email.strip().lower()).first()
    if user is None:
        raise NotFound(f"There is no account for {email}.")
    return user


def visible_keys(actor: Actor) -> QuerySet[ApiKey]:
    """One's own keys, and those of service accounts in teams that one manages."""
    managed = team_ids(actor, Permission.TEAM_MANAGE)
    return ApiKey.objects.filter(
        Q(user_id=actor.id) | Q(user__kind=User.Kind.SERVICE, team_id__in=managed)
    ).select_related("user", "team")


def get_key(actor: Actor, key_id: str) -> ApiKey:
    key = visible_keys(actor).filter(key_id=key_id).first()
    if key is None:
        raise NotFound("There is no such key that you can see.")
    return key
