"""What several actions do."""

from accounts.access import ANY_STAGE, Actor, InTeam, require
from accounts.errors import Forbidden
from accounts.models import User
from accounts.roles import Permission
from governance.ledger.actions import Target
from playground.models import PlaygroundRun


def person(by: Actor) -> User:
    if by.user is None:
        raise Forbidden("Sign in to use the playground.")
    return by.user


def require_play(by: Actor, thing: InTeam) -> User:
    """May this actor run something here at all? Which models, each cell asks."""
    require(by, Permission.MODEL_INVOKE, thing, stage=ANY_STAGE)
    return person(by)


def run_target(run: PlaygroundRun) -> Target:
    return Target("playground_run", run.pk, str(run))
