"""Suites: the tests of a prompt, written by people, each change a revision."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from accounts.access import Actor, require
from accounts.errors import Conflict
from accounts.roles import Permission
from governance.ledger.actions import Action, Target, record
from prompt_tests import evidence, suites
from prompt_tests.actions.common import (
    dataset_of,
    person,
    prompt_target,
)
from prompt_tests.models import Suite, SuiteRevision
from prompt_tests.suites import SuiteContent
from prompts.models import Prompt


@transaction.atomic
def save_suite(*, prompt: Prompt, content: Any, expected: int | None = None, by: Actor) -> SuiteRevision:
    """Keep the tests of a prompt as a new revision. `expected`: the number of the revision that it was made from, so that two
    people don't overwrite each other unseen (0: there was none). Nothing happens when nothing changed."""
    require(by, Permission.ASSET_EDIT, prompt)
    found = content if isinstance(content, SuiteContent) else suites.parse(content)
    if found.rows is not None:
        dataset_of(prompt, found, by)
    suite, _ = Suite.objects.get_or_create(prompt=prompt)
    suite = Suite.objects.select_for_update().get(pk=suite.pk)
    suite.prompt = prompt
    if expected is not None and expected != suite.last_number:
        raise Conflict(
            f"The tests of {prompt} are at revision {suite.last_number} by now, and this was made from {expected}: load them anew.",
            code="suite_changed",
        )
    before = suite.revisions.first()
    said = found.as_json()
    if before is not None and before.content == said:
        before.suite = suite
        return before
    suite.last_number += 1
    suite.run_on_save = found.run_on_save
    suite.save(update_fields=["last_number", "run_on_save"])
    revision = SuiteRevision.objects.create(
        suite=suite, number=suite.last_number, content=said, digest=found.digest, created_by=person(by)
    )
    record(
        Action.TEST_SUITE_CHANGED,
        by=by,
        team=prompt.team.name,
        target=_suite_target(revision),
        also=[prompt_target(prompt)],
        before=before.content if before else None,
        after=said,
    )
    if before is None or before.digest != revision.digest:
        evidence.deposit_suite(revision, by=by)
    return revision


@transaction.atomic
def add_case(
    *,
    prompt: Prompt,
    variables: Mapping[str, Any],
    expected: str = "",
    assertions: Sequence[Mapping[str, Any]] = (),
    name: str = "",
    by: Actor,
) -> SuiteRevision:
    """One more case written by hand, in a new revision; the suite begins with it where there is none. Without assertions, and
    where the suite asserts nothing of every case, the output is what is expected."""
    require(by, Permission.ASSET_EDIT, prompt)
    revision = SuiteRevision.objects.select_for_update(of=("self",)).filter(suite__prompt=prompt).first()
    content: dict[str, Any] = dict(revision.content) if revision else SuiteContent().as_json()
    given = [dict(one) for one in assertions]
    if not given and not content["assertions"]:
        given = [{"type": "equals"}]
    case = {"name": name, "variables": dict(variables), "expected": expected, "assertions": given}
    return save_suite(
        prompt=prompt,
        content={**content, "cases": [*content["cases"], case]},
        expected=revision.number if revision else 0,
        by=by,
    )


def _suite_target(revision: SuiteRevision) -> Target:
    return Target("test_suite", revision.suite_id, str(revision), revision.digest)
