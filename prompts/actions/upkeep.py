"""Where a prompt stands and whether it is in use: renamed (and so moved to a folder), archived, restored."""

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.access import Actor, Planned, require
from accounts.errors import Conflict, Invalid
from accounts.roles import Permission
from governance import policies
from governance.ledger.actions import Action, record
from governance.models import ApprovalRequest
from governance.stages import Stage
from prompts import composition, search
from prompts.actions.common import lock_prompt, prompt_target, touch, version_target
from prompts.actions.labels import KIND
from prompts.checks import LATEST, check_note
from prompts.models import MAIN, Include, Prompt, PromptVersion
from prompts.names import problem_of


@transaction.atomic
def rename_prompt(*, prompt: Prompt, name: str, by: Actor) -> Prompt:
    """Give a prompt another name, and so another folder. Versions, labels and history go along; the old address answers nothing.

    Needs the right to make a prompt of the new name, and to edit policies where others would hold for it. Not while a request about it
    waits, or another prompt's text names it."""
    require(by, Permission.ASSET_EDIT, prompt)
    prompt = lock_prompt(prompt)
    if name == prompt.name:
        return prompt
    require(by, Permission.ASSET_CREATE, Planned(prompt.team_id, KIND, name))
    if text := problem_of(name):
        raise Invalid("name", text)
    _require_policies(prompt, name, by)
    _refuse_named(prompt)
    before, prompt.name = prompt.name, name
    try:
        with transaction.atomic():
            prompt.save(update_fields=["name"])
    except IntegrityError:
        raise Conflict(
            f"There is a prompt '{prompt}' already.", errors={"name": ["This name is taken."]}, code="name_taken"
        ) from None
    prompt.refresh_from_db(fields=["folder"])
    touch(prompt, by)
    search.refresh(prompt)
    record(
        Action.PROMPT_RENAMED, by=by, team=prompt.team.name, target=prompt_target(prompt), before={"name": before}, after={"name": name}
    )  # fmt: skip
    return prompt


def _require_policies(prompt: Prompt, name: str, by: Actor) -> None:
    """Under a name of other policies the prompt's labels would stand where nobody approved them."""
    old, new = str(prompt), f"{prompt.team.name}/{name}"
    if any(
        policies.policy_for(prompt.team, KIND, old, stage) != policies.policy_for(prompt.team, KIND, new, stage)
        for stage in Stage
    ):
        require(by, Permission.POLICY_EDIT, prompt)


def _refuse_named(prompt: Prompt) -> None:
    """Conflict where a waiting request or another prompt's text goes by the name."""
    waiting = (ApprovalRequest.State.OPEN, ApprovalRequest.State.APPROVED)
    if request := ApprovalRequest.objects.filter(kind=KIND, asset_id=prompt.pk, state__in=waiting).first():
        raise Conflict(
            f"About {prompt}, request {request.pk} waits for a decision. Have it decided or withdraw it, then rename.",
            link=f"/requests/{request.pk}", code="in_use",
        )  # fmt: skip
    named = Include.objects.filter(prompt=prompt, version__deleted_at=None, version__prompt__deleted_at=None)
    if count := named.exclude(version__prompt=prompt).values("version__prompt").distinct().count():
        raise Conflict(
            f"{count} {'prompt includes' if count == 1 else 'prompts include'} {prompt} by its name. Take it out of them first.",
            link=prompt.get_absolute_url(), code="in_use",
        )  # fmt: skip


@transaction.atomic
def archive_prompt(*, prompt: Prompt, reason: str = "", by: Actor) -> Prompt:
    """Take it out of lists and searches. Whoever fetches it gets it as ever; no version is added and no label moves. Twice is once."""
    require(by, Permission.ASSET_EDIT, prompt)
    reason = check_note("reason", reason)
    prompt = lock_prompt(prompt)
    if prompt.archived_at is None and prompt.deleted_at is None:
        prompt.archived_at = timezone.now()
        prompt.save(update_fields=["archived_at"])
        _tell(prompt, Action.PROMPT_ARCHIVED, "live", "archived", reason, by)
    return prompt


