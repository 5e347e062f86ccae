"""The team that a signed-in person works in: the one in the address bar, else the last one chosen, else their first."""

from django.http import HttpRequest

from accounts.access import visible_teams
from accounts.authentication import actor_of
from accounts.models import Team

# The switcher lists so many; a person with more finds the others by search.
_MOST = 50


def teams_of(request: HttpRequest) -> tuple[list[Team], bool]:
    """The first teams that the person sees, by name, and whether there are more. One query per request."""
    if not hasattr(request, "_teams"):
        found = list(Team.objects.filter(visible_teams(actor_of(request))).order_by("name")[: _MOST + 1])
        request._teams = (found[:_MOST], len(found) > _MOST)  # type: ignore[attr-defined]
    teams: tuple[list[Team], bool] = request._teams  # type: ignore[attr-defined]
    return teams


def current_team(request: HttpRequest) -> Team | None:
    """The current team among those the person sees; None when there is none. `?team=name` switches to it. Cached per request."""
    if not hasattr(request, "_current_team"):
        teams, more = teams_of(request)
        by_name = {team.name: team for team in teams}

        def named(name: str) -> Team | None:
            if not name or name in by_name or not more:
                return by_name.get(name)
            return Team.objects.filter(visible_teams(actor_of(request)), name=name).first()

        team = named(request.GET.get("team", ""))
        if team is not None:
            if request.session.get("team") != team.name:
                request.session["team"] = team.name
        else:
            team = named(request.session.get("team", ""))
        request._current_team = team or (teams[0] if teams else None)  # type: ignore[attr-defined]
    found: Team | None = request._current_team  # type: ignore[attr-defined]
    return found
