"""Changes that people make to deployments. Each writes what is wanted; the reconciler brings Ray Serve to it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.access import Actor, Planned, require, require_stage_permission
from accounts.actions import check_name
from accounts.errors import ApprovalRequired, Conflict, Invalid, NotFound
from accounts.models import Team
from accounts.roles import Permission
from governance import gate
from governance.ledger.actions import Action, Target, record
from governance.models import ApprovalRequest
from governance.stages import Stage
from registry import damage
from registry.models import Asset, Version
from serving import capacity
from serving.actions.events import about, also_about, described, target_of
from serving.engines.arguments import parse_options, parse_vllm_options
from serving.engines.errors import EngineError
from serving.models import Deployment, Revision
from serving.wake import reconcile_after_commit

MAX_REPLICAS = 64
Options = Mapping[str, Any]


def create_deployment(
    *,
    team: Team,
    name: str,
    version: Version,
    stage: str,
    replicas: int = 1,
    engine: str = Revision.Engine.TRANSFORMERS,
    engine_options: Options | None = None,
    num_gpus: float = 0,
    by: Actor,
    request: ApprovalRequest | None = None,
) -> Deployment:
    """A new deployment that shall run these bytes in this stage. Raises ApprovalRequired where the stage is protected and the bytes
    are not approved for it, and where a policy guards deployments there and `request` does not approve exactly this one."""
    planned = Planned(team.pk, "deployment", name, stage)
    require(by, Permission.DEPLOYMENT_MANAGE, planned)
    require_stage_permission(by, stage, planned)
    check_name(name)
    if stage not in set(Stage):
        raise Invalid("stage", f"Choose one of {', '.join(Stage)}.")
    check_version(team, version, by)
    options = check_configuration(engine=engine, options=engine_options or {}, num_gpus=num_gpus)
    check_replicas(replicas)
    wanted = Revision(version=version, engine=engine, engine_options=options, num_gpus=num_gpus)
    capacity.require_room(wanted, replicas=replicas)
    with _refusals_recorded(version, stage, name=f"{team.name}/{name}", by=by), transaction.atomic():
        gate.require_change(
            team=team, kind="deployment", label=f"{team.name}/{name}", stage=stage,
            change=configuration("create", wanted), previous={}, request=request,
        )  # fmt: skip
        try:
            with transaction.atomic():
                deployment = Deployment.objects.create(
                    team=team, name=name, stage=stage, replicas=replicas, created_by=by.user, updated_by=by.user
                )
        except IntegrityError:
            raise Conflict(
                f"There is a deployment {team.name}/{name} already.",
                errors={"name": ["This name is taken. Choose another, or change that deployment."]},
            ) from None
        add_revision(deployment, wanted, by=by)
        record(
            Action.DEPLOYMENT_CREATED,
            by=by,
            team=team.name,
            target=target_of(deployment),
            also=also_about(deployment),
            after=described(deployment),
        )
        reconcile_after_commit()
    return deployment


def update_deployment(
    *,
    deployment: Deployment,
    version: Version | None = None,
    engine: str | None = None,
    engine_options: Options | None = None,
    num_gpus: float | None = None,
    replicas: int | None = None,
    by: Actor,
    request: ApprovalRequest | None = None,
) -> Deployment:
    """Another version, engine configuration (each makes a new revision, for which the gate is asked again, and where a policy guards
    deployments an approved request) or number of replicas. What is left out stays."""
    require(by, Permission.DEPLOYMENT_MANAGE, deployment)
    require_stage_permission(by, deployment.stage, deployment)
    current = current_revision(deployment)
    wanted = Revision(
        version=version or current.version,
        engine=engine or current.engine,
        engine_options=current.engine_options if engine_options is None else dict(engine_options),
        num_gpus=current.num_gpus if num_gpus is None else num_gpus,
    )
    if version is not None:
        check_version(deployment.team, version, by)
    wanted.engine_options = check_configuration(
        engine=wanted.engine, options=wanted.engine_options, num_gpus=wanted.num_gpus
    )
    count = deployment.replicas if replicas is None else replicas
    check_replicas(count)
    if deployment.wants_to_run:
        capacity.require_room(wanted, replicas=count, leaving_out=deployment)
    with _refusals_recorded(wanted.version, deployment.stage, name=str(deployment), by=by), transaction.atomic():
        locked = lock(deployment)
        before = described(locked)
        config = ("version_id", "engine", "engine_options", "num_gpus")
        changed = any(getattr(current_revision(locked), field) != getattr(wanted, field) for field in config)
        if not changed and locked.replicas == count:
            return locked
        locked.replicas = count
        if changed:
            gate.require_change(
                team=locked.team, kind="deployment", label=str(locked), stage=locked.stage,
                change=configuration("update", wanted), previous=configuration("update", current_revision(locked)),
                request=request,
            )  # fmt: skip
            add_revision(locked, wanted, by=by)
        _save(locked, by, "replicas")
        record(
            Action.DEPLOYMENT_CHANGED,
            by=by,
            team=locked.team.name,
            target=target_of(locked),
            also=also_about(locked),
            before=before,
            after=described(locked),
        )
        reconcile_after_commit()
    return locked


def configuration(action: str, revision: Revision) -> dict[str, Any]:
    """What an approval of a deployment's change is about: which bytes, run how. The number of replicas is not part of it."""
    return {
        "action": action,
        "model": str(revision.version.asset),
        "version": revision.version.number,
        "digest": revision.version.digest,
        "engine": str(revision.engine),
        "engine_options": dict(revision.engine_options),
        "num_gpus": revision.num_gpus,
    }


