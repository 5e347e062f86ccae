"""The team that a signed-in person works in: the one in the address bar, else the last one chosen, else their first."""

from django.http import HttpRequest

from accounts.access import visible_teams
from accounts.authentication import actor_of
from accounts.models import Team


def current_team(request: HttpRequest) -> Team | None:
    """The current team among those the person sees; None when there is none. `?team=name` switches to it. Cached per request."""
    if not hasattr(request, "_current_team"):
        teams = Team.objects.filter(visible_teams(actor_of(request)))
        asked = request.GET.get("team", "")
        team = teams.filter(name=asked).first() if asked else None
        if team is not None:
            request.session["team"] = team.name
        elif chosen := request.session.get("team"):
            team = teams.filter(name=chosen).first()
        request._current_team = team or teams.order_by("name").first()  # type: ignore[attr-defined]
    found: Team | None = request._current_team  # type: ignore[attr-defined]
    return found
