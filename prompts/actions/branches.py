"""Branches: lines of versions beside 'main', and merging one into another."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Conflict, Invalid, NotFound, Problem
from accounts.models import NAME_HELP, NAME_PATTERN
from accounts.roles import Permission
from governance.ledger.actions import Action, Target, record
from prompts.actions.common import lock_prompt, person, prompt_target, refuse_archived, touch, version_target
from prompts.actions.prompts import create_version
from prompts.ancestry import graph_of
from prompts.checks import check_content, check_note
from prompts.merging import FIELDS, Merged, content_of, merge
from prompts.models import MAIN, Prompt, PromptBranch, PromptVersion

MAX_BRANCHES = 500


@dataclass(frozen=True)
class Plan:
    """A merge as it would be: both heads, what they grew from, the result, and what is wrong with it as a prompt. nothing: the
    target has all of it already."""

    source: str
    target: str
    theirs: PromptVersion
    ours: PromptVersion
    base: PromptVersion | None
    result: Merged
    problem: Problem | None = None
    nothing: bool = False

    @property
    def forward(self) -> bool:
        """Nothing happened on the target since: its next version says what the source says."""
        return self.base is not None and self.base.pk == self.ours.pk


@transaction.atomic
def create_branch(*, prompt: Prompt, name: str, start: PromptVersion, by: Actor) -> PromptBranch:
    """A branch that begins at this version, of whatever branch."""
    require(by, Permission.ASSET_EDIT, prompt)
    if not re.fullmatch(NAME_PATTERN, name):
        raise Invalid("name", NAME_HELP)
    prompt = lock_prompt(prompt)
    refuse_archived(prompt)
    start = _living(prompt, start)
    if prompt.branches.count() >= MAX_BRANCHES:
        raise Invalid("name", f"At most {MAX_BRANCHES} branches.")
    try:
        with transaction.atomic():
            if name == MAIN:
                raise IntegrityError
            branch = PromptBranch.objects.create(
                prompt=prompt, name=name, start=start, head=start, created_by=person(by)
            )
    except IntegrityError:
        raise Conflict(
            f"{prompt} has or had a branch '{name}'. Use another name.",
            errors={"name": ["This name is taken."]}, code="name_taken",
        ) from None  # fmt: skip
    touch(prompt, by)
    _tell(Action.PROMPT_BRANCH_CREATED, branch, by, after={"start": start.number}, also=[version_target(start)])
    return branch


@transaction.atomic
def close_branch(*, prompt: Prompt, name: str, reason: str = "", by: Actor) -> PromptBranch:
    """Let nothing more be written on a branch; its versions stay. Twice is once."""
    require(by, Permission.ASSET_EDIT, prompt)
    reason = check_note("reason", reason)
    prompt = lock_prompt(prompt)
    branch = get_branch(prompt, name)
    if branch.state == PromptBranch.State.OPEN:
        _settle(branch, PromptBranch.State.CLOSED)
        touch(prompt, by)
        _tell(
            Action.PROMPT_BRANCH_CLOSED, branch, by, before={"state": "open"}, after={"state": "closed"}, reason=reason
        )
    return branch


def plan_merge(
    *,
    prompt: Prompt,
    source: str,
    target: str = MAIN,
    resolutions: Mapping[str, Any] | None = None,
    by: Actor | None = None,
) -> Plan:
    """What merging would make, for whoever sees the prompt. Nothing is changed."""
    if source == target:
        raise Invalid("target", "A branch is merged into another one.")
    theirs, ours = head_of(prompt, source), head_of(prompt, target)
    graph = graph_of(prompt)
    nothing = theirs.pk in graph.ancestors(ours.pk)
    base_id = graph.base(theirs.pk, ours.pk)
    base = prompt.versions.get(pk=base_id) if base_id is not None else None
    # Without a common ancestor all that both have differently is a clash.
    before = content_of(base) if base is not None else dict.fromkeys(FIELDS)
    result = merge(before, content_of(ours), content_of(theirs), resolutions)
    return Plan(source, target, theirs, ours, base, result, _problem(prompt, result.fields, by), nothing)


@transaction.atomic
def merge_branch(
    *,
    prompt: Prompt,
    source: str,
    target: str = MAIN,
    resolutions: Mapping[str, Any] | None = None,
    expected: tuple[int, int] | None = None,
    message: str = "",
    by: Actor,
) -> PromptVersion | None:
    """Merge a branch into another one: the next version there, which follows both heads; None where the result is what is there
    already. The branch is then merged, and closed for more.

    expected: the numbers of the heads of source and target that the caller saw; Conflict where one has moved on since, where a clash
    is not decided, or nothing is left to merge."""
    require(by, Permission.ASSET_EDIT, prompt)
    message = check_note("message", message) or f"Merge {source} into {target}"
    prompt = lock_prompt(prompt)
    refuse_archived(prompt)
    branch = None if source == MAIN else get_branch(prompt, source)
    if branch is not None and branch.state != PromptBranch.State.OPEN:
        raise Conflict(f"The branch '{source}' of {prompt} is {branch.state} already.", code="branch_closed")
    plan = plan_merge(prompt=prompt, source=source, target=target, resolutions=resolutions, by=by)
    if expected is not None and expected != (plan.theirs.number, plan.ours.number):
        raise Conflict(
            f"Somebody was quicker: '{source}' is at version {plan.theirs.number} and '{target}' at version {plan.ours.number} "
            f"now; you saw {expected[0]} and {expected[1]}. Look at the merge again.",
            link=f"{prompt.get_absolute_url()}/branches/{source}/merge", code="moved_meanwhile",
        )  # fmt: skip
    if plan.nothing:
        raise Conflict(f"'{target}' has all of '{source}' already.", code="nothing_to_merge")
    if plan.result.open:
        raise Conflict(
            f"{len(plan.result.open)} conflicts are not decided: {', '.join(clash.title for clash in plan.result.open[:5])}.",
            errors={clash.key: ["Choose ours, theirs, both or an edited text."] for clash in plan.result.open},
            code="merge_conflict",
        )
    version = _written(prompt, plan, message, by)
    if branch is not None:
        _settle(branch, PromptBranch.State.MERGED)
    also = [version_target(one) for one in (plan.theirs, plan.ours, version) if one is not None]
    for one in (plan.theirs, plan.ours):
        one.prompt = prompt
    label = f"{prompt} branch {source}"
    record(
        Action.PROMPT_BRANCH_MERGED, by=by, team=prompt.team.name, target=Target("prompt_branch", branch.pk if branch else 0, label),
        also=[prompt_target(prompt), *also], before={"source": plan.theirs.number, "target": plan.ours.number},
        after={"into": target, "version": version.number if version else plan.ours.number,
               "decided": sorted(clash.key for clash in plan.result.clashes)},
        reason=message,
    )  # fmt: skip
    return version


def _written(prompt: Prompt, plan: Plan, message: str, by: Actor) -> PromptVersion | None:
    fields = plan.result.fields
    if all(fields[name] == getattr(plan.ours, name) for name in FIELDS):
        return None
    return create_version(
        prompt=prompt, **fields, message=message, branch=plan.target, parent=plan.ours, merged=plan.theirs, by=by
    )


def _problem(prompt: Prompt, fields: Mapping[str, Any], by: Actor | None) -> Problem | None:
    try:
        check_content(**fields, prompt=prompt, by=by)
    except Problem as problem:
        return problem
    return None


def get_branch(prompt: Prompt, name: str) -> PromptBranch:
    branch = prompt.branches.select_related("head", "start", "created_by").filter(name=name).first()
    if branch is None:
        raise NotFound(f"{prompt} has no branch '{name[:96]}'.")
    branch.prompt = branch.head.prompt = branch.start.prompt = prompt
    return branch


def head_of(prompt: Prompt, name: str) -> PromptVersion:
    """The version that the next one on this line follows."""
    if name != MAIN:
        return get_branch(prompt, name).head
    head = prompt.versions.filter(branch=MAIN, deleted_at=None).first()
    if head is None:
        raise NotFound(f"{prompt} has no version on '{MAIN}' yet.")
    head.prompt = prompt
    return head


def _living(prompt: Prompt, version: PromptVersion) -> PromptVersion:
    found = prompt.versions.filter(pk=version.pk, deleted_at=None).first()
    if found is None:
        raise Invalid("start", f"This is not a version of {prompt}.")
    found.prompt = prompt
    return found


def _settle(branch: PromptBranch, state: PromptBranch.State) -> None:
    branch.state, branch.updated_at = state, timezone.now()
    branch.save(update_fields=["state", "updated_at"])


def _tell(action: Action, branch: PromptBranch, by: Actor, *, also: Any = (), **more: Any) -> None:
    target = Target("prompt_branch", branch.pk, str(branch))
    record(
        action, by=by, team=branch.prompt.team.name, target=target, also=[prompt_target(branch.prompt), *also], **more
    )
