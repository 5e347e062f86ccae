from accounts.models.grants import CustomRole, Grant
from accounts.models.groups import Group, GroupMember
from accounts.models.keys import ApiKey, KeyAddress
from accounts.models.people import NAME_HELP, NAME_PATTERN, Team, User, UserManager, valid_name

__all__ = [
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
    "valid_name",
]
