"""What the frame of every page shows: sections, teams and the inbox's count. At most three small queries."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.access import Actor, team_ids, visible
from accounts.authentication import actor_of
from accounts.current import current_team, teams_of
from accounts.roles import Permission
from governance.models import ApprovalRequest, Review
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
    """Open requests that wait for this actor: they may review them, did not make them, and have not decided yet."""
    if not team_ids(actor, Permission.REQUEST_REVIEW):
        return 0
    return (
        ApprovalRequest.objects.filter(
            visible(actor, Permission.REQUEST_REVIEW, ApprovalRequest, own=False), state=ApprovalRequest.State.OPEN
        )
        .exclude(requested_by_id=actor.id)
        .exclude(author_ids__contains=[actor.id])
        .exclude(reviews__in=Review.objects.filter(reviewer_id=actor.id).exclude(verdict=Review.Verdict.COMMENT))
        .count()
    )


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
