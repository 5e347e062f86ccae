"""Branches: made at a version, committed to (registry.actions.commits), deleted. Their versions stay."""

from django.db import IntegrityError, transaction

from accounts.access import Actor, require
from accounts.actions import check_name
from accounts.errors import Conflict, Invalid
from accounts.roles import Permission
from governance.ledger.actions import Action, Target, record
from governance.stages import Stage
from registry import revisions
from registry.actions.common import asset_target, lock_asset, person, touch, version_target
from registry.models import Alias, Asset, Branch, Version


@transaction.atomic
def create_branch(*, asset: Asset, name: str, start: Version | None, by: Actor) -> Branch:
    """A branch that begins at a registered version, or at nothing. A name that is taken, by an alias too, is a Conflict."""
    require(by, Permission.ASSET_EDIT, asset)
    check_branch(name)
    asset = lock_asset(asset)
    if start is not None and not revisions.commits(asset).filter(pk=start.pk).exists():
        raise Invalid("start", f"This is not a registered version of {asset}.")
    if Alias.objects.filter(asset=asset, name=name).exists():
        raise Conflict(f"'{name}' is an alias of {asset} already. Use another name.", code="name_taken")
    try:
        with transaction.atomic():
            branch = Branch.objects.create(
                asset=asset, name=name, start=start, above=asset.last_number, created_by=person(by)
            )
    except IntegrityError:
        raise Conflict(f"{asset} has a branch '{name}' already.", code="name_taken") from None
    _note(Action.BRANCH_CREATED, branch, asset, start, by)
    return branch


@transaction.atomic
def delete_branch(*, asset: Asset, name: str, by: Actor) -> None:
    """Take a branch away. What was committed to it stays, by number, commit and alias."""
    require(by, Permission.ASSET_EDIT, asset)
    if name == revisions.MAIN:
        raise Conflict("'main' is always there: it can't be deleted.")
    asset = lock_asset(asset)
    branch = revisions.find_branch(asset, name)
    _note(Action.BRANCH_DELETED, branch, asset, revisions.head_of(asset, name), by)
    branch.delete()


def check_branch(name: str) -> None:
    """Raise Invalid for what can't be a branch's name."""
    check_name(name, "branch")
    if name in (revisions.MAIN, "head", "refs"):
        raise Invalid("branch", f"'{name}' is reserved. Use another name.")
    if name in set(Stage):
        # Whoever asks for the stage by its name would get what was committed last, and the alias had no room any more.
        raise Invalid(
            "branch", f"'{name}' is the name of a stage: an alias that moves by its own rules. Use another name."
        )
    if name.removeprefix("v").isdecimal():
        raise Invalid("branch", "This would look like a version's number. Use another name.")
    if revisions.is_commit(name):
        raise Invalid("branch", "This would look like a commit. Use another name.")


def _note(action: Action, branch: Branch, asset: Asset, at: Version | None, by: Actor) -> None:
    touch(asset, by)
    also = [asset_target(asset)]
    if at is not None:
        at.asset = asset
        also.append(version_target(at))
    state = {"name": branch.name, "version": at.number if at else None}
    record(
        action,
        by=by,
        team=asset.team.name,
        target=Target("branch", branch.pk, f"{asset} branch {branch.name}", at.digest if at else ""),
        also=also,
        before=None if action == Action.BRANCH_CREATED else state,
        after=state if action == Action.BRANCH_CREATED else None,
    )
