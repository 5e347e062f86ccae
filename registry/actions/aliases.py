"""Moving aliases. A protected one moves only where governance allows it, whichever door asks."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.access import Actor, require, require_stage_permission
from accounts.actions import check_name
from accounts.errors import ApprovalRequired, Conflict, Invalid, NotFound
from accounts.roles import Permission
from governance import actions as governance
from governance import gate
from governance.ledger.actions import Action, Target, record
from governance.models import ApprovalRequest
from governance.moves import Move, Pointer
from governance.pointers import Name, deposit_pointer
from governance.reads import open_request_for
from governance.stages import stage_of
from registry import damage
from registry.actions.common import asset_target, lock_asset, person, touch, version_target
from registry.models import Alias, AliasMove, Asset, Branch, File, Link, Version

RESERVED = frozenset({"latest", "main"})
MAX_REASON = 2_000
_SAME_WORK = (Link.Relation.COPY_OF, Link.Relation.CONVERTED_FROM)


@transaction.atomic
def move_alias(*, asset: Asset, name: str, version: Version, reason: str = "", by: Actor) -> Alias:
    """Let an alias point at a registered version. Raises ApprovalRequired for a protected one. Twice is once."""
    require(by, Permission.ALIAS_MOVE, asset, stage=stage_of(name))
    check_alias(name)
    return _move(asset=asset, name=name, version=version, reason=_checked(reason), request=None, by=by)


def move_or_ask(*, asset: Asset, name: str, version: Version, reason: str = "", by: Actor) -> Alias | ApprovalRequest:
    """Move the alias; where only an approval moves it, the request for it: the open one for these bytes, or a new one."""
    try:
        return move_alias(asset=asset, name=name, version=version, reason=reason, by=by)
    except ApprovalRequired:
        with transaction.atomic():
            lock_asset(asset)  # of those who ask at once, one opens the request and the others are led to it
            there = open_request_for(asset.kind, asset.pk, name, version.digest)
            return there or request_move(version=version, slot=name, reason=reason, by=by)


@transaction.atomic
def apply_request(*, request: ApprovalRequest, by: Actor) -> Alias:
    """Carry out an approved request, in the transaction of the review that decided it. What `by` may do was checked there;
    whether the approval covers exactly these bytes is checked by the gate."""
    version = _approved(request, request.version_id, request.digest)
    return _move(asset=version.asset, name=request.slot, version=version, reason=request.reason, request=request, by=by)


@transaction.atomic
def apply_removal(*, request: ApprovalRequest, by: Actor) -> None:
    """Carry out the approved request to empty a protected alias. Twice is once."""
    asset = Asset.objects.select_related("team").filter(pk=request.asset_id, kind=request.kind).first()
    if asset is None:
        raise Conflict("The asset is not there any more.")
    asset = lock_asset(asset)
    alias = Alias.objects.select_related("version").filter(asset=asset, name=request.slot).first()
    gate.require_change(
        team=asset.team, kind=asset.kind, label=str(asset), stage=stage_of(request.slot), change=gate.REMOVAL,
        request=request, previous=described(alias),
    )  # fmt: skip
    if alias is not None:
        _empty(asset, alias, request.reason, request, by)


@transaction.atomic
def roll_back(*, request: ApprovalRequest, by: Actor) -> str:
    """Put the alias back to where it was before the glass was broken, if nothing has moved it since.
    Returns what was done, in words."""
    asset = lock_asset(_approved(request, request.version_id, request.digest).asset)
    alias = Alias.objects.select_related("version").filter(asset=asset, name=request.slot).first()
    last = AliasMove.objects.filter(asset=asset, name=request.slot).order_by("-id").first()
    if alias is None or last is None or last.request_id != request.pk:
        return f"'{request.slot}' had moved on already and stays."
    reason = f"Request {request.pk} was rolled back."
    if request.previous_version_id is None:
        _empty(asset, alias, reason, request, by)
        return f"'{request.slot}' is empty, as it was before."
    version = _approved(request, request.previous_version_id, request.previous_digest)
    gate.require_rollback(describe_move(asset, request.slot, version, alias), request=request)
    _point(asset, alias, request.slot, version, reason, request, by)
    return f"'{request.slot}' points at version {version.number} again."


def _approved(request: ApprovalRequest, version_id: int | None, digest: str) -> Version:
    version = (
        Version.objects.select_related("asset__team")
        .filter(
            pk=version_id or 0,
            asset_id=request.asset_id,
            asset__kind=request.kind,
            digest=digest,
            deleted_at=None,
            asset__deleted_at=None,
        )
        .first()
    )
    if version is None:
        raise Conflict("The version that was approved is not there any more with the same bytes.")
    return version


def _move(
    *, asset: Asset, name: str, version: Version, reason: str, request: ApprovalRequest | None, by: Actor
) -> Alias:
    asset = lock_asset(asset)
    version = _registered(asset, version)
    if Branch.objects.filter(asset=asset, name=name).exists():
        raise Conflict(f"'{name}' is a branch of {asset}. Use another name.", code="name_taken")
    alias = Alias.objects.select_related("version").filter(asset=asset, name=name).first()
    if alias and alias.version_id == version.pk and request is None:
        return alias
    _refuse_archived(asset, version)
    damage.refuse(version)
    move = describe_move(asset, name, version, alias)
    gate.require_move(move, request=request)
    _require_bytes(asset, name, version)
    return _point(asset, alias, name, version, reason, request, by)


def _point(
    asset: Asset,
    alias: Alias | None,
    name: str,
    version: Version,
    reason: str,
    request: ApprovalRequest | None,
    by: Actor,
) -> Alias:
    """Write the alias; the gate has been asked."""
    before = alias.version if alias else None
    if alias is None:
        alias = Alias(asset=asset, name=name)
    alias.version, alias.updated_at, alias.updated_by = version, timezone.now(), person(by)
    alias.save()
    _note(alias, before, version, reason, request, by)
    return alias


def _note(
    alias: Alias, before: Version | None, after: Version | None, reason: str, request: ApprovalRequest | None, by: Actor
) -> None:
    """The move's history row, the asset's last change and the ledger event."""
    asset = alias.asset
    AliasMove.objects.create(
        asset=asset,
        name=alias.name,
        before=before,
        after=after,
        request_id=request.pk if request else None,
        reason=reason,
        moved_by=person(by),
    )
    touch(asset, by)
    also = [asset_target(asset)]
    for version in (before, after):
        if version is not None:
            version.asset = asset
            also.append(version_target(version))
    if request is not None:
        also.append(Target("request", request.pk, str(request), request.digest))
    if asset.kind == Asset.Kind.DATASET:
        # Tests may take their rows by this name.
        name = Name(asset.kind, asset.pk, str(asset), alias.name, asset.team_id)
        deposit_pointer(
            name, team=asset.team, version=after.number if after else None, digest=after.digest if after else "", by=by, also=also
        )  # fmt: skip
    record(
        Action.ALIAS_MOVED if after else Action.ALIAS_REMOVED,
        by=by,
        team=asset.team.name,
        target=Target("alias", alias.pk, f"{asset}@{alias.name}", after.digest if after else ""),
        also=also,
        before={"version": before.number, "digest": before.digest} if before else None,
        after={"version": after.number, "digest": after.digest} if after else None,
        reason=reason,
    )


@transaction.atomic
def remove_alias(*, asset: Asset, name: str, reason: str = "", by: Actor) -> None:
    """Take an alias away; its history stays. A protected one can only be moved on, by an approval."""
    require(by, Permission.ALIAS_MOVE, asset, stage=stage_of(name))
    reason = _checked(reason)
    asset = lock_asset(asset)
    alias = Alias.objects.select_related("version").filter(asset=asset, name=name).first()
    if alias is None:
        raise NotFound(f"{asset} has no alias '{name}'.")
    if gate.is_protected(asset.team, asset.kind, str(asset), name):
        raise ApprovalRequired(
            f"'{name}' of {asset} is protected, so it can't be removed just so. Ask for another version to take its place, "
            "or for its removal.",
            link=f"/requests/new?kind={asset.kind}&asset={asset}&alias={name}",
        )
    _empty(asset, alias, reason, None, by)


def _empty(asset: Asset, alias: Alias, reason: str, request: ApprovalRequest | None, by: Actor) -> None:
    alias.asset = asset
    _note(alias, alias.version, None, reason, request, by)
    alias.delete()


@transaction.atomic
def request_move(
    *,
    version: Version,
    slot: str,
    reason: str = "",
    by: Actor,
    apply_at: datetime | None = None,
    apply_after_evaluation: int | None = None,
) -> ApprovalRequest:
    """Ask for a protected alias to move to a registered version: at once when approved, at a time, or after an evaluation."""
    move = _asked(version, slot, Permission.REQUEST_CREATE, by)
    return governance.open_request(
        move=move, reason=_checked(reason), by=by, apply_at=apply_at, apply_after_evaluation=apply_after_evaluation
    )


@transaction.atomic
def request_removal(*, asset: Asset, name: str, reason: str = "", by: Actor) -> ApprovalRequest:
    """Ask for a protected alias to be emptied."""
    require(by, Permission.REQUEST_CREATE, asset, stage=stage_of(name))
    require_stage_permission(by, stage_of(name), asset)
    asset = lock_asset(asset)
    alias = Alias.objects.select_related("version").filter(asset=asset, name=name).first()
    if alias is None:
        raise NotFound(f"{asset} has no alias '{name}'.")
    return governance.open_change(
        team=asset.team, kind=asset.kind, label=str(asset), asset_id=asset.pk, slot=name, stage=stage_of(name),
        change=gate.REMOVAL, previous=described(alias), author_ids=[], reason=_checked(reason), by=by,
    )  # fmt: skip


@transaction.atomic
def break_glass(*, version: Version, slot: str, reason: str, by: Actor) -> ApprovalRequest:
    """Move a protected alias at once, without reviews; they come afterwards. For emergencies: see docs/approvals.md."""
    move = _asked(version, slot, Permission.GLASS_BREAK, by)
    request = governance.break_glass(move=move, reason=_checked(reason), by=by, on=version.asset)
    apply_request(request=request, by=by)
    return request


def _asked(version: Version, slot: str, permission: Permission, by: Actor) -> Move:
    """The move that somebody asks for who may do so, the asset locked."""
    require(by, permission, version.asset, stage=stage_of(slot))
    require_stage_permission(by, stage_of(slot), version.asset)
    check_alias(slot)
    asset = lock_asset(version.asset)
    version = _registered(asset, version)
    _refuse_archived(asset, version)
    damage.refuse(version)
    _require_bytes(asset, slot, version)
    alias = Alias.objects.select_related("version").filter(asset=asset, name=slot).first()
    return describe_move(asset, slot, version, alias)


def _require_bytes(asset: Asset, name: str, version: Version) -> None:
    """Nobody can look into what is not here: such a version takes no protected stage, whoever approves."""
    if version.files.exists() or not gate.is_protected(asset.team, asset.kind, str(asset), name):
        return
    where = f"its files lie at {version.source[:200]}" if version.source else "it has no files"
    raise Conflict(
        f"Version {version.number} of {asset} holds no bytes here ({where}), so that nothing in it can be scanned or signed. "
        f"Register a version with the files; that one can become '{name}'.",
        code="no_bytes_here",
    )


def described(alias: Alias | None) -> dict[str, Any]:
    """Where an alias points, as a request for its removal keeps it."""
    return {"version": alias.version.number, "digest": alias.version.digest} if alias else {}


def describe_move(asset: Asset, slot: str, version: Version, alias: Alias | None) -> Move:
    """The move in governance's terms. `alias`: where the slot points now."""
    now = alias.version if alias else None
    return Move(
        team=asset.team,
        kind=asset.kind,
        asset_id=asset.pk,
        asset_label=str(asset),
        version_id=version.pk,
        version_number=version.number,
        digest=version.digest,
        slot=slot,
        author_ids=authors_of(version),
        previous=Pointer(now.pk, now.number, now.digest) if now else None,
    )


