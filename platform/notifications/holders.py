"""The other way round from `accounts.access`: not what one person may do, but who may do one thing. One query per question."""

from collections.abc import Iterable

from accounts.held import Held
from accounts.models import Grant, GroupMember, Team, User
from accounts.roles import Permission, known_permissions, permissions_of
from governance import quorum
from governance.models import ApprovalRequest
from governance.models.reviews import Delegation

_MODELS = {"model": "asset", "dataset": "asset", "prompt": "prompt", "deployment": "deployment"}


def _held_in(team: Team) -> Iterable[tuple[int, Held]]:
    """Each live grant of an active person in the team, with whose it is."""
    rows = Grant.objects.filter(team=team, user__is_active=True, user__kind=User.Kind.PERSON).live()
    for user_id, number, role, own, model, object_pk, prefix, kind, stage in rows.values_list(
        "user_id", "id", "role", "custom_role__permissions", "content_type__model", "object_pk", "prefix", "kind", "stage"
    ):  # fmt: skip
        allowed = permissions_of(role) if own is None else known_permissions(own)
        yield user_id, Held(number, team.pk, role, allowed, model, object_pk, prefix, kind, stage)


def holders(team: Team, permission: Permission) -> set[int]:
    """Active people whose roles on the whole team include the permission."""
    return {user for user, held in _held_in(team) if held.is_team_wide and held.gives(permission, "")}


def members(team: str) -> dict[int, str]:
    """The active people with any role in the team, and their addresses."""
    rows = Grant.objects.filter(team__name=team, user__is_active=True, user__kind=User.Kind.PERSON).live()
    return dict(rows.values_list("user_id", "user__email"))


def reviewers_of(request: ApprovalRequest) -> set[int]:
    """Whom the request waits for now ('role:reviewer', 'group:legal', 'escalated:role:admin'), and who stands in for them, but
    nobody behind the request."""
    found: set[int] = set()
    for text in request.waits_for:
        found |= party(request, text.removeprefix("escalated:"))
    delegations = Delegation.objects.in_force().filter(
        team=request.team, delegator_id__in=found, delegate__is_active=True
    )
    found |= set(delegations.values_list("delegate_id", flat=True))
    return found - quorum.behind(request)


def party(request: ApprovalRequest, text: str) -> set[int]:
    """The active people of 'role:reviewer' (on what the request is about, at its stage) or 'group:legal'."""
    what, _, slug = text.partition(":")
    if what == "group":
        rows = GroupMember.objects.filter(
            group__team=request.team, group__slug=slug, user__is_active=True, user__kind=User.Kind.PERSON
        )
        return set(rows.values_list("user_id", flat=True))
    name = request.asset_label.partition("/")[2]
    return {
        user
        for user, held in _held_in(request.team)
        if held.role == slug and held.holds_at(request.stage) and _covers(held, request, name)
    }


def _covers(held: Held, request: ApprovalRequest, name: str) -> bool:
    single = held.model == _MODELS.get(request.kind) and held.object_pk == str(request.asset_id)
    return held.is_team_wide or held.names(request.kind, name) or single
