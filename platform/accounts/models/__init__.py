from accounts.models.grants import CustomRole, Grant
from accounts.models.groups import Group, GroupMember
from accounts.models.keys import ApiKey, KeyAddress
from accounts.models.people import (
    ASSET_NAME_HELP,
    ASSET_NAME_PATTERN,
    NAME_HELP,
    NAME_PATTERN,
    Team,
    User,
    UserManager,
    valid_asset_name,
    valid_name,
)

__all__ = [
    "ASSET_NAME_HELP",
    "ASSET_NAME_PATTERN",
    "NAME_HELP",
    "NAME_PATTERN",
    "ApiKey",
    "CustomRole",
    "Grant",
    "Group",
    "GroupMember",
    "KeyAddress",
    "Team",
    "User",
    "UserManager",
    "valid_asset_name",
    "valid_name",
]
