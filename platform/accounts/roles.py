"""Permissions and the built-in roles: one table in code. A team's own roles are rows (accounts.models.CustomRole); grants of both are rows
of django-guardian's model (accounts.models.Grant)."""

from collections.abc import Iterable
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
    FILE_DOWNLOAD = "file.download"
    ALIAS_MOVE = "alias.move"
    RUN_CREATE = "run.create"
    EVALUATION_RUN = "evaluation.run"
    REQUEST_CREATE = "request.create"
    REQUEST_REVIEW = "request.review"
    DELEGATION_CREATE = "delegation.create"
    PRODUCTION_SET = "production.set"
    GLASS_BREAK = "glass.break"
    DEPLOYMENT_VIEW = "deployment.view"
    DEPLOYMENT_MANAGE = "deployment.manage"
    MODEL_INVOKE = "model.invoke"
    POLICY_EDIT = "policy.edit"
    WEBHOOK_MANAGE = "webhook.manage"
    LEDGER_VIEW = "ledger.view"
    LEDGER_EXPORT = "ledger.export"
    LEDGER_ERASE = "ledger.erase"


P = Permission

PERMISSION_DESCRIPTIONS: dict[Permission, str] = {
    P.TEAM_VIEW: "See the team, its people and their roles.",
    P.TEAM_MANAGE: "Manage people, roles, groups, service accounts and their keys.",
    P.ASSET_VIEW: "See models, datasets and prompts, their versions and evaluations.",
    P.ASSET_CREATE: "Make models, datasets and prompts.",
    P.ASSET_EDIT: "Change what describes them and register versions.",
    P.FILE_DOWNLOAD: "Download the files of gated models and datasets. Those of others are for whoever sees them.",
    P.ALIAS_MOVE: "Move aliases and labels that are not protected.",
    P.RUN_CREATE: "Log runs, experiments and their files; cancel and delete them.",
    P.EVALUATION_RUN: "Evaluate a model on a dataset.",
    P.REQUEST_CREATE: "Ask for an approval, discuss and withdraw it.",
    P.REQUEST_REVIEW: "Approve, reject or ask for changes to what others asked for.",
    P.DELEGATION_CREATE: "Hand one's reviewing to somebody else while away.",
    P.PRODUCTION_SET: "Ask for production, apply an approval to it and deploy to it; beside the permission for the act itself.",
    P.GLASS_BREAK: "Break the glass: act at once in an emergency, to be reviewed afterwards.",
    P.DEPLOYMENT_VIEW: "See deployments and their logs.",
    P.DEPLOYMENT_MANAGE: "Deploy, scale, start, stop and delete.",
    P.MODEL_INVOKE: "Call what is deployed.",
    P.POLICY_EDIT: "Write policies.",
    P.WEBHOOK_MANAGE: "Manage webhooks and their secrets.",
    P.LEDGER_VIEW: "Read the audit ledger and verify it.",
    P.LEDGER_EXPORT: "Export the ledger as JSONL, CSV or OCSF.",
    P.LEDGER_ERASE: "Erase personal data from ledger events on request. Site administrators only; no role holds it.",
}


class Role(StrEnum):
    """A named set of permissions, granted to a person or service account: on a team, on names with a prefix, or on one asset."""

    VIEWER = "viewer"
    DOWNLOADER = "downloader"
    CONTRIBUTOR = "contributor"
    REVIEWER = "reviewer"
    DEPLOYER = "deployer"
    AUDITOR = "auditor"
    ADMIN = "admin"


