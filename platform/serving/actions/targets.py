"""Deployments that the platform itself holds up for a while: the targets of evaluations."""

from django.db import transaction

from accounts.access import SYSTEM, Actor
from registry.models import Version
from serving.actions.deployments import add_revision, lock, set_desired
from serving.models import Deployment, Hold, Revision
from serving.wake import reconcile_after_commit


def target_name(version: Version) -> str:
    """Begins with '~', which no name that a person chooses can, so it is never in the way."""
    return f"~version-{version.pk}"


@transaction.atomic
def hold_target(*, version: Version, holder: str, by: Actor) -> Deployment:
    """Keep an internal deployment of a registered version up until `release_target(holder=…)`; may be called again.

    The caller has checked that `by` may do this. No gateway route leads to it, and it belongs to no stage.
    """
    target, _created = Deployment.objects.get_or_create(
        team=version.asset.team,
        name=target_name(version),
        defaults={
            "purpose": Deployment.Purpose.EVALUATION,
            "desired": Deployment.Desired.STOPPED,
            "state": Deployment.State.STOPPED,
            "created_by": by.user,
        },
    )
    target = lock(target)
    if target.revision is None:
        add_revision(target, Revision(version=version), by=by)
    _, new = Hold.objects.get_or_create(holder=holder, defaults={"deployment": target})
    # A new holder starts what stands still, and doesn't wait out the back-off that failures of earlier ones earned.
    if not target.wants_to_run or (new and target.retry_at):
        set_desired(target, Deployment.Desired.RUNNING, by=by, reason=holder)
        reconcile_after_commit()
    return target


@transaction.atomic
def release_target(*, holder: str, by: Actor = SYSTEM) -> None:
    """Let go; the last one stops it. Letting go twice changes nothing."""
    hold = Hold.objects.select_related("deployment").filter(holder=holder).first()
    if hold is None:
        return
    target = lock(hold.deployment)
    Hold.objects.filter(holder=holder).delete()
    if target.wants_to_run and not target.holds.exists():
        set_desired(target, Deployment.Desired.STOPPED, by=by, reason=holder)
        reconcile_after_commit()
