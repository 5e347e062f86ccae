"""A workspace of MLflow's is a team: which there are for this key. They are made and changed in the web or by REST."""

from typing import Any

from accounts.access import get_team, visible_teams
from accounts.models import Team
from doors.mlflow.base import Answer, Call, endpoint

MOST = 1000


@endpoint("GET")
def listing(call: Call) -> Answer:
    """The teams that the key opens, by name. The protocol has no pages for them."""
    rows = Team.objects.filter(visible_teams(call.by)).order_by("name")[:MOST]
    return {"workspaces": [workspace_json(team) for team in rows]}


@endpoint("GET")
def get(call: Call, team: str) -> Answer:
    return {"workspace": workspace_json(get_team(call.by, team))}


def workspace_json(team: Team) -> dict[str, Any]:
    return {"name": team.name} | ({"description": team.title} if team.title else {})