ROLE_DESCRIPTIONS = {
    Role.VIEWER: "Sees models, datasets, prompts and deployments, and may call what is deployed.",
    Role.DOWNLOADER: "Sees models, datasets and prompts, and downloads the files of gated ones. Meant for one asset and a time.",
    Role.CONTRIBUTOR: "Also registers versions, runs evaluations and asks for promotions.",
    Role.REVIEWER: "Also decides on requests that others made.",
    Role.DEPLOYER: "Also starts, scales and stops deployments.",
    Role.AUDITOR: "Sees everything and the ledger; changes nothing.",
    Role.ADMIN: "Manages people, roles and policies, and all of the above but reviewing.",
}
_SEE = frozenset({P.TEAM_VIEW, P.ASSET_VIEW, P.DEPLOYMENT_VIEW})
_USE = _SEE | {P.MODEL_INVOKE}
_CONTRIBUTE = _USE | {
    P.ASSET_CREATE, P.ASSET_EDIT, P.FILE_DOWNLOAD, P.ALIAS_MOVE, P.RUN_CREATE, P.EVALUATION_RUN, P.REQUEST_CREATE,
}  # fmt: skip
# Nobody has these by a role, an administrator's included: they come with being a site administrator.
SITE_PERMISSIONS = frozenset({P.LEDGER_ERASE})
ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _USE,
    Role.DOWNLOADER: frozenset({P.TEAM_VIEW, P.ASSET_VIEW, P.FILE_DOWNLOAD}),
    Role.CONTRIBUTOR: _CONTRIBUTE | {P.PRODUCTION_SET},
    Role.REVIEWER: _USE | {P.REQUEST_REVIEW, P.DELEGATION_CREATE},
    Role.DEPLOYER: _USE | {P.FILE_DOWNLOAD, P.DEPLOYMENT_MANAGE, P.PRODUCTION_SET},
    Role.AUDITOR: _SEE | {P.LEDGER_VIEW, P.LEDGER_EXPORT},
    # Reviewing is left out on purpose: whoever hands out roles does not also approve. They may grant themselves
    # `reviewer`, and the ledger says so.
    Role.ADMIN: frozenset(P) - {P.REQUEST_REVIEW, P.DELEGATION_CREATE} - SITE_PERMISSIONS,
}

# What a grant that is limited to a stage gives at that stage alone. Beside these it shows what its role sees, and nothing else.
STAGED_PERMISSIONS = frozenset(
    {
        P.ALIAS_MOVE, P.REQUEST_CREATE, P.REQUEST_REVIEW, P.PRODUCTION_SET, P.GLASS_BREAK, P.DEPLOYMENT_MANAGE,
        P.MODEL_INVOKE,
    }
)  # fmt: skip
SEEING_PERMISSIONS = _SEE
# The stages that a grant can be limited to: governance.stages.Stage, which lies above.
STAGES = ("development", "staging", "production")
ANY_STAGE = "*"  # "at some stage or other": for showing a form, never for the act


class Scope(StrEnum):
    """What a key may be used for; a key without scopes may do all that its person may."""

    READ = "read"
    WRITE = "write"
    REVIEW = "review"
    DEPLOY = "deploy"
    INVOKE = "invoke"
    ADMIN = "admin"


SCOPE_PERMISSIONS: dict[Scope, frozenset[Permission]] = {
    Scope.READ: _SEE | {P.FILE_DOWNLOAD, P.LEDGER_VIEW, P.LEDGER_EXPORT},
    Scope.WRITE: (_CONTRIBUTE - {P.MODEL_INVOKE}) | {P.PRODUCTION_SET},
    Scope.REVIEW: _SEE | {P.REQUEST_REVIEW, P.DELEGATION_CREATE},
    Scope.DEPLOY: _SEE | {P.DEPLOYMENT_MANAGE, P.PRODUCTION_SET},
    Scope.INVOKE: frozenset({P.DEPLOYMENT_VIEW, P.MODEL_INVOKE}),
    Scope.ADMIN: frozenset(
        {P.TEAM_VIEW, P.TEAM_MANAGE, P.POLICY_EDIT, P.WEBHOOK_MANAGE, P.GLASS_BREAK, P.LEDGER_ERASE}
    ),
}

# Django's Meta.permissions of every kind of object that roles are granted on. `role_custom`: one of the team's own.
CUSTOM_CODENAME = "role_custom"
ROLE_META: list[tuple[str, str | StrPromise]] = [
    *((f"role_{role.value}", f"Role {role.value}") for role in Role),
    (CUSTOM_CODENAME, "A role of the team's own"),
]


def roles_with(permission: Permission) -> list[str]:
    """The built-in roles that include this permission."""
    return [role.value for role, allowed in ROLE_PERMISSIONS.items() if permission in allowed]


def known_permissions(names: Iterable[str]) -> frozenset[Permission]:
    """The permissions of a stored list; one that was given up since is left out."""
    return frozenset(P(name) for name in names if name in set(P))


def permissions_of(role: str) -> frozenset[Permission]:
    """What a built-in role includes; nothing for a name that is none."""
    return ROLE_PERMISSIONS[Role(role)] if role in set(Role) else frozenset()
