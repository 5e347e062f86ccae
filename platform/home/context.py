"""What the frame of every page shows: sections, teams and the inbox's count. At most four small queries."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

import notifications.policies
import notifications.reads
from accounts.access import Actor
from accounts.authentication import actor_of
from accounts.current import current_team, teams_of
from home import approvals
from home.sections import Section, sections_for
from registry import gates


@dataclass(frozen=True)
class Frame:
    """The frame's own things, read once per page."""

    team: Any
    teams: list[Any]
    more_teams: bool
    sections: list[Section]
    inbox: int
    unread: int  # notices, counted up to a hundred
    webhooks: bool  # may the person manage those of the team?
    is_site_admin: bool


def inbox_count(actor: Actor) -> int:
    """How many requests wait for this actor: one query for who handed them their reviewing, and one that counts; for those who
    manage a team one more, of who asks for gated files."""
    return approvals.inbox(actor).count() + gates.waiting_for(actor).count()


def frame(request: HttpRequest) -> dict[str, Any]:
    """Lazy, so that a partial of a page costs nothing."""

    def build() -> Frame | None:
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            return None
        actor = actor_of(request)
        teams, more = teams_of(request)
        team = current_team(request)
        return Frame(
            team=team,
            teams=teams,
            more_teams=more,
            sections=sections_for(actor, request.path),
            inbox=inbox_count(actor),
            unread=notifications.reads.unread_count(actor),
            webhooks=bool(team and notifications.policies.may_manage(actor, team)),
            is_site_admin=actor.is_site_admin,
        )

    return {"frame": SimpleLazyObject(build)}
