"""The end of what was deleted: after a grace period its rows and files go."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.access import SYSTEM
from governance.ledger.actions import Action, record
from registry.models import Artifact
from tracking.actions.artifacts import drop
from tracking.actions.common import model_target, run_target
from tracking.models import LoggedModel, Run

GRACE = timedelta(days=30)
_AT_ONCE = 200


def purge_deleted() -> int:
    """Runs and logged models that were deleted thirty days ago are gone. How many; any number may call it at once."""
    before = timezone.now() - GRACE
    done = 0
    for pk in list(LoggedModel.objects.filter(deleted_at__lt=before).values_list("pk", flat=True)[:_AT_ONCE]):
        done += _purge_model(pk)
    for pk in list(Run.objects.filter(deleted_at__lt=before).values_list("pk", flat=True)[:_AT_ONCE]):
        done += _purge_run(pk)
    return done


@transaction.atomic
def _purge_model(pk: int) -> int:
    rows = LoggedModel.objects.select_for_update(of=("self",), skip_locked=True).select_related("team")
    model = rows.filter(pk=pk, deleted_at__lt=timezone.now() - GRACE).first()
    if model is None:
        return 0
    files = drop(Artifact.objects.filter(owner_kind=Artifact.OwnerKind.LOGGED_MODEL, owner_id=pk))
    target = model_target(model)
    model.delete()
    record(Action.LOGGED_MODEL_PURGED, by=SYSTEM, team=model.team.name, target=target, before={"files": files})
    return 1


@transaction.atomic
def _purge_run(pk: int) -> int:
    rows = Run.objects.select_for_update(of=("self",), skip_locked=True).select_related("team")
    run = rows.filter(pk=pk, deleted_at__lt=timezone.now() - GRACE).first()
    if run is None:
        return 0
    files = drop(Artifact.objects.filter(owner_kind=Artifact.OwnerKind.RUN, owner_id=pk))
    target = run_target(run)
    run.delete()
    record(Action.RUN_PURGED, by=SYSTEM, team=run.team.name, target=target, before={"run_id": run.uuid, "files": files})
    return 1