def scale_deployment(*, deployment: Deployment, replicas: int, by: Actor) -> Deployment:
    """Another number of replicas; those that run go on."""
    return update_deployment(deployment=deployment, replicas=replicas, by=by)


def start_deployment(*, deployment: Deployment, by: Actor) -> Deployment:
    """Let it run (again). The gate is asked again, since an approval may be wanted now that wasn't then."""
    require(by, Permission.DEPLOYMENT_MANAGE, deployment)
    require_stage_permission(by, deployment.stage, deployment)
    current = current_revision(deployment)
    capacity.require_room(current, replicas=deployment.replicas, leaving_out=deployment)
    with _refusals_recorded(current.version, deployment.stage, name=str(deployment), by=by), transaction.atomic():
        locked = lock(deployment)
        _ask_gate(locked, current_revision(locked).version)
        if locked.wants_to_run and not locked.retry_at:
            return locked
        set_desired(locked, Deployment.Desired.RUNNING, by=by)
        reconcile_after_commit()
    return locked


@transaction.atomic
def stop_deployment(*, deployment: Deployment, by: Actor) -> Deployment:
    """Its processes end; nothing answers from this moment on. Stopping what is stopped changes nothing."""
    require(by, Permission.DEPLOYMENT_MANAGE, deployment)
    locked = lock(deployment)
    if locked.wants_to_run:
        set_desired(locked, Deployment.Desired.STOPPED, by=by)
        reconcile_after_commit()
    return locked


@transaction.atomic
def delete_deployment(*, deployment: Deployment, by: Actor) -> None:
    """Its processes end and its name is free again. The ledger keeps what it was."""
    require(by, Permission.DEPLOYMENT_MANAGE, deployment)
    locked = lock(deployment)
    record(
        Action.DEPLOYMENT_DELETED,
        by=by,
        team=locked.team.name,
        target=target_of(locked),
        also=also_about(locked),
        before=described(locked),
    )
    locked.delete()
    reconcile_after_commit()


def check_replicas(replicas: int) -> None:
    if not 1 <= replicas <= MAX_REPLICAS:
        raise Invalid(
            "replicas", f"Use a whole number between 1 and {MAX_REPLICAS}; to have none, stop the deployment."
        )


