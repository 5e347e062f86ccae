"""Asking for a checkpoint's weights as safetensors, and what comes of it. The work itself: registry.conversion."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.access import SYSTEM, Actor, require
from accounts.errors import Conflict, Invalid
from accounts.roles import Permission
from governance.ledger.actions import Action, record
from registry import wake
from registry.actions.common import asset_target, lock_version, person, refuse_gone, version_target
from registry.converters.plan import checkpoints, convertible
from registry.models import Asset, Conversion, Version

State = Conversion.State


@transaction.atomic
def start_conversion(*, version: Version, by: Actor) -> Conversion:
    """Have a new version made with safetensors in the place of this one's checkpoints. One at a time of each version."""
    require(by, Permission.ASSET_EDIT, version.asset)
    version = lock_version(version)
    refuse_gone(version)
    if version.asset.kind != Asset.Kind.MODEL:
        raise Invalid("version", "Only models have weights that could be converted.")
    if not version.is_registered:
        raise Conflict("This version is a draft: register it first.")
    sizes = dict(version.files.values_list("path", "blob__size"))
    if not convertible(sizes):
        raise Conflict(
            "There is nothing to convert: no .bin, .pt, .pth or .ckpt among the files whose weights are not there as safetensors.",
            code="nothing_to_convert",
        )
    try:
        with transaction.atomic():
            made = Conversion.objects.create(
                source=version,
                requested_by=person(by),
                total_bytes=sum(sizes[path] for path in checkpoints(sizes)),
                detail="Waits for a worker.",
            )
    except IntegrityError:
        raise Conflict("This version is being converted already.", code="conversion_runs") from None
    record(
        Action.CONVERSION_STARTED,
        by=by,
        team=version.asset.team.name,
        target=version_target(version),
        also=[asset_target(version.asset)],
        after={"conversion": made.pk, "files": checkpoints(sizes)},
    )
    wake.after_commit("registry.tasks.convert", made.pk)
    return made


@transaction.atomic
def finish_conversion(
    *, conversion: Conversion, result: Version | None, detail: str, sandbox: dict[str, Any], by: Actor = SYSTEM
) -> None:
    """Note how it ended: with a version, or with the reason why there is none. Twice is once."""
    version = lock_version(conversion.source)
    found = Conversion.objects.select_for_update(of=("self",)).filter(pk=conversion.pk).first()
    if found is None or found.state in (State.DONE, State.FAILED):
        return
    found.state = State.DONE if result else State.FAILED
    found.result, found.detail, found.sandbox, found.ended_at = result, detail, sandbox, timezone.now()
    found.save(update_fields=["state", "result", "detail", "sandbox", "ended_at"])
    record(
        Action.CONVERSION_FINISHED,
        by=by,
        team=version.asset.team.name,
        target=version_target(version),
        also=[asset_target(version.asset), *([version_target(result)] if result else [])],
        after={
            "conversion": found.pk,
            "state": found.state.value if isinstance(found.state, State) else str(found.state),
            "detail": detail,
            "version": result.number if result else None,
        },
    )
