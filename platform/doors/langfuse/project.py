"""What is there besides prompts: the project of a key, whether the site is up, and what is not served here."""

from django.http import HttpRequest, HttpResponse

from accounts.access import visible_teams
from accounts.errors import NotFound, Problem
from accounts.models import Team
from doors.langfuse.base import Answer, Call, actor_by_key, endpoint, failed, send

VERSION = "3.0.0"  # of Langfuse's API: what `health` answers


@endpoint
def projects(call: Call) -> Answer:
    """A project is a team: the key's, or those that it sees. SDKs ask this to check a key."""
    seen = Team.objects.filter(visible_teams(call.by)).order_by("name")
    teams = [call.team] if call.team else list(seen[:200])
    return {
        "data": [
            {
                "id": str(team.pk),
                "name": team.name,
                "organization": {"id": str(team.pk), "name": team.title or team.name},
                "metadata": {},
            }
            for team in teams
        ]
    }, 200


def health(request: HttpRequest) -> HttpResponse:
    """Whether the site answers; for anybody."""
    return send({"status": "OK", "version": VERSION})


def unknown(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Scores, traces, datasets and whatever else Langfuse has: not at this address. 404, since clients repeat what is 5xx;
    who sends no key hears nothing of what there is."""
    try:
        actor_by_key(request)
    except Problem as problem:
        return failed(request, problem)
    return failed(
        request,
        NotFound(
            f"{request.method} {request.path[:200]} is not served here: of Langfuse's API there are prompts and projects. "
            "Runs and evaluations have doors of their own."
        ),
    )
