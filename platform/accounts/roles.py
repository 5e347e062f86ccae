"""Permissions and the built-in roles: one table in code. Grants are stored by django-guardian as `role_<name>` on a team or an asset."""

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise
else:
    StrPromise = str


class Permission(StrEnum):
    """What can be done. The value is what an error names and what the docs list."""

    TEAM_VIEW = "team.view"
    TEAM_MANAGE = "team.manage"
    ASSET_VIEW = "asset.view"
    ASSET_CREATE = "asset.create"
    ASSET_EDIT = "asset.edit"
    ALIAS_MOVE = "alias.move"
    RUN_CREATE = "run.create"
    EVALUATION_RUN = "evaluation.run"
    REQUEST_CREATE = "request.create"
    REQUEST_REVIEW = "request.review"
    DEPLOYMENT_VIEW = "deployment.view"
    DEPLOYMENT_MANAGE = "deployment.manage"
    MODEL_INVOKE = "model.invoke"
    POLICY_EDIT = "policy.edit"
    LEDGER_VIEW = "ledger.view"


P = Permission


class Role(StrEnum):
    """A named set of permissions, granted to a person or service account on a team or on one asset."""

    VIEWER = "viewer"
    CONTRIBUTOR = "contributor"
    REVIEWER = "reviewer"
    DEPLOYER = "deployer"
    AUDITOR = "auditor"
    ADMIN = "admin"


ROLE_DESCRIPTIONS = {
    Role.VIEWER: "Sees models, datasets, prompts and deployments, and may call what is deployed.",
    Role.CONTRIBUTOR: "Also registers versions, runs evaluations and asks for promotions.",
    Role.REVIEWER: "Also decides on requests that others made.",
    Role.DEPLOYER: "Also starts, scales and stops deployments.",
    Role.AUDITOR: "Sees everything and the ledger; changes nothing.",
    Role.ADMIN: "Manages people, roles and policies, and all of the above but reviewing.",
}
_SEE = frozenset({P.TEAM_VIEW, P.ASSET_VIEW, P.DEPLOYMENT_VIEW})
_USE = _SEE | {P.MODEL_INVOKE}
_CONTRIBUTE = _USE | {P.ASSET_CREATE, P.ASSET_EDIT, P.ALIAS_MOVE, P.RUN_CREATE, P.EVALUATION_RUN, P.REQUEST_CREATE}
ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _USE,
    Role.CONTRIBUTOR: _CONTRIBUTE,
    Role.REVIEWER: _USE | {P.REQUEST_REVIEW},
    Role.DEPLOYER: _USE | {P.DEPLOYMENT_MANAGE},
    Role.AUDITOR: _SEE | {P.LEDGER_VIEW},
    # Reviewing is left out on purpose: whoever hands out roles does not also approve. They may grant themselves
    # `reviewer`, and the ledger says so.
    Role.ADMIN: frozenset(P) - {P.REQUEST_REVIEW},
}


class Scope(StrEnum):
    """What a key may be used for; a key without scopes may do all that its person may."""

    READ = "read"
    WRITE = "write"
    REVIEW = "review"
    DEPLOY = "deploy"
    INVOKE = "invoke"
    ADMIN = "admin"


SCOPE_PERMISSIONS: dict[Scope, frozenset[Permission]] = {
    Scope.READ: _SEE | {P.LEDGER_VIEW},
    Scope.WRITE: _CONTRIBUTE - {P.MODEL_INVOKE},
    Scope.REVIEW: _SEE | {P.REQUEST_REVIEW},
    Scope.DEPLOY: _SEE | {P.DEPLOYMENT_MANAGE},
    Scope.INVOKE: frozenset({P.DEPLOYMENT_VIEW, P.MODEL_INVOKE}),
    Scope.ADMIN: frozenset({P.TEAM_VIEW, P.TEAM_MANAGE, P.POLICY_EDIT}),
}

# Django's Meta.permissions of every kind of object that roles are granted on.
ROLE_META: list[tuple[str, str | StrPromise]] = [(f"role_{role.value}", f"Role {role.value}") for role in Role]
ALL_ROLE_CODENAMES = {f"role_{role.value}": role for role in Role}


def roles_with(permission: Permission) -> list[str]:
    """The guardian codenames of the roles that include this permission."""
    return [f"role_{role.value}" for role, allowed in ROLE_PERMISSIONS.items() if permission in allowed]
