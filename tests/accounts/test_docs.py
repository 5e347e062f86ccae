"""docs/permissions.md says what the code does."""

from pathlib import Path

from accounts.roles import PERMISSION_DESCRIPTIONS, ROLE_PERMISSIONS, Permission, Role


def test_the_table_of_permissions_is_the_codes():
    text = (Path(__file__).parents[2] / "docs/permissions.md").read_text()
    rows = [
        f"| `{one}` | {PERMISSION_DESCRIPTIONS[one]} | "
        + " | ".join("yes" if one in ROLE_PERMISSIONS[role] else "" for role in Role)
        + " |"
        for one in Permission
    ]
    assert "\n".join(rows) in text
