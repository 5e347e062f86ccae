"""Moving labels. A protected one moves only where governance allows it, whichever door asks."""

from django.db import transaction
from django.utils import timezone

from accounts.access import Actor, require, require_stage_permission
from accounts.errors import ApprovalRequired, Conflict, Invalid, NotFound
from accounts.roles import Permission
from governance import gate
from governance.actions import open_request
from governance.ledger.actions import Action, Target, record
from governance.models import ApprovalRequest
from governance.moves import Move, Pointer
from governance.stages import stage_of
from prompts.actions.common import lock_prompt, person, prompt_target, touch, version_target
from prompts.checks import check_label, check_note
from prompts.models import Label, LabelMove, Prompt, PromptVersion

KIND = "prompt"


@transaction.atomic
def move_label(*, prompt: Prompt, label: str, version: PromptVersion, reason: str = "", by: Actor) -> Label:
    """Let a label point at a version. Raises ApprovalRequired for a protected one. Twice is once."""
    require(by, Permission.ALIAS_MOVE, prompt, stage=stage_of(label))
    check_label(label)
    return _move(prompt, label, version, check_note("reason", reason), None, by)


@transaction.atomic
def apply_request(*, request: ApprovalRequest, by: Actor) -> Label:
    """Carry out an approved request, in the transaction of the review that decided it. What `by` may do was checked there;
    whether the approval covers exactly these bytes is checked by the gate."""
    version = (
        PromptVersion.objects.select_related("prompt__team")
        .filter(pk=request.version_id, prompt_id=request.asset_id, digest=request.digest)
        .first()
    )
    if version is None or request.kind != KIND:
        raise Conflict("The prompt version that was approved is not there any more with the same text.")
    return _move(version.prompt, request.slot, version, request.reason, request, by)


def _move(
    prompt: Prompt, name: str, version: PromptVersion, reason: str, request: ApprovalRequest | None, by: Actor
) -> Label:
    prompt = lock_prompt(prompt)
    _check_belongs(prompt, version)
    label = Label.objects.select_related("version").filter(prompt=prompt, name=name).first()
    if label and label.version_id == version.pk and request is None:
        return label
    gate.require_move(describe_move(prompt, name, version, label), request=request)
    before = label.version if label else None
    if label is None:
        label = Label(prompt=prompt, name=name)
    label.version, label.updated_at, label.updated_by = version, timezone.now(), person(by)
    label.save()
    _note(prompt, label, before, version, reason, request, by)
    return label


@transaction.atomic
def remove_label(*, prompt: Prompt, label: str, reason: str = "", by: Actor) -> None:
    """Take a label away; its history stays. A protected one can only be moved on, by an approval."""
    require(by, Permission.ALIAS_MOVE, prompt, stage=stage_of(label))
    reason = check_note("reason", reason)
    prompt = lock_prompt(prompt)
    row = Label.objects.select_related("version").filter(prompt=prompt, name=label).first()
    if row is None:
        raise NotFound(f"{prompt} has no label '{label}'.")
    if gate.is_protected(prompt.team, KIND, str(prompt), label):
        raise ApprovalRequired(
            f"'{label}' of {prompt} is protected, so it can't be removed. Ask for another version to take its place.",
            link=f"/requests/new?kind={KIND}&asset={prompt}&alias={label}",
        )
    _note(prompt, row, row.version, None, reason, None, by)
    row.delete()


@transaction.atomic
def request_move(*, version: PromptVersion, slot: str, reason: str = "", by: Actor) -> ApprovalRequest:
    """Ask for a protected label to move to a version."""
    require(by, Permission.REQUEST_CREATE, version.prompt, stage=stage_of(slot))
    require_stage_permission(by, stage_of(slot), version.prompt)
    check_label(slot)
    reason = check_note("reason", reason)
    prompt = lock_prompt(version.prompt)
    label = Label.objects.select_related("version").filter(prompt=prompt, name=slot).first()
    return open_request(move=describe_move(prompt, slot, version, label), reason=reason, by=by)


def describe_move(prompt: Prompt, slot: str, version: PromptVersion, label: Label | None) -> Move:
    """The move in governance's terms. `label`: where the slot points now."""
    now = label.version if label else None
    return Move(
        team=prompt.team,
        kind=KIND,
        asset_id=prompt.pk,
        asset_label=str(prompt),
        version_id=version.pk,
        version_number=version.number,
        digest=version.digest,
        slot=slot,
        # Whoever wrote this very text, in whichever version of the prompt.
        author_ids=sorted(
            {*prompt.versions.filter(digest=version.digest).order_by().values_list("created_by_id", flat=True)}
        ),
        previous=Pointer(now.pk, now.number, now.digest) if now else None,
    )


def _check_belongs(prompt: Prompt, version: PromptVersion) -> None:
    if version.prompt_id != prompt.pk:
        raise Invalid("version", f"This is not a version of {prompt}.")


def _note(
    prompt: Prompt,
    label: Label,
    before: PromptVersion | None,
    after: PromptVersion | None,
    reason: str,
    request: ApprovalRequest | None,
    by: Actor,
) -> None:
    """The move's history row, the prompt's last change and the ledger event."""
    LabelMove.objects.create(
        prompt=prompt,
        name=label.name,
        before=before,
        after=after,
        request_id=request.pk if request else None,
        reason=reason,
        moved_by=person(by),
    )
    touch(prompt, by)
    also = [prompt_target(prompt)]
    for version in (before, after):
        if version is not None:
            version.prompt = prompt
            also.append(version_target(version))
    if request is not None:
        also.append(Target("request", request.pk, str(request), request.digest))
    record(
        Action.LABEL_MOVED if after else Action.LABEL_REMOVED,
        by=by,
        team=prompt.team.name,
        target=Target("label", label.pk, f"{prompt}@{label.name}", after.digest if after else ""),
        also=also,
        before={"version": before.number, "digest": before.digest} if before else None,
        after={"version": after.number, "digest": after.digest} if after else None,
        reason=reason,
    )
