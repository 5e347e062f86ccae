"""What the frame of every page shows: sections, teams and the inbox's count. At most three small queries."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.access import Actor, team_ids
from accounts.authentication import actor_of
from accounts.current import current_team, teams_of
from accounts.roles import Permission
from home import approvals
from home.sections import Section, sections_for


@dataclass(frozen=True)
class Frame:
    """The frame's own things, read once per page."""

    team: Any
    teams: list[Any]
    more_teams: bool
    sections: list[Section]
    inbox: int
    is_site_admin: bool


def inbox_count(actor: Actor) -> int:
    """How many open requests wait for this actor; no query for people who review nothing."""
    if not actor.is_site_admin and not team_ids(actor, Permission.REQUEST_REVIEW):
        return 0
    return approvals.inbox(actor, single=False).count()


def frame(request: HttpRequest) -> dict[str, Any]:
    """Lazy, so that a partial of a page costs nothing."""

    def build() -> Frame | None:
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            return None
        actor = actor_of(request)
        teams, more = teams_of(request)
        return Frame(
            team=current_team(request),
            teams=teams,
            more_teams=more,
            sections=sections_for(actor, request.path),
            inbox=inbox_count(actor),
            is_site_admin=actor.is_site_admin,
        )

    return {"frame": SimpleLazyObject(build)}
