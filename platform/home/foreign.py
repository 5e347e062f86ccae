"""Pages by the addresses that other clients print."""

import re
from urllib.parse import unquote

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.access import Actor
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import NotFound
from accounts.models import Team
from registry.models import Asset
from tracking import reads
from tracking.models import Experiment, Run

_RUN = re.compile(r"experiments/(\d{1,19})/runs/([0-9a-f]{32})(?:/.*)?")
_EXPERIMENT = re.compile(r"experiments/(\d{1,19})(?:/.*)?")
_MODEL = re.compile(r"models/([^/]{1,200})(?:/versions/(\d{1,9}))?(?:/.*)?")
_LOGGED = re.compile(r"experiments/\d{1,19}/models/(m-[0-9a-f]{32})(?:/.*)?")


@login_required
@require_safe
def from_mlflow(request: HttpRequest) -> HttpResponse:
    """`?at=experiments/5/runs/<32 digits>` and the like: what MLflow's own pages have behind the hash."""
    at = request.GET.get("at", "")[:500]
    return redirect(_page(at, actor_of(request), current_team(request)))


def _page(at: str, by: Actor, team: Team | None) -> str:
    if match := _RUN.fullmatch(at):
        run = Run.objects.visible_to(by).filter(uuid=match[2]).first()
        if run is not None:
            return run.get_absolute_url()
    elif match := _LOGGED.fullmatch(at):
        return reverse("logged-model", args=[reads.get_logged_model(by, match[1]).model_id])
    elif match := _EXPERIMENT.fullmatch(at):
        # 0 is the default experiment of every team: this one's is meant.
        rows = Experiment.objects.visible_to(by)
        found = rows.filter(team=team, is_default=True) if int(match[1]) == 0 else rows.filter(pk=match[1])
        if experiment := found.first():
            return str(experiment.get_absolute_url())
    elif (match := _MODEL.fullmatch(at)) and (asset := _model(by, team, unquote(match[1]))):
        return f"{asset.get_absolute_url()}/versions/{match[2]}" if match[2] else asset.get_absolute_url()
    raise NotFound("There is nothing at this address of MLflow's that you can see.")


def _model(by: Actor, team: Team | None, name: str) -> Asset | None:
    """MLflow's names are names in a team: in the one that is looked at, else in the only one that has it."""
    rows = Asset.objects.visible_to(by).filter(kind=Asset.Kind.MODEL, name=name).select_related("team")
    own = rows.filter(team=team).first() if team else None
    if own is None and len(others := rows.order_by("pk")[:2]) == 1:
        own = others[0]
    return own
