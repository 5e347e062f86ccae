"""Deleting prompts and versions. Rows, digests and history stay; what is in use can't be deleted."""

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Conflict
from accounts.roles import Permission
from governance import gate
from governance.ledger.actions import Action, record
from governance.models import ApprovalRequest
from prompts import composition, search
from prompts.actions.common import lock_prompt, prompt_target, touch, version_target
from prompts.actions.labels import KIND, remove_label
from prompts.actions.lines import step_back
from prompts.checks import LATEST, check_note
from prompts.models import MAIN, Include, Label, Prompt, PromptVersion

# Approved for a later time is not applied yet: it needs its version as an open one does.
_WAITING = (ApprovalRequest.State.OPEN, ApprovalRequest.State.APPROVED)
_NAMED = 5  # so many users of a thing are named


@transaction.atomic
def delete_version(*, version: PromptVersion, reason: str = "", by: Actor) -> PromptVersion:
    """Delete a version; labels that nothing protects are taken off it. Conflict names what holds on to it. Twice is once."""
    require(by, Permission.ASSET_EDIT, version.prompt)
    reason = check_note("reason", reason)
    prompt = lock_prompt(version.prompt)
    version = prompt.versions.get(pk=version.pk)
    version.prompt = prompt
    if version.deleted_at is not None:
        return version
    labels = list(Label.objects.filter(version=version).order_by("name").values_list("name", flat=True))
    asked = Q(number=version.number) | Q(label__in=labels)
    newest = list(prompt.versions.filter(deleted_at=None, branch=MAIN).order_by("-number")[:2])
    if [one.pk for one in newest] == [version.pk]:
        asked |= Q(label__in=["", LATEST], number=None)
    open_requests = ApprovalRequest.objects.filter(
        kind=KIND, asset_id=prompt.pk, version_id=version.pk, state__in=_WAITING
    )
    _refuse_used(version, prompt, labels, open_requests, Include.objects.filter(asked, prompt=prompt), by)
    for label in labels:
        remove_label(prompt=prompt, label=label, reason=reason or f"Version {version.number} was deleted.", by=by)
    version.deleted_at = timezone.now()
    version.save(update_fields=["deleted_at"])
    if len(newest) == 2 and newest[0] == version:
        refused = f"{version} can't be deleted: '{LATEST}' would be version {newest[1].number}"
        composition.check_points(prompt, LATEST, newest[1], refused=refused)
    step_back(version)
    touch(prompt, by)
    search.refresh(prompt)
    record(
        Action.PROMPT_VERSION_DELETED, by=by, team=prompt.team.name, target=version_target(version),
        also=[prompt_target(prompt)], before={"state": "live"}, after={"state": "deleted", "labels": labels}, reason=reason,
    )  # fmt: skip
    return version


@transaction.atomic
def delete_prompt(*, prompt: Prompt, reason: str = "", by: Actor) -> Prompt:
    """Delete a prompt with all its versions; its name is free at once. Conflict names what holds on to it. Twice is once."""
    require(by, Permission.ASSET_EDIT, prompt)
    reason = check_note("reason", reason)
    prompt = lock_prompt(prompt)
    if prompt.deleted_at is not None:
        return prompt
    labels = list(Label.objects.filter(prompt=prompt).order_by("name").values_list("name", flat=True))
    open_requests = ApprovalRequest.objects.filter(kind=KIND, asset_id=prompt.pk, state__in=_WAITING)
    _refuse_used(prompt, prompt, labels, open_requests, Include.objects.filter(prompt=prompt), by)
    prompt.deleted_at = timezone.now()
    prompt.save(update_fields=["deleted_at"])
    touch(prompt, by)
    record(
        Action.PROMPT_DELETED, by=by, team=prompt.team.name, target=prompt_target(prompt), before={"state": "live"},
        after={"state": "deleted", "versions": prompt.versions.count(), "labels": labels}, reason=reason,
    )  # fmt: skip
    return prompt


def _refuse_used(
    thing: Prompt | PromptVersion,
    prompt: Prompt,
    labels: list[str],
    open_requests: QuerySet[ApprovalRequest],
    includes: QuerySet[Include],
    by: Actor,
) -> None:
    """Conflict where a protected label, an open request or a living version of another prompt needs the thing."""
    protected = [label for label in labels if gate.is_protected(prompt.team, KIND, str(prompt), label)]
    found = [f"the protected label '{label}'" for label in protected]
    found += [f"request {number}" for number in open_requests.order_by("pk").values_list("pk", flat=True)[:_NAMED]]
    users = includes.filter(version__deleted_at=None, version__prompt__deleted_at=None).exclude(version__prompt=prompt)
    seen = Prompt.objects.visible_to(by).filter(pk__in=users.values("version__prompt"))
    names = [str(one) for one in seen.select_related("team").order_by("team__name", "name")[:_NAMED]]
    found += [f"{name}, which includes it" for name in names]
    if not names and users.exists():
        found.append("a prompt of another team, which includes it")
    if found:
        raise Conflict(
            f"{thing} can't be deleted while something needs it: {'; '.join(found)}. Take these away first, or archive the prompt.",
            errors={"references": found},
            link=f"/requests/new?kind={KIND}&asset={prompt}&alias={protected[0]}" if protected else "",
            code="in_use",
        )
