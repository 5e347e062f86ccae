"""Taking in prompts that files describe: all of them, or with any problem none."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from accounts.access import Actor, Planned, require
from accounts.errors import ApprovalRequired, Conflict, Forbidden, Invalid, Problem
from accounts.models import Team
from accounts.roles import Permission
from governance.ledger.actions import Action, Target, record
from prompts.actions.branches import create_branch
from prompts.actions.common import lock_prompt
from prompts.actions.labels import move_label
from prompts.actions.prompts import create_prompt, create_version, update_prompt
from prompts.actions.tags import delete_tag, set_tag
from prompts.checks import check_content
from prompts.exchange import Entry
from prompts.models import MAIN, Prompt, PromptVersion

MAX_ENTRIES = 2_000
# behind: the file is as it was written, and the site has moved on since.
CREATED, NEW, CHANGED, SAME, BEHIND = "created", "new version", "changed", "unchanged", "behind"
REFUSED = "refused"  # in a dry run: what keeps everything from being imported


@dataclass
class Outcome:
    """What became of one entry. `asks`: protected labels, which an import never moves, with where to ask for each."""

    where: str
    prompt: str
    done: str
    version: int
    url: str
    moved: list[str] = field(default_factory=list)
    asks: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    content: dict[str, Any] | None = None  # what a version that differs says: to be tested before it is one


def import_entries(
    *, team: Team, entries: Sequence[Entry], branch: str = MAIN, message: str = "", dry_run: bool = False, by: Actor
) -> list[Outcome]:
    """Make the prompts that are missing and a version of each that differs. What is there with the same content stays as it is.

    An entry that was written from a version which is not the newest any more is refused: somebody else's change would be lost.
    Raises Invalid with a message for each file that is wrong, and then nothing was changed. A dry run changes nothing either way,
    and gives what is wrong among its outcomes.
    """
    if len(entries) > MAX_ENTRIES:
        raise Invalid("files", f"At most {MAX_ENTRIES:,} versions at a time, here {len(entries):,}.")
    with transaction.atomic():
        found, problems = _passes(team, entries, branch, message, by)
        if problems and not dry_run:
            raise _collected(problems)
        if dry_run:
            transaction.set_rollback(True)
    refused = {entry.where: str(Prompt(team=team, name=entry.name)) for entry in entries if entry.where in problems}
    return found + [Outcome(where, name, REFUSED, 0, "", problems=problems[where]) for where, name in refused.items()]


def _passes(
    team: Team, entries: Sequence[Entry], branch: str, message: str, by: Actor
) -> tuple[list[Outcome], dict[str, list[str]]]:
    """An entry may include a prompt that another entry brings: whatever fails is tried again while others succeed."""
    outcomes: dict[int, Outcome] = {}
    waiting = list(range(len(entries)))
    while waiting:
        problems: dict[str, list[str]] = {}
        blocked: set[str] = set()  # versions of one prompt keep their order
        left = []
        for index in waiting:
            entry = entries[index]
            if entry.name in blocked:
                left.append(index)
                continue
            try:
                with transaction.atomic():
                    outcomes[index] = _take(team, entry, branch, message, by)
            except Forbidden:
                raise
            except Problem as problem:
                blocked.add(entry.name)
                left.append(index)
                problems[entry.where] = _texts(problem)
        if len(left) == len(waiting):
            return [outcomes[index] for index in sorted(outcomes)], problems
        waiting = left
    return [outcomes[index] for index in sorted(outcomes)], {}


def _texts(problem: Problem) -> list[str]:
    if not problem.errors:
        return [problem.detail]
    return [f"{name}: {text}" for name, texts in problem.errors.items() for text in texts]


def _collected(problems: dict[str, list[str]]) -> Invalid:
    count = len(problems)
    problem = Invalid(
        "files", f"Nothing was imported: {count} {'entry has' if count == 1 else 'entries have'} problems."
    )
    problem.errors = problems
    return problem


def _take(team: Team, entry: Entry, branch: str, message: str, by: Actor) -> Outcome:
    prompt = Prompt.objects.visible_to(by).filter(team=team, name__iexact=entry.name).select_related("team").first()
    done = NEW
    if prompt is None:
        require(by, Permission.ASSET_CREATE, Planned(team.pk, "prompt", entry.name))
        prompt, done = create_prompt(team=team, name=entry.name, description=entry.description or "", by=by), CREATED
    require(by, Permission.ASSET_EDIT, prompt)
    prompt = lock_prompt(prompt)
    branch = _line(prompt, entry, branch, by)
    version = _same(prompt, entry, branch, by)
    if version is not None:
        done = BEHIND if _untouched(version, entry, prompt, branch) else SAME
    else:
        _check_base(prompt, entry, branch)
        version = create_version(prompt=prompt, message=entry.message or message, branch=branch, by=by, **entry.fields)
    if done != BEHIND and entry.description is not None and entry.description.strip() != prompt.description:
        update_prompt(prompt=prompt, description=entry.description, by=by)
        done = CHANGED if done == SAME else done
    if done != BEHIND and entry.tags is not None and _set_tags(prompt, entry.tags, entry.base is not None, by):
        done = CHANGED if done == SAME else done
    outcome = Outcome(entry.where, str(prompt), done, version.number, version.get_absolute_url())
    if done in (CREATED, NEW):
        outcome.content = {name: getattr(version, name) for name in entry.fields}
    for label in entry.labels:
        try:
            with transaction.atomic():
                move_label(prompt=prompt, label=label, version=version, reason=message, by=by)
            outcome.moved.append(label)
        except ApprovalRequired as problem:
            outcome.asks[label] = problem.link
    return outcome


def _set_tags(prompt: Prompt, wanted: dict[str, str], exactly: bool, by: Actor) -> bool:
    """Let the prompt have these tags, and no others when a file of ours says so; was anything different?"""
    there = dict(prompt.tags.values_list("key", "value"))
    if not exactly:
        wanted = {**there, **wanted}
    for key in sorted(there.keys() - wanted.keys()):
        delete_tag(prompt=prompt, key=key, by=by)
    for key, value in sorted(wanted.items()):
        set_tag(prompt=prompt, key=key, value=value, by=by)
    return there != wanted


def _head(prompt: Prompt, branch: str) -> PromptVersion | None:
    """The newest on a branch; of one that has none of its own yet the version that it began at."""
    line = prompt.branches.filter(name=branch).select_related("head").first() if branch != MAIN else None
    return line.head if line else prompt.versions.filter(branch=branch, deleted_at=None).first()


def _same(prompt: Prompt, entry: Entry, branch: str, by: Actor) -> PromptVersion | None:
    """The version that says this already: for a file of ours the branch's newest or the one it was written from, for an
    export of versions any on the branch."""
    digest = check_content(**entry.fields, team=prompt.team, prompt=prompt, by=by).digest
    if entry.base is None:
        return prompt.versions.filter(branch=branch, digest=digest, deleted_at=None).first()
    head = _head(prompt, branch)
    if head is not None and head.digest == digest:
        return head
    return prompt.versions.filter(number=entry.base, digest=digest, deleted_at=None).first()


def _untouched(version: PromptVersion, entry: Entry, prompt: Prompt, branch: str) -> bool:
    head = _head(prompt, branch)
    return entry.base is not None and head is not None and head.pk != version.pk


def _check_base(prompt: Prompt, entry: Entry, branch: str) -> None:
    head = _head(prompt, branch)
    if entry.base is None or head is None or head.number == entry.base:
        return
    raise Conflict(
        f"The file was written from version {entry.base}, and {prompt} has version {head.number} on '{branch}' since. "
        "Pull and put the changes together, or push to a branch and merge it.",
        link=f"{prompt.get_absolute_url()}/diff?from={entry.base}&to={head.number}",
        code="not_newest",
    )


def _line(prompt: Prompt, entry: Entry, branch: str, by: Actor) -> str:
    """The branch to write on, made where it is missing, from the version that the file was written from. A prompt without
    versions begins on main."""
    start = prompt.versions.filter(number=entry.base, deleted_at=None).first() if entry.base else None
    start = start or _head(prompt, MAIN)
    if branch == MAIN or start is None:
        return MAIN
    if not prompt.branches.filter(name=branch).exists():
        create_branch(prompt=prompt, name=branch, start=start, by=by)
    return branch


def note_export(*, team: Team, kind: str, by: Actor) -> None:
    """Prompts leave the site as files: an act worth knowing."""
    record(
        Action.PROMPTS_EXPORTED,
        by=by,
        team=team.name,
        target=Target("team", team.pk, team.name),
        after={"format": kind},
    )
