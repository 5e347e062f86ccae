"""Making and describing models and datasets."""

from django.db import IntegrityError, transaction

from accounts.access import Actor, Planned, require
from accounts.actions import check_asset_name
from accounts.errors import Conflict, Invalid
from accounts.models import Team
from accounts.roles import Permission
from governance import policies
from governance.ledger.actions import Action, record
from governance.stages import Stage
from registry import references, search
from registry.actions.common import asset_target, lock_asset, person, touch
from registry.actions.evidence import deposit_name
from registry.models import Asset

MAX_DESCRIPTION = 20_000


@transaction.atomic
def create_asset(
    *,
    team: Team,
    kind: str,
    name: str,
    description: str = "",
    task: str = "",
    restricted: bool = False,
    gated: bool = False,
    visibility: str = Asset.Visibility.TEAM,
    by: Actor,
) -> Asset:
    """A new model (with what it is for, `task`) or dataset, without versions yet. `restricted`: downloads are events. `gated`: files
    need file.download; `visibility` 'site': then everybody who signs in sees the card and may ask for them."""
    require(by, Permission.ASSET_CREATE, Planned(team.pk, kind, name))
    check_asset_name(name)
    if kind not in Asset.Kind.values:
        raise Invalid("kind", f"Use one of {', '.join(Asset.Kind.values)}.")
    _check_texts(kind, description, task)
    _check_visibility(visibility, gated)
    if visibility == Asset.Visibility.SITE:
        require(by, Permission.POLICY_EDIT, Planned(team.pk, kind, name))
    try:
        with transaction.atomic():
            asset = Asset.objects.create(
                team=team,
                kind=kind,
                name=name,
                description=description.strip(),
                task=task,
                restricted=restricted,
                gated=gated,
                visibility=visibility,
                created_by=person(by),
                updated_by=person(by),
            )
    except IntegrityError:
        raise Conflict(
            f"There is a {kind} '{team.name}/{name}' already. Use another name, or add a version to that one.",
            errors={"name": ["This name is taken."]},
            link=f"/{kind}s/{team.name}/{name}",
            code="name_taken",
        ) from None
    search.refresh(asset)
    record(
        Action.ASSET_CREATED,
        by=by,
        team=team.name,
        target=asset_target(asset),
        after={
            "kind": kind,
            "description": asset.description,
            "task": task,
            "restricted": restricted,
            "gated": gated,
            "visibility": visibility,
        },
    )
    return asset


@transaction.atomic
def update_asset(
    *,
    asset: Asset,
    description: str | None = None,
    task: str | None = None,
    restricted: bool | None = None,
    gated: bool | None = None,
    visibility: str | None = None,
    by: Actor,
) -> Asset:
    """Change the description, the task, the restriction or the gate; what is left out (None) stays. Nothing is recorded when
    nothing changes. Whoever edits may restrict and gate; lifting either, and showing a gated one to the whole site, is for
    whoever edits policies, or the marks would bind nobody."""
    require(by, Permission.ASSET_EDIT, asset)
    asset = lock_asset(asset)
    gate = asset.gated if gated is None else gated
    seen = visibility or (asset.visibility if gate else Asset.Visibility.TEAM)
    lifts = (asset.restricted and restricted is False) or (asset.gated and not gate)
    if lifts or (seen == Asset.Visibility.SITE and asset.visibility != seen):
        require(by, Permission.POLICY_EDIT, asset)
    _check_visibility(seen, gate)
    told = asset.description if description is None else description.strip()
    does = asset.task if task is None else task
    _check_texts(asset.kind, told, does)
    wanted: dict[str, str | bool] = {
        "description": told,
        "task": does,
        "restricted": asset.restricted if restricted is None else restricted,
        "gated": gate,
        "visibility": seen,
    }
    changed = {field: value for field, value in wanted.items() if value != getattr(asset, field)}
    if not changed:
        return asset
    before = {field: getattr(asset, field) for field in changed}
    for field, value in changed.items():
        setattr(asset, field, value)
    asset.save(update_fields=list(changed))
    touch(asset, by)
    search.refresh(asset)
    record(Action.ASSET_UPDATED, by=by, team=asset.team.name, target=asset_target(asset), before=before, after=changed)
    return asset


@transaction.atomic
def rename_asset(*, asset: Asset, name: str, by: Actor) -> Asset:
    """Give an asset another name in its team. Aliases, history and deployments go along; the old address answers nothing.

    Needs the right to make an asset of the new name, and to edit policies where another policy would hold for it. Not while a
    request about it waits: reviewers decide about the name that they see.
    """
    require(by, Permission.ASSET_EDIT, asset)
    asset = lock_asset(asset)
    if name == asset.name:
        return asset
    require_name(asset, name, by)
    old, new = str(asset), f"{asset.team.name}/{name}"
    if waiting := references.requests_about(asset):
        raise Conflict(
            f"About {old}, {waiting[0].label} waits for a decision. Have it decided or withdraw it, then rename.",
            link=waiting[0].href,
            code="in_use",
        )
    before, asset.name = asset.name, name
    try:
        with transaction.atomic():
            asset.save(update_fields=["name"])
    except IntegrityError:
        raise Conflict(
            f"There is a {asset.kind} '{new}' already.",
            errors={"name": ["This name is taken."]},
            link=f"/{asset.section}/{new}",
            code="name_taken",
        ) from None
    touch(asset, by)
    search.refresh(asset)
    record(
        Action.ASSET_RENAMED,
        by=by,
        team=asset.team.name,
        target=asset_target(asset),
        before={"name": before},
        after={"name": name},
    )
    deposit_name(asset, by=by)
    return asset


def require_name(asset: Asset, name: str, by: Actor) -> None:
    """May the asset take this name? What stands under a name was let there by the policies of that name: where others hold for
    the new one, it takes the right to edit them."""
    require(by, Permission.ASSET_CREATE, Planned(asset.team_id, asset.kind, name))
    check_asset_name(name)
    new = f"{asset.team.name}/{name}"
    if any(
        policies.policy_for(asset.team, asset.kind, str(asset), stage)
        != policies.policy_for(asset.team, asset.kind, new, stage)
        for stage in Stage
    ):
        require(by, Permission.POLICY_EDIT, asset)


def _check_visibility(visibility: str, gated: bool) -> None:
    if visibility not in Asset.Visibility.values:
        raise Invalid("visibility", f"Use one of {', '.join(Asset.Visibility.values)}.")
    if visibility == Asset.Visibility.SITE and not gated:
        raise Invalid(
            "visibility", "Only a gated one is shown to the whole site: gate it too, or leave this to the team."
        )


def _check_texts(kind: str, description: str, task: str) -> None:
    if len(description) > MAX_DESCRIPTION:
        raise Invalid(
            "description", f"At most {MAX_DESCRIPTION} characters; longer texts belong in the card (README.md)."
        )
    if "\0" in description:
        raise Invalid("description", "The text has a NUL character in it.")
    if kind == Asset.Kind.MODEL and task and task not in Asset.Task.values:
        raise Invalid("task", f"Use one of {', '.join(Asset.Task.values)}.")
    if kind == Asset.Kind.DATASET and task:
        raise Invalid("task", "Only models have a task. Leave it out.")
