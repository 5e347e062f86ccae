"""Grants as SQL, for the doors that decide in one statement (the gateway, the registry's quick reads). No Django: the gateway has none.

It says what accounts.held says in Python; tests/accounts/test_doors_agree.py holds the two against each other.
"""

from accounts.roles import SEEING_PERMISSIONS, STAGED_PERMISSIONS, Permission, roles_with


def gives(permission: Permission, *, stage: str = "") -> str:
    """A condition on accounts_grant g, left-joined with accounts_customrole r: it holds now and includes the permission. `stage`:
    the SQL of the stage of the thing, where it has one."""
    roles = ", ".join(f"'{role}'" for role in roles_with(permission))
    at = "true"
    if permission not in SEEING_PERMISSIONS:
        at = f"(g.stage = '' OR g.stage = {stage})" if stage and permission in STAGED_PERMISSIONS else "g.stage = ''"
    return (
        "(g.expires_at IS NULL OR g.expires_at > now()) "
        f"AND (g.custom_role_id IS NULL AND g.role IN ({roles}) OR r.permissions @> ARRAY['{permission.value}']::varchar[]) AND {at}"
    )


def covers(*, app: str, model: str, kind: str, row: str) -> str:
    """A condition on accounts_grant g: it is on the team, on a prefix of the name or on the very row of `row`, an alias with id
    and name. `kind`: the SQL of its kind."""
    of = f"SELECT id FROM django_content_type WHERE app_label = '{app}' AND model = '{model}'"  # noqa: S608  constants
    team = "SELECT id FROM django_content_type WHERE app_label = 'accounts' AND model = 'team'"
    return (
        f"(g.prefix <> '' AND starts_with({row}.name, g.prefix) AND g.kind IN ('', {kind}) "
        f"OR g.prefix = '' AND g.content_type_id = ({team}) "
        f"OR g.object_pk = {row}.id::text AND g.content_type_id = ({of}))"
    )


GRANTS = "accounts_grant g LEFT JOIN accounts_customrole r ON r.id = g.custom_role_id"