@transaction.atomic
def restore_prompt(*, prompt: Prompt, name: str = "", reason: str = "", by: Actor) -> Prompt:
    """Bring it back from the archive, or after its deletion, as it was. name: another one, where its own was taken meanwhile. Conflict
    where others that include it were changed meanwhile so that a text would include itself."""
    require(by, Permission.ASSET_EDIT, prompt)
    reason = check_note("reason", reason)
    prompt = lock_prompt(prompt)
    before = state_of(prompt)
    if before == "live":
        return prompt
    if before == "deleted":
        # Another one may stand under its name by now, under policies of other people.
        require(by, Permission.ASSET_CREATE, Planned(prompt.team_id, KIND, name or prompt.name))
        if name and (text := problem_of(name)):
            raise Invalid("name", text)
        _require_policies(prompt, name or prompt.name, by)
        prompt.deleted_at, prompt.name = None, name or prompt.name
    else:
        prompt.archived_at = None
    try:
        with transaction.atomic():
            prompt.save(update_fields=["archived_at", "deleted_at", "name"])
    except IntegrityError:
        raise Conflict(
            f"There is a prompt '{prompt}' now. Give this one another name.",
            errors={"name": ["This name is taken."]}, code="name_taken",
        ) from None  # fmt: skip
    prompt.refresh_from_db(fields=["folder"])
    if before == "deleted":
        for label, version in _names(prompt):
            composition.check_points(
                prompt, label, version, refused=f"{prompt} can't come back with '{label}' where it was"
            )
    search.refresh(prompt)
    _tell(prompt, Action.PROMPT_RESTORED, before, state_of(prompt), reason, by)
    return prompt


def _names(prompt: Prompt) -> list[tuple[str, PromptVersion]]:
    """Every name that leads to a version that includes something."""
    rows = prompt.labels.filter(version__includes__isnull=False).select_related("version").distinct().order_by("name")
    found = [(label.name, label.version) for label in rows]
    latest = _latest(prompt)
    return [*found, (LATEST, latest)] if latest else found


def _latest(prompt: Prompt) -> PromptVersion | None:
    return prompt.versions.filter(deleted_at=None, branch=MAIN).order_by("-number").first()


@transaction.atomic
def restore_version(*, version: PromptVersion, reason: str = "", by: Actor) -> PromptVersion:
    """Bring a deleted version back under its number. Twice is once. Conflict where it would be 'latest' and so include itself."""
    require(by, Permission.ASSET_EDIT, version.prompt)
    reason = check_note("reason", reason)
    prompt = lock_prompt(version.prompt)
    version = prompt.versions.get(pk=version.pk)
    version.prompt = prompt
    if version.deleted_at is not None:
        version.deleted_at = None
        version.save(update_fields=["deleted_at"])
        if _latest(prompt) == version:
            refused = f"{version} can't be restored: it would be '{LATEST}'"
            composition.check_points(prompt, LATEST, version, refused=refused)
        touch(prompt, by)
        search.refresh(prompt)
        record(
            Action.PROMPT_VERSION_RESTORED, by=by, team=prompt.team.name, target=version_target(version),
            also=[prompt_target(prompt)], before={"state": "deleted"}, after={"state": "live"}, reason=reason,
        )  # fmt: skip
    return version


def state_of(prompt: Prompt) -> str:
    """'live', 'archived' or 'deleted'."""
    if prompt.deleted_at is not None:
        return "deleted"
    return "live" if prompt.archived_at is None else "archived"


def _tell(prompt: Prompt, action: Action, before: str, after: str, reason: str, by: Actor) -> None:
    touch(prompt, by)
    record(
        action, by=by, team=prompt.team.name, target=prompt_target(prompt), before={"state": before}, after={"state": after},
        reason=reason,
    )  # fmt: skip
