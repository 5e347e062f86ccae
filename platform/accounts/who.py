"""Reads for 'who can do this here, and why' and 'what can this person or key do'."""

from dataclasses import dataclass, field

from django.db.models import Model, Q

from accounts.access import PRODUCTION, Actor, can, get_team
from accounts.errors import Invalid, NotFound
from accounts.held import kind_label, kind_of
from accounts.members import get_key, grants_in, known_people
from accounts.models import ApiKey, Grant, Team, User
from accounts.roles import (
    ROLE_PERMISSIONS,
    SCOPE_PERMISSIONS,
    SEEING_PERMISSIONS,
    SITE_PERMISSIONS,
    STAGED_PERMISSIONS,
    STAGES,
    Permission,
    Role,
    Scope,
)
from accounts.things import find

# What is asked beside a permission where the act is on production.
_BESIDE = {Permission.REQUEST_CREATE, Permission.DEPLOYMENT_MANAGE}


@dataclass
class Able:
    """One person or service account who can, and each reason why. No grant as a reason: a site administrator."""

    user: User
    reasons: list[Grant | None] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """A team, or one thing in it."""

    team: Team
    thing: Model | None = None
    kind: str = ""

    @property
    def label(self) -> str:
        return str(self.thing or self.team)


@dataclass(frozen=True)
class Ability:
    """What one grant lets somebody do, with what a key leaves of it."""

    grant: Grant
    allowed: list[Permission]
    lost: list[Permission]  # in the role, and left out by the key's scopes


def place(actor: Actor, on: str, kind: str = "") -> Place:
    """'acme' or 'acme/date-normaliser'; the actor sees both the team and the thing, or there is none."""
    name, slash, rest = on.strip().partition("/")
    team = get_team(actor, name)
    if not slash:
        return Place(team)
    found, thing = find(actor, team, rest, kind)
    return Place(team, thing, found)


def read_permission(text: str) -> Permission:
    if text not in set(Permission):
        raise Invalid("permission", f"Use one of {', '.join(Permission)}.")
    return Permission(text)


def read_stage(text: str) -> str:
    if text and text not in STAGES:
        raise Invalid("stage", f"Use one of {', '.join(STAGES)}, or leave it out.")
    return text


def who_can(permission: Permission, where: Place, stage: str = "") -> list[Able]:
    """Everybody who has the permission there at this stage, by name, with the grants that give it. What the keys of a person are
    limited to is not counted: a key does at most what its person may."""
    stage = stage or str(getattr(where.thing, "stage", "") or "")
    found: dict[int, Able] = {}
    for row in _covering(where):
        if row.user.is_active and gives(row, permission, stage):
            found.setdefault(row.user_id, Able(row.user)).reasons.append(row)
    if permission in SITE_PERMISSIONS or permission in ROLE_PERMISSIONS[Role.ADMIN]:
        for user in User.objects.filter(is_superuser=True, is_active=True):
            found.setdefault(user.pk, Able(user)).reasons.append(None)
    return sorted(found.values(), key=lambda able: (able.user.name.lower(), able.user.pk))


def needs_beside(permission: Permission, stage: str) -> Permission | None:
    """The permission that the act needs as well, on production."""
    return Permission.PRODUCTION_SET if stage == PRODUCTION and permission in _BESIDE else None


def _covering(where: Place) -> list[Grant]:
    """The live grants that hold on a place."""
    rows = grants_in(where.team)
    team_wide = Q(content_type__model="team", prefix="")
    if where.thing is None:
        return list(rows.filter(team_wide))
    label, kind, name = kind_label(where.thing), kind_of(where.thing), str(getattr(where.thing, "name", ""))
    beginnings = [name[:length] for length in range(1, len(name) + 1)]
    here = Q(content_type__model=label, object_pk=str(where.thing.pk))
    return list(rows.filter(team_wide | here | Q(prefix__in=beginnings, kind__in=["", kind])))


def gives(row: Grant, permission: Permission, stage: str) -> bool:
    """As accounts.held.Held.gives, of a row that is shown."""
    if permission not in row.allowed:
        return False
    if not row.stage or permission in SEEING_PERMISSIONS:
        return True
    return permission in STAGED_PERMISSIONS and stage == row.stage


def get_person(actor: Actor, email: str) -> User:
    """Somebody whom the actor may know of: oneself, or somebody of one's teams."""
    person = known_people(actor).filter(email__iexact=email.strip()).first()
    if person is None:
        raise NotFound(f"There is nobody '{email}' that you can see.")
    return person


def what_can(actor: Actor, person: User, key: ApiKey | None = None) -> list[Ability]:
    """What somebody (or a key of theirs) may do in the teams that the actor sees, grant by grant."""
    rows = (
        Grant.objects.filter(user=person)
        .live()
        .select_related("team", "granted_by", "content_type", "custom_role")
        .prefetch_related("content_object")
        .order_by("team__name", "id")
    )
    if key and key.team_id:
        rows = rows.filter(team_id=key.team_id)
    seen = {}
    found = []
    for row in rows:
        if row.team_id not in seen:
            seen[row.team_id] = person.pk == actor.id or can(actor, Permission.TEAM_VIEW, row.team)
        if not seen[row.team_id]:
            continue
        allowed = [one for one in Permission if one in row.allowed and _counts(row, one)]
        kept = [one for one in allowed if in_scopes(key, one)]
        found.append(Ability(row, kept, [one for one in allowed if one not in kept]))
    return found


def _counts(row: Grant, permission: Permission) -> bool:
    return not row.stage or permission in SEEING_PERMISSIONS or permission in STAGED_PERMISSIONS


def in_scopes(key: ApiKey | None, permission: Permission) -> bool:
    return not key or not key.scopes or any(permission in SCOPE_PERMISSIONS[Scope(scope)] for scope in key.scopes)


def get_keys_owner(actor: Actor, key_id: str) -> tuple[User, ApiKey]:
    """A key that the actor owns or manages, and its owner."""
    key = get_key(actor, key_id)
    return key.user, key
