"""Changes to teams."""

from django.db import IntegrityError, transaction

from accounts.access import Actor, require_site_admin
from accounts.actions.common import check_name
from accounts.errors import Conflict
from accounts.models import Team
from governance.ledger.actions import Action, Target, record


@transaction.atomic
def create_team(*, name: str, title: str = "", by: Actor) -> Team:
    """A new team; only a site administrator makes one, and gets no role in it by that."""
    require_site_admin(by)
    check_name(name)
    try:
        with transaction.atomic():
            team = Team.objects.create(name=name, title=title)
    except IntegrityError:
        raise Conflict(f"There is a team '{name}' already.", errors={"name": ["This name is taken."]}) from None
    record(Action.TEAM_CREATED, by=by, team=name, target=Target("team", team.pk, name), after={"title": title})
    return team
