from accounts.actions.common import check_asset_name, check_name, role_target
from accounts.actions.grants import grant, grant_role, revoke_grant, revoke_role
from accounts.actions.groups import add_member, change_group, create_group, delete_group, remove_member
from accounts.actions.keys import create_key, limit_key, revoke_key, rotate_key
from accounts.actions.people import (
    create_first_administrator,
    create_service_account,
    create_user,
    rename_user,
    set_active,
)
from accounts.actions.roles import archive_role, change_role, create_role
from accounts.actions.sessions import revoke_session, revoke_sessions
from accounts.actions.teams import create_team

__all__ = [
    "add_member",
    "archive_role",
    "change_group",
    "change_role",
    "check_asset_name",
    "check_name",
    "create_first_administrator",
    "create_group",
    "create_key",
    "create_role",
    "create_service_account",
    "create_team",
    "create_user",
    "delete_group",
    "grant",
    "grant_role",
    "limit_key",
    "remove_member",
    "rename_user",
    "revoke_grant",
    "revoke_key",
    "revoke_role",
    "revoke_session",
    "revoke_sessions",
    "role_target",
    "rotate_key",
    "set_active",
]
