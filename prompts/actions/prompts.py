"""Making prompts and their versions."""

from typing import Any

from django.db import IntegrityError, transaction

from accounts.access import Actor, Planned, require
from accounts.errors import Conflict, Invalid
from accounts.models import Team
from accounts.roles import Permission
from governance.ledger.actions import Action, record
from prompts import composition, search
from prompts.actions.common import lock_prompt, person, prompt_target, refuse_archived, touch, version_target
from prompts.actions.lines import advance, open_branch
from prompts.checks import check_content, check_note
from prompts.extras import version_was_made
from prompts.models import MAIN, Prompt, PromptVersion
from prompts.names import problem_of

MAX_DESCRIPTION = 20_000


@transaction.atomic
def create_prompt(*, team: Team, name: str, description: str = "", by: Actor) -> Prompt:
    """A new prompt, without versions yet."""
    require(by, Permission.ASSET_CREATE, Planned(team.pk, "prompt", name))
    if text := problem_of(name):
        raise Invalid("name", text)
    description = check_note("description", description, MAX_DESCRIPTION)
    try:
        with transaction.atomic():
            prompt = Prompt.objects.create(
                team=team, name=name, description=description, created_by=person(by), updated_by=person(by)
            )
    except IntegrityError:
        raise Conflict(
            f"There is a prompt '{team.name}/{name}' already. Use another name, or add a version to that one.",
            errors={"name": ["This name is taken."]},
            link=f"/prompts/{team.name}/{name}",
            code="name_taken",
        ) from None
    search.refresh(prompt)
    record(
        Action.PROMPT_CREATED, by=by, team=team.name, target=prompt_target(prompt), after={"description": description}
    )
    return prompt


@transaction.atomic
def update_prompt(*, prompt: Prompt, description: str, by: Actor) -> Prompt:
    """Change the description. Nothing is recorded when nothing changes."""
    require(by, Permission.ASSET_EDIT, prompt)
    description = check_note("description", description, MAX_DESCRIPTION)
    prompt = lock_prompt(prompt)
    if prompt.description == description:
        return prompt
    before, prompt.description = prompt.description, description
    prompt.save(update_fields=["description"])
    touch(prompt, by)
    search.refresh(prompt)
    record(
        Action.PROMPT_UPDATED,
        by=by,
        team=prompt.team.name,
        target=prompt_target(prompt),
        before={"description": before},
        after={"description": description},
    )
    return prompt


@transaction.atomic
def create_version(
    *,
    prompt: Prompt,
    type: str,
    template: Any,
    format: str = PromptVersion.Format.JINJA,
    inputs: Any = None,
    tools: Any = None,
    response_format: Any = None,
    model: str = "",
    parameters: Any = None,
    message: str = "",
    branch: str = MAIN,
    parent: PromptVersion | None = None,
    merged: PromptVersion | None = None,
    by: Actor,
) -> PromptVersion:
    """The next version, immutable from now on: on `branch`, following `parent` (without one, the newest there).
    Raises Invalid with line and column for a template that can't be read."""
    require(by, Permission.ASSET_EDIT, prompt)
    content = check_content(
        type=type, format=format, template=template, inputs=inputs, tools=tools, response_format=response_format,
        model=model, parameters=parameters, team=prompt.team, prompt=prompt, by=by,
    )  # fmt: skip
    message = check_note("message", message)
    prompt = lock_prompt(prompt)
    refuse_archived(prompt)
    line = open_branch(prompt, branch)
    alive = prompt.versions.filter(deleted_at=None)
    latest = alive.first()
    if latest is not None and latest.type != type:
        raise Invalid(
            "type",
            f"The versions of {prompt} are of the type '{latest.type}', and callers count on it. "
            f"Make a new prompt for '{type}'.",
        )
    composition.check_new(prompt, content.includes)
    prompt.last_number += 1
    version = PromptVersion.objects.create(
        prompt=prompt,
        number=prompt.last_number,
        **content.fields,
        variables=content.variables,
        digest=content.digest,
        message=message,
        branch=branch,
        parent=parent or (line.head if line else alive.filter(branch=MAIN).first()),
        merged=merged,
        created_by=person(by),
    )
    if line is not None:
        advance(line, version)
    composition.write_includes(version, content.includes)
    touch(prompt, by)
    search.refresh(prompt)
    record(
        Action.PROMPT_VERSION_CREATED,
        by=by,
        team=prompt.team.name,
        target=version_target(version),
        also=[prompt_target(prompt)],
        after={"number": version.number, "type": type, "branch": branch, "digest": version.digest},
        reason=message,
    )
    version_was_made(version, by)
    return version