def authors_of(version: Version) -> list[int]:
    """Everybody who had a hand in a version: who made it, who put files in, who registered it. None of them reviews it.
    Versions of the same bytes count as one: whoever made them first has not become somebody else by a second upload, or because
    somebody else copied or converted them."""
    made = _made_of(version)
    people = Version.objects.filter(pk__in=made).order_by().values_list("created_by_id", "registered_by_id").distinct()
    ids = {version.created_by_id, *(one for pair in people for one in pair if one)}
    ids.update(File.objects.filter(version__in=made).order_by().values_list("added_by_id", flat=True).distinct())
    return sorted(ids)


def _made_of(version: Version) -> set[int]:
    """The version, those of the same bytes, and those that these are copies or conversions of, however often. A few queries for each
    step from copy to original, however many there are of the same bytes."""
    found, alike = set[int](), set[tuple[int, str]]()
    new = {(version.pk, version.asset_id, version.digest)}
    while new:
        pairs = {(asset, digest) for _, asset, digest in new if digest} - alike
        alike |= pairs
        same = Q(pk__in=[])
        for asset, digest in pairs:
            same |= Q(asset=asset, digest=digest)
        twins = set(Version.objects.filter(same).order_by().values_list("pk", flat=True)) if pairs else set()
        reached = {pk for pk, _, _ in new} | twins
        links = Link.objects.filter(
            version__in=reached - found, relation__in=_SAME_WORK, origin__isnull=False
        ).order_by()
        found |= reached
        new = {
            one for one in links.values_list("origin_id", "origin__asset_id", "origin__digest") if one[0] not in found
        }
    return found