def check_configuration(*, engine: str, options: Options, num_gpus: float) -> dict[str, Any]:
    """The engine's options, checked as far as that can be done here; raises Invalid."""
    if engine not in set(Revision.Engine):
        raise Invalid("engine", f"Choose one of {', '.join(Revision.Engine)}.")
    if num_gpus < 0 or (num_gpus > 1 and num_gpus != int(num_gpus)):
        raise Invalid("num_gpus", "Use a whole number, or a share between 0 and 1 of one GPU.")
    cpus = options.get("num_cpus")
    if cpus is not None and (isinstance(cpus, bool) or not isinstance(cpus, int | float) or not 0 < cpus <= 256):
        raise Invalid("engine_options", "num_cpus is the CPU share of one replica: a number above 0, such as 0.5.")
    read = parse_options if engine == Revision.Engine.TRANSFORMERS else parse_vllm_options
    try:
        read({name: value for name, value in options.items() if name != "num_cpus"})
    except EngineError as error:
        raise Invalid("engine_options", f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
    return dict(options)


def lock(deployment: Deployment) -> Deployment:
    """The row, locked until the end of the transaction and read again."""
    found = Deployment.objects.select_for_update(of=("self",)).with_revision().filter(pk=deployment.pk).first()
    if found is None:
        raise NotFound(f"The deployment {deployment} has been deleted.")
    return found


def add_revision(deployment: Deployment, wanted: Revision, *, by: Actor) -> Revision:
    """Append `wanted` (unsaved) as the deployment's newest revision; for people's deployments the gate is asked."""
    approval = _ask_gate(deployment, wanted.version) if deployment.purpose == Deployment.Purpose.SERVING else None
    last = deployment.revisions.order_by("-number").values_list("number", flat=True).first() or 0
    wanted.deployment, wanted.number, wanted.digest = deployment, last + 1, wanted.version.digest
    wanted.approval_id, wanted.created_by = approval, by.user
    wanted.save()
    deployment.revision, deployment.failures, deployment.retry_at = wanted, 0, None
    deployment.save(update_fields=["revision", "failures", "retry_at"])
    return wanted


def set_desired(deployment: Deployment, desired: Deployment.Desired, *, by: Actor, reason: str = "") -> None:
    """Write the wish and what follows at once: a stopped deployment has no endpoint from the commit on."""
    before = {"desired": deployment.desired, "state": deployment.state}
    running = desired == Deployment.Desired.RUNNING
    deployment.desired = desired
    deployment.failures, deployment.retry_at = 0, None
    deployment.message = deployment.detail = ""
    if running:
        # An older revision may be answering while its successor waits to be tried again.
        deployment.state = Deployment.State.UPDATING if deployment.endpoint else Deployment.State.QUEUED
    else:
        deployment.state, deployment.endpoint = Deployment.State.STOPPING, ""
    deployment.state_changed_at = timezone.now()
    _save(
        deployment, by,
        "desired", "failures", "retry_at", "message", "detail", "state", "endpoint", "state_changed_at",
    )  # fmt: skip
    record(
        Action.DEPLOYMENT_STARTED if running else Action.DEPLOYMENT_STOPPED,
        by=by,
        team=deployment.team.name,
        target=target_of(deployment),
        also=also_about(deployment),
        before=before,
        after={"desired": deployment.desired, "state": deployment.state},
        reason=reason,
    )


def _save(deployment: Deployment, by: Actor, *fields: str) -> None:
    deployment.generation += 1
    deployment.updated_at = timezone.now()
    if by.user:
        deployment.updated_by = by.user
    deployment.save(update_fields=[*fields, "generation", "updated_at", "updated_by"])


def current_revision(deployment: Deployment) -> Revision:
    if deployment.revision is None:
        raise Conflict(f"{deployment} has no revision. Delete it and create it again.")
    return deployment.revision


def check_version(team: Team, version: Version, by: Actor) -> None:
    asset = version.asset
    require(by, Permission.ASSET_VIEW, asset)
    if asset.team_id != team.pk:
        raise Invalid("model", f"{asset} belongs to another team; a deployment is made in the team of its model.")
    if asset.kind != Asset.Kind.MODEL:
        raise Invalid("model", f"{asset} is a dataset; only models can be deployed.")
    if not asset.task:
        raise Invalid("model", f"{asset} doesn't say what it is for. Set its task, then deploy it.")
    if not version.is_registered:
        raise Invalid("version", f"{version} is a draft. Register it first: only registered versions are immutable.")
    check_servable(version)


def check_servable(version: Version) -> None:
    """Raise where registration found that the engines can't load these files: a version may hold anything."""
    if version.facts.get("servable") is False:
        raise Invalid(
            "version",
            f"{version} can't be served. {version.facts.get('not_servable', '')}".strip(),
            code="not_servable",
        )
    damage.refuse(version)


def _ask_gate(deployment: Deployment, version: Version) -> int | None:
    approval = gate.require_stage(
        team=version.asset.team,
        kind=version.asset.kind,
        asset_id=version.asset_id,
        asset_label=str(version.asset),
        version_number=version.number,
        digest=version.digest,
        stage=deployment.stage,
    )
    return approval.pk if approval else None


@contextmanager
def _refusals_recorded(version: Version, stage: str, *, name: str, by: Actor) -> Iterator[None]:
    """A refusal by the gate is a fact of its own: it goes to the ledger after the refused transaction has rolled back."""
    try:
        yield
    except ApprovalRequired as refusal:
        asset = version.asset
        record(
            Action.DEPLOYMENT_REFUSED,
            by=by,
            team=asset.team.name,
            target=Target("version", version.pk, str(version), version.digest),
            also=about(version),
            after={"deployment": name, "stage": stage},
            reason=refusal.detail,
        )
        raise
