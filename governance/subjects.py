"""What requests are about, as rows. Governance knows the apps above it by what they announce here, and by nothing else."""

from typing import Any

from django.db.models import Model

from accounts.access import InTeam
from accounts.models import Team
from governance.models import ApprovalRequest

# By the request's kind: the model whose primary key `asset_id` is. Each has a team.
_MODELS: dict[str, type[Model]] = {}


def announce(kind: str, model: type[Model]) -> None:
    """Called when an app starts: requests of this kind are about rows of this model."""
    _MODELS[kind] = model


def model_of(kind: str) -> type[Model] | None:
    """The model of a kind of request; None for those about a team's own policies and roles."""
    return _MODELS.get(kind)


def subject_of(request: ApprovalRequest) -> InTeam:
    """The asset or deployment that a request is about, with the grants on it; else (a policy, a role, something that is yet to
    be made) the team."""
    found = _find(request)
    return request.team if found is None else found


def lock_subject(request: ApprovalRequest) -> None:
    """Lock the row of the asset first, as every other change to it does, and where there is none (a policy, a role, something yet
    to be made) the team's: rival requests then wait for each other instead of locking each other out."""
    if _find(request, lock=True) is None:
        Team.objects.select_for_update(of=("self",)).get(pk=request.team_id)


def _find(request: ApprovalRequest, *, lock: bool = False) -> Any:
    model = _MODELS.get(request.kind)
    if model is None or not request.asset_id:
        return None
    rows = model._default_manager.filter(pk=request.asset_id, team_id=request.team_id)
    return rows.select_for_update(of=("self",)).first() if lock else rows.select_related("team").first()
