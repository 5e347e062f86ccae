"""What the actions of this app share."""

import re

from django.db import models

from accounts.errors import Invalid
from accounts.models import ASSET_NAME_HELP, ASSET_NAME_PATTERN, NAME_HELP, NAME_PATTERN, Team, User
from governance.ledger.actions import Target


def check_name(name: str, field: str = "name") -> None:
    """Raise Invalid for a name that cannot stand in an address."""
    if not re.fullmatch(NAME_PATTERN, name):  # the whole of it: a '$' alone lets a line break at the end pass
        raise Invalid(field, NAME_HELP)


def check_asset_name(name: str, field: str = "name") -> None:
    """The same for models and datasets, which may have capitals."""
    if not re.fullmatch(ASSET_NAME_PATTERN, name):
        raise Invalid(field, ASSET_NAME_HELP)


def role_target(obj: models.Model) -> Target:
    return Target(str(obj._meta.model_name), obj.pk, str(obj))


def user_target(user: User) -> Target:
    return Target("user", user.pk, user.email)


def team_target(team: Team) -> Target:
    return Target("team", team.pk, team.name)
