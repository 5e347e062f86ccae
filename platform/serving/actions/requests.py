"""Asking for deployments and their changes where a policy guards them, and carrying out what was approved."""

from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.access import Actor, Planned, require, require_stage_permission
from accounts.actions import check_name
from accounts.errors import Conflict, Invalid
from accounts.models import Team
from accounts.roles import Permission
from governance.actions import open_change
from governance.models import ApprovalRequest
from governance.stages import Stage
from registry.actions.aliases import authors_of
from registry.models import Version
from serving.actions.deployments import (
    Options,
    check_configuration,
    check_version,
    configuration,
    create_deployment,
    current_revision,
    lock,
    update_deployment,
)
from serving.models import Deployment, Revision


@transaction.atomic
def request_create(
    *,
    team: Team,
    name: str,
    version: Version,
    stage: str,
    engine: str = Revision.Engine.TRANSFORMERS,
    engine_options: Options | None = None,
    num_gpus: float = 0,
    reason: str = "",
    by: Actor,
    apply_at: datetime | None = None,
) -> ApprovalRequest:
    """Ask for a new deployment that would run these bytes in this stage."""
    planned = Planned(team.pk, "deployment", name, stage)
    require(by, Permission.DEPLOYMENT_MANAGE, planned)
    require_stage_permission(by, stage, planned)
    check_name(name)
    if stage not in set(Stage):
        raise Invalid("stage", f"Choose one of {', '.join(Stage)}.")
    check_version(team, version, by)
    if Deployment.objects.filter(team=team, name=name).exists():
        raise Conflict(f"There is a deployment {team.name}/{name} already.", errors={"name": ["This name is taken."]})
    options = check_configuration(engine=engine, options=engine_options or {}, num_gpus=num_gpus)
    wanted = Revision(version=version, engine=engine, engine_options=options, num_gpus=num_gpus)
    return open_change(
        team=team, kind="deployment", label=f"{team.name}/{name}", asset_id=0, slot="deployment", stage=stage,
        change=configuration("create", wanted), previous={}, author_ids=authors_of(version), reason=reason, by=by,
        apply_at=apply_at,
    )  # fmt: skip


@transaction.atomic
def request_update(
    *,
    deployment: Deployment,
    version: Version | None = None,
    engine: str | None = None,
    engine_options: Options | None = None,
    num_gpus: float | None = None,
    reason: str = "",
    by: Actor,
    apply_at: datetime | None = None,
) -> ApprovalRequest:
    """Ask for another version or configuration of a deployment. What is left out stays."""
    require(by, Permission.DEPLOYMENT_MANAGE, deployment)
    require_stage_permission(by, deployment.stage, deployment)
    locked = lock(deployment)
    now = current_revision(locked)
    if version is not None:
        check_version(locked.team, version, by)
    wanted = Revision(
        version=version or now.version,
        engine=engine or now.engine,
        engine_options=now.engine_options if engine_options is None else dict(engine_options),
        num_gpus=now.num_gpus if num_gpus is None else num_gpus,
    )
    wanted.engine_options = check_configuration(
        engine=wanted.engine, options=wanted.engine_options, num_gpus=wanted.num_gpus
    )
    return open_change(
        team=locked.team, kind="deployment", label=str(locked), asset_id=locked.pk, slot="deployment",
        stage=locked.stage, change=configuration("update", wanted), previous=configuration("update", now),
        author_ids=authors_of(wanted.version), reason=reason, by=by, apply_at=apply_at,
    )  # fmt: skip


def apply_request(*, request: ApprovalRequest, by: Actor) -> Deployment:
    """Carry out an approved request, with the rights of `by`, who asked for it. The gate holds it against what is there now."""
    change: dict[str, Any] = dict(request.change)
    team, _, model = str(change["model"]).partition("/")
    version = (
        Version.objects.select_related("asset__team")
        .filter(asset__team__name=team, asset__name=model, asset__kind="model", number=change["version"])
        .filter(digest=change["digest"], deleted_at=None, asset__deleted_at=None)
        .first()
    )
    if version is None:
        raise Conflict("The version that was approved is not there any more with the same bytes.")
    how = {
        "engine": change["engine"],
        "engine_options": change["engine_options"],
        "num_gpus": change["num_gpus"],
    }
    if change["action"] == "create":
        name = request.asset_label.partition("/")[2]
        return create_deployment(
            team=request.team, name=name, version=version, stage=request.stage, by=by, request=request, **how
        )
    deployment = Deployment.objects.filter(pk=request.asset_id, team_id=request.team_id).first()
    if deployment is None:
        raise Conflict(f"The deployment {request.asset_label} has been deleted.")
    return update_deployment(deployment=deployment, version=version, by=by, request=request, **how)
