"""How deployments are named in the ledger."""

from typing import Any

from governance.ledger.actions import Target
from registry.models import Version
from serving.models import Deployment


def target_of(deployment: Deployment) -> Target:
    digest = deployment.revision.digest if deployment.revision else ""
    return Target("deployment", deployment.pk, str(deployment), digest)


def about(version: Version) -> list[Target]:
    """The version and its model: what happens to a deployment belongs to their lives too."""
    return [
        Target("version", version.pk, str(version), version.digest),
        Target(version.asset.kind, version.asset_id, str(version.asset)),
    ]


def also_about(deployment: Deployment) -> list[Target]:
    return about(deployment.revision.version) if deployment.revision else []


def described(deployment: Deployment) -> dict[str, Any]:
    """What somebody asked for, as the ledger keeps it."""
    config = deployment.revision.described() if deployment.revision else {}
    return {"stage": deployment.stage, "desired": deployment.desired, "replicas": deployment.replicas, **config}
