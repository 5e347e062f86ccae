"""The grants that somebody holds, read once per request and asked in memory."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Model

from accounts.models import ApiKey, Grant, Team, User
from accounts.roles import (
    ANY_STAGE,
    SEEING_PERMISSIONS,
    STAGED_PERMISSIONS,
    Permission,
    known_permissions,
    permissions_of,
)

# What carries a name that a prefix can be held against: registry.Asset, prompts.Prompt, serving.Deployment.
_NAMED = frozenset({"asset", "prompt", "deployment"})


@dataclass(frozen=True)
class Planned:
    """Something that is about to be made: permissions are asked of its name before there is a row."""

    team_id: int
    kind: str  # model, dataset, prompt or deployment
    name: str
    stage: str = ""


@dataclass(frozen=True)
class Held:
    """One grant, as far as deciding needs it."""

    id: int
    team_id: int
    role: str
    allowed: frozenset[Permission]
    model: str  # 'team', 'asset', 'prompt' or 'deployment': what kind of row it was made on
    object_pk: str
    prefix: str
    kind: str
    stage: str

    @property
    def is_team_wide(self) -> bool:
        return self.model == "team" and not self.prefix

    def gives(self, permission: Permission, stage: str) -> bool:
        """Does it include the permission at this stage ('' : an act of no stage; ANY_STAGE: wherever)?"""
        if permission not in self.allowed:
            return False
        if not self.stage or permission in SEEING_PERMISSIONS:
            return True
        return permission in STAGED_PERMISSIONS and stage in (self.stage, ANY_STAGE)

    def holds_at(self, stage: str) -> bool:
        """Does its role count at this stage?"""
        return not self.stage or stage in (self.stage, ANY_STAGE)

    def names(self, kind: str, name: str) -> bool:
        """Is it on a prefix of this name?"""
        return bool(self.prefix) and self.kind in ("", kind) and name.startswith(self.prefix)


@dataclass
class Holdings:
    """All that one person holds, sorted by what it is on."""

    teams: dict[int, list[Held]] = field(default_factory=dict)
    prefixes: dict[int, list[Held]] = field(default_factory=dict)
    objects: dict[tuple[str, str], list[Held]] = field(default_factory=dict)

    def add(self, held: Held) -> None:
        if held.prefix:
            self.prefixes.setdefault(held.team_id, []).append(held)
        elif held.model == "team":
            self.teams.setdefault(held.team_id, []).append(held)
        else:
            self.objects.setdefault((held.model, held.object_pk), []).append(held)

    def everything(self) -> Iterable[Held]:
        for some in (self.teams, self.prefixes, self.objects):
            for grants in some.values():
                yield from grants

    def covering(self, obj: object, team_id: int) -> list[Held]:
        """The grants that hold on this team or asset, those of its team and of its name's prefixes included."""
        found = list(self.teams.get(team_id, ()))
        if isinstance(obj, Planned):
            return found + [held for held in self.prefixes.get(team_id, ()) if held.names(obj.kind, obj.name)]
        label = kind_label(obj)
        if label in _NAMED:
            assert isinstance(obj, Model)
            kind, name = kind_of(obj), str(getattr(obj, "name", ""))
            found += self.objects.get((label, str(obj.pk)), ())
            found += (held for held in self.prefixes.get(team_id, ()) if held.names(kind, name))
        return found


def kind_label(obj: object) -> str:
    """The model's name in lower case, for what roles are granted on; '' for everything else."""
    return str(obj._meta.model_name) if isinstance(obj, Model) and not isinstance(obj, Team) else ""


def kind_of(obj: Model) -> str:
    """model, dataset, prompt or deployment."""
    return str(obj.kind) if hasattr(obj, "kind") else str(obj._meta.model_name)


def holdings_of(user: User | None, key: ApiKey | None = None) -> Holdings:
    """What somebody holds now; with a key of one team, in that team only. One query."""
    found = Holdings()
    if user is None or not user.is_active:
        return found
    rows = Grant.objects.filter(user_id=user.pk).live()
    if key and key.team_id:
        rows = rows.filter(team_id=key.team_id)
    for number, team_id, role, own, model, object_pk, prefix, kind, stage in rows.values_list(
        "id", "team_id", "role", "custom_role__permissions", "content_type__model", "object_pk", "prefix", "kind",
        "stage",
    ):  # fmt: skip
        allowed = permissions_of(role) if own is None else known_permissions(own)
        found.add(Held(number, team_id, role, allowed, model, object_pk, prefix, kind, stage))
    return found
