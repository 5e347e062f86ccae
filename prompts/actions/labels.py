"""Moving labels. A protected one moves only where governance allows it, whichever door asks."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.access import Actor, require, require_stage_permission
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
from prompts import composition
from prompts.actions.common import lock_prompt, person, prompt_target, refuse_archived, touch, version_target
from prompts.ancestry import authors_of
from prompts.checks import check_label, check_note
from prompts.models import Label, LabelMove, Prompt, PromptVersion

KIND = "prompt"
UNSAID: Any = object()  # the caller does not say what it saw


@transaction.atomic
def move_label(
    *,
    prompt: Prompt,
    label: str,
    version: PromptVersion,
    reason: str = "",
    expected: int | None = UNSAID,
    by: Actor,
) -> Label:
    """Let a label point at a version. Raises ApprovalRequired for a protected one. Twice is once.

    expected: the number of the version that the caller saw there (None: nothing); Conflict where it moved on since."""
    require(by, Permission.ALIAS_MOVE, prompt, stage=stage_of(label))
    check_label(label)
    reason = check_note("reason", reason)
    require_seen(lock_prompt(prompt), label, expected)
    return _move(prompt, label, version, reason, None, by)


def move_or_ask(
    *, prompt: Prompt, label: str, version: PromptVersion, reason: str = "", expected: int | None = UNSAID, by: Actor
) -> Label | ApprovalRequest:
    """Move the label; where only an approval moves it, the request for it: the open one for these bytes, or a new one."""
    try:
        return move_label(prompt=prompt, label=label, version=version, reason=reason, expected=expected, by=by)
    except ApprovalRequired:
        with transaction.atomic():
            lock_prompt(prompt)  # of those who ask at once, one opens the request and the others are led to it
            there = open_request_for(KIND, prompt.pk, label, version.digest)
            return there or request_move(version=version, slot=label, reason=reason, by=by)


def require_seen(prompt: Prompt, label: str, expected: int | None) -> None:
    """Raise Conflict, saying what is there now, unless the label points where the caller saw it. The prompt is locked."""
    if expected is UNSAID:
        return
    row = Label.objects.select_related("version", "updated_by").filter(prompt=prompt, name=label).first()
    now = row.version.number if row else None
    if now != expected:
        there = f"points at version {now} now, moved by {row.updated_by}" if row else "points at nothing any more"
        seen = f"version {expected}" if expected else "nothing"
        raise Conflict(
            f"'{label}' of {prompt} {there}; you saw {seen} there. Look at what changed, then move it again.",
            errors={"expected": [f"Now: {now or 'nothing'}."]},
            link=f"{prompt.get_absolute_url()}/labels",
            code="moved_meanwhile",
        )


@transaction.atomic
def roll_back_label(
    *, prompt: Prompt, label: str, reason: str = "", expected: int | None = UNSAID, by: Actor
) -> Label | ApprovalRequest:
    """Let a label point again at what it pointed at before its last move. A free one moves at once; for a protected one the request
    for it is opened: an approval is for one move, and that of then was for another."""
    protected = gate.is_protected(prompt.team, KIND, str(prompt), label)
    stage = stage_of(label)
    require(by, Permission.REQUEST_CREATE if protected else Permission.ALIAS_MOVE, prompt, stage=stage)
    prompt = lock_prompt(prompt)
    require_seen(prompt, label, expected)
    before = before_last_move(prompt, label)
    reason = check_note("reason", reason) or f"Roll back to version {before.number}"
    if protected:
        return request_move(version=before, slot=label, reason=reason, by=by)
    return _move(prompt, label, before, reason, None, by)


def before_last_move(prompt: Prompt, label: str) -> PromptVersion:
    """Where the label pointed before it came to where it is; Conflict where there is no such place."""
    last = prompt.label_moves.filter(name=label).select_related("before").first()
    if last is None or last.after_id is None:
        raise Conflict(f"'{label}' of {prompt} points at nothing.")
    if last.before is None:
        raise Conflict(f"'{label}' of {prompt} pointed at nothing before: remove it instead.")
    if last.before.deleted_at is not None:
        raise Conflict(
            f"Version {last.before.number}, at which '{label}' pointed before, was deleted. Restore it first."
        )
    last.before.prompt = prompt
    return last.before


@transaction.atomic
def apply_request(*, request: ApprovalRequest, by: Actor) -> Label:
    """Carry out an approved request, in the transaction of the review that decided it. What `by` may do was checked there;
    whether the approval covers exactly these bytes is checked by the gate."""
    version = _approved(request, request.version_id, request.digest)
    return _move(version.prompt, request.slot, version, request.reason, request, by)


@transaction.atomic
def apply_removal(*, request: ApprovalRequest, by: Actor) -> None:
    """Carry out the approved request to empty a protected label. Twice is once."""
    prompt = Prompt.objects.filter(pk=request.asset_id).first() if request.kind == KIND else None
    if prompt is None:
        raise Conflict("The prompt is not there any more.")
    prompt = lock_prompt(prompt)
    label = Label.objects.select_related("version").filter(prompt=prompt, name=request.slot).first()
    gate.require_change(
        team=prompt.team, kind=KIND, label=str(prompt), stage=stage_of(request.slot), change=gate.REMOVAL,
        request=request, previous=described(label),
    )  # fmt: skip
    if label is not None:
        _empty(prompt, label, request.reason, request, by)


@transaction.atomic
def roll_back(*, request: ApprovalRequest, by: Actor) -> str:
    """Put the label back to where it was before the glass was broken, if nothing has moved it since.
    Returns what was done, in words."""
    prompt = lock_prompt(_approved(request, request.version_id, request.digest).prompt)
    label = Label.objects.select_related("version").filter(prompt=prompt, name=request.slot).first()
    last = LabelMove.objects.filter(prompt=prompt, name=request.slot).order_by("-id").first()
    if label is None or last is None or last.request_id != request.pk:
        return f"'{request.slot}' had moved on already and stays."
    reason = f"Request {request.pk} was rolled back."
    if request.previous_version_id is None:
        _empty(prompt, label, reason, request, by)
        return f"'{request.slot}' is empty, as it was before."
    version = _approved(request, request.previous_version_id, request.previous_digest)
    gate.require_rollback(describe_move(prompt, request.slot, version, label), request=request)
    refused = f"'{request.slot}' can't go back to version {version.number}"
    composition.check_points(prompt, request.slot, version, refused=refused)
    _point(prompt, label, request.slot, version, reason, request, by)
    return f"'{request.slot}' points at version {version.number} again."


def _approved(request: ApprovalRequest, version_id: int | None, digest: str) -> PromptVersion:
    version = (
        PromptVersion.objects.select_related("prompt__team")
        .filter(pk=version_id or 0, prompt_id=request.asset_id, digest=digest)
        .first()
    )
    if version is None or request.kind != KIND:
        raise Conflict("The prompt version that was approved is not there any more with the same text.")
    return version


def _move(
    prompt: Prompt, name: str, version: PromptVersion, reason: str, request: ApprovalRequest | None, by: Actor
) -> Label:
    prompt = lock_prompt(prompt)
    refuse_archived(prompt)
    _check_belongs(prompt, version)
    label = Label.objects.select_related("version").filter(prompt=prompt, name=name).first()
    if label and label.version_id == version.pk and request is None:
        return label
    composition.check_move(prompt, name, version)
    if request is None:
        composition.check_free(prompt, name, by)
    gate.require_move(describe_move(prompt, name, version, label), request=request)
    return _point(prompt, label, name, version, reason, request, by)


def _point(
    prompt: Prompt,
    label: Label | None,
    name: str,
    version: PromptVersion,
    reason: str,
    request: ApprovalRequest | None,
    by: Actor,
) -> Label:
    """Write the label; the gate has been asked."""
    before = label.version if label else None
    if label is None:
        label = Label(prompt=prompt, name=name)
    label.version, label.updated_at, label.updated_by = version, timezone.now(), person(by)
    label.save()
    _note(prompt, label, before, version, reason, request, by)
    return label


@transaction.atomic
def remove_label(*, prompt: Prompt, label: str, reason: str = "", expected: int | None = UNSAID, by: Actor) -> None:
    """Take a label away; its history stays. A protected one can only be moved on, by an approval. expected: as in move_label."""
    require(by, Permission.ALIAS_MOVE, prompt, stage=stage_of(label))
    reason = check_note("reason", reason)
    prompt = lock_prompt(prompt)
    row = Label.objects.select_related("version").filter(prompt=prompt, name=label).first()
    if row is None:
        raise NotFound(f"{prompt} has no label '{label}'.")
    require_seen(prompt, label, expected)
    if gate.is_protected(prompt.team, KIND, str(prompt), label):
        raise ApprovalRequired(
            f"'{label}' of {prompt} is protected, so it can't be removed just so. Ask for another version to take its place, "
            "or for its removal.",
            link=f"/requests/new?kind={KIND}&asset={prompt}&alias={label}",
        )
    _empty(prompt, row, reason, None, by)


def _empty(prompt: Prompt, label: Label, reason: str, request: ApprovalRequest | None, by: Actor) -> None:
    _note(prompt, label, label.version, None, reason, request, by)
    label.delete()


@transaction.atomic
def request_move(
    *, version: PromptVersion, slot: str, reason: str = "", by: Actor, apply_at: datetime | None = None
) -> ApprovalRequest:
    """Ask for a protected label to move to a version: at once when approved, or at a time."""
    move = _asked(version, slot, Permission.REQUEST_CREATE, by)
    return governance.open_request(move=move, reason=check_note("reason", reason), by=by, apply_at=apply_at)


@transaction.atomic
def request_removal(*, prompt: Prompt, label: str, reason: str = "", by: Actor) -> ApprovalRequest:
    """Ask for a protected label to be emptied."""
    require(by, Permission.REQUEST_CREATE, prompt, stage=stage_of(label))
    require_stage_permission(by, stage_of(label), prompt)
    reason = check_note("reason", reason)
    prompt = lock_prompt(prompt)
    row = Label.objects.select_related("version").filter(prompt=prompt, name=label).first()
    if row is None:
        raise NotFound(f"{prompt} has no label '{label}'.")
    return governance.open_change(
        team=prompt.team, kind=KIND, label=str(prompt), asset_id=prompt.pk, slot=label, stage=stage_of(label),
        change=gate.REMOVAL, previous=described(row), author_ids=[], reason=reason, by=by,
    )  # fmt: skip


@transaction.atomic
def break_glass(*, version: PromptVersion, slot: str, reason: str, by: Actor) -> ApprovalRequest:
    """Move a protected label at once, without reviews; they come afterwards. For emergencies: see docs/approvals.md."""
    move = _asked(version, slot, Permission.GLASS_BREAK, by)
    request = governance.break_glass(move=move, reason=check_note("reason", reason), by=by, on=version.prompt)
    apply_request(request=request, by=by)
    return request


def _asked(version: PromptVersion, slot: str, permission: Permission, by: Actor) -> Move:
    """The move that somebody asks for who may do so, the prompt locked."""
    require(by, permission, version.prompt, stage=stage_of(slot))
    require_stage_permission(by, stage_of(slot), version.prompt)
    check_label(slot)
    prompt = lock_prompt(version.prompt)
    refuse_archived(prompt)
    _check_belongs(prompt, version)
    composition.check_move(prompt, slot, version)
    label = Label.objects.select_related("version").filter(prompt=prompt, name=slot).first()
    return describe_move(prompt, slot, version, label)


def described(label: Label | None) -> dict[str, Any]:
    """Where a label points, as a request for its removal keeps it."""
    return {"version": label.version.number, "digest": label.version.digest} if label else {}


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
        # Whoever wrote this very text, in whichever version of the prompt, whose work was merged into it, and who wrote its parts.
        author_ids=sorted(authors_of(prompt, version.digest) | _authors_of_parts(version, stage_of(slot))),
        previous=Pointer(now.pk, now.number, now.digest) if now else None,
    )


def _authors_of_parts(version: PromptVersion, stage: str) -> set[int]:
    """Those who wrote what it includes by number: it is approved as a part of this, unless it was approved by itself."""
    found: set[int] = set()
    for part in composition.pinned(version):
        team, prompt = part.prompt.team, part.prompt
        if not gate.stage_approval(team=team, kind=KIND, asset_id=prompt.pk, digest=part.digest, stage=stage):
            found |= authors_of(prompt, part.digest)
    return found


def _check_belongs(prompt: Prompt, version: PromptVersion) -> None:
    if version.prompt_id != prompt.pk:
        raise Invalid("version", f"This is not a version of {prompt}.")
    if not prompt.versions.filter(pk=version.pk, deleted_at=None).exists():
        raise Conflict(f"{version} was deleted. Restore it first.")


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
    if prompt.included_by.filter(label=label.name).exists():
        # Tests of what includes it were run with what was here before.
        name = Name(KIND, prompt.pk, str(prompt), label.name, prompt.team_id)
        deposit_pointer(
            name, team=prompt.team, version=after.number if after else None, digest=after.digest if after else "", by=by, also=also
        )  # fmt: skip
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