def check_alias(name: str, field: str = "alias") -> None:
    """Raise Invalid for what can't be an alias."""
    check_name(name, field)
    if name in RESERVED:
        raise Invalid(field, f"'{name}' is reserved. Use another name, for example 'candidate'.")
    if name.isdecimal():
        raise Invalid(field, "An alias of digits only would look like a version's number. Add a letter.")


def _registered(asset: Asset, version: Version) -> Version:
    found = Version.objects.live().filter(pk=version.pk, asset=asset).first()
    if found is None:
        raise Invalid("version", f"This is not a version of {asset}.")
    if not found.is_registered:
        raise Invalid(
            "version", f"Version {found.number} is a draft. Register it first; then an alias can point at it."
        )
    found.asset = asset
    return found


def _refuse_archived(asset: Asset, version: Version) -> None:
    """Nothing newly points at what is out of use; what points there already goes on."""
    out = version if version.archived_at is not None else asset if asset.archived_at is not None else None
    if out is not None:
        raise Conflict(f"{out} is archived. Restore it, then an alias can point at it.", code="archived")


def _checked(reason: str) -> str:
    reason = reason.strip()
    if len(reason) > MAX_REASON or "\0" in reason:
        raise Invalid("reason", f"Use at most {MAX_REASON} characters of text.")
    return reason
