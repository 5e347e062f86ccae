"""Finding deployments as an actor sees them: what may not be seen is not found."""

from dataclasses import dataclass

from accounts.access import Actor
from accounts.errors import ApprovalRequired, Invalid, NotFound
from governance import gate
from governance.ledger.actions import Target
from governance.ledger.models import AuditEvent
from governance.ledger.reads import events_about
from registry import reads as registry
from registry.models import Asset, Version
from serving.models import Deployment, DeploymentQuerySet


def visible_deployments(by: Actor) -> DeploymentQuerySet:
    """Those that people made; the platform's own evaluation targets are left out."""
    return Deployment.objects.visible_to(by).for_people().with_revision()


def search_deployments(
    rows: DeploymentQuerySet, *, search: str = "", state: str = "", stage: str = "", team: str = ""
) -> DeploymentQuerySet:
    """Narrow a list: words in the deployment's or its model's name, the state, the stage, the team."""
    for word in search.split()[:5]:
        rows = rows.filter(name__icontains=word) | rows.filter(revision__version__asset__name__icontains=word)
    if state:
        rows = rows.filter(state=state)
    if stage:
        rows = rows.filter(stage=stage)
    if team:
        rows = rows.filter(team__name=team)
    return rows


def deployments_of(by: Actor, asset: Asset) -> DeploymentQuerySet:
    """Those that shall run, or still run, a version of this model."""
    rows = visible_deployments(by)
    return rows.filter(revision__version__asset=asset) | rows.filter(active__version__asset=asset)


def get_deployment(by: Actor, team: str, name: str) -> Deployment:
    found = visible_deployments(by).filter(team__name=team, name=name).first()
    if found is None:
        raise NotFound(f"There is no deployment '{team}/{name}' that you can see.")
    return found


def resolve_version(by: Actor, asset: Asset, *, version: int | None, alias: str) -> Version:
    """The version that a caller names by number or by alias: exactly one of the two."""
    if (version is None) == (not alias):
        raise Invalid("version", "Give either a version's number or an alias.")
    if version is not None:
        return registry.get_version(by, asset, version)
    return registry.resolve_alias(by, asset, alias)


def life_of(deployment: Deployment) -> list[AuditEvent]:
    """The newest events about it. Callers have checked that they may be seen."""
    return list(events_about(Target("deployment", deployment.pk, str(deployment)))[:50])


@dataclass(frozen=True)
class Choice:
    """A version that could be deployed, and what the gate says about it in one stage."""

    version: Version
    allowed: bool
    reason: str
    link: str


def choices(asset: Asset, stage: str, *, asked: int | None = None, limit: int = 10) -> list[Choice]:
    """The newest registered versions, and the one asked for, with the gate's word on each: nobody learns it by pressing."""
    registered = asset.versions.registered().order_by("-number")
    versions = list(registered[:limit])
    if asked is not None and asked not in [version.number for version in versions]:
        versions += list(registered.filter(number=asked))
    for version in versions:
        version.asset = asset
    return [verdict_on(version, stage) for version in versions]


def verdict_on(version: Version, stage: str) -> Choice:
    if version.facts.get("servable") is False:
        return Choice(version, False, f"It can't be served. {version.facts.get('not_servable', '')}".strip(), "")
    try:
        approval = gate.require_stage(
            team=version.asset.team,
            kind=version.asset.kind,
            asset_id=version.asset_id,
            asset_label=str(version.asset),
            version_number=version.number,
            digest=version.digest,
            stage=stage,
        )
    except ApprovalRequired as refusal:
        return Choice(version, False, refusal.detail, refusal.link)
    if approval is None:
        return Choice(version, True, f"{stage.capitalize()} needs no approval.", "")
    return Choice(version, True, f"Approved for {stage}, request {approval.pk}.", f"/requests/{approval.pk}")
