"""What several actions do."""

from typing import Any

from django.utils import timezone

from accounts.access import Actor
from accounts.errors import Forbidden, Invalid, NotFound
from accounts.models import User
from governance.ledger.actions import Action, Target, record
from prompt_tests.models import SuiteRun
from prompt_tests.suites import SuiteContent
from prompts.models import Prompt
from registry import gates
from registry.models import Asset, Version
from registry.reads import get_asset, get_version

# Errors that a run on save was refused with are kept, and only so much of each.
LONGEST_MESSAGE = 2_000


def person(by: Actor) -> User:
    if by.user is None:
        raise Forbidden("Sign in to work with tests.")
    return by.user


def actor_for(run: SuiteRun) -> Actor:
    """Tasks act for whoever started the run."""
    return Actor(run.created_by, via="task")


def target_of(run: SuiteRun) -> Target:
    return Target("test_run", run.pk, str(run), run.digest)


def about(run: SuiteRun) -> list[Target]:
    """What a run belongs to the life of."""
    found = [prompt_target(run.prompt)]
    if run.version is not None:
        found.append(Target("prompt_version", run.version.pk, run.subject, run.version.digest))
    return found


def prompt_target(prompt: Prompt) -> Target:
    return Target("prompt", prompt.pk, str(prompt))


def dataset_of(prompt: Prompt, suite: SuiteContent, by: Actor) -> Version:
    """The version whose rows are cases: the pinned one, the one at the alias, or the newest registered."""
    assert suite.rows is not None
    try:
        dataset = get_asset(by, Asset.Kind.DATASET, suite.rows.dataset)
        if dataset.team_id != prompt.team_id:
            raise Invalid(
                "rows.dataset",
                f"{dataset} belongs to another team. Results show its rows to everybody who sees {prompt}: copy it to that team.",
            )
        gates.check_read(by, dataset)
        if suite.rows.version is not None:
            found: Version | None = get_version(by, dataset, suite.rows.version)
        elif suite.rows.alias:
            found = _at(dataset, suite.rows.alias)
        else:
            found = dataset.versions.registered().order_by("-number").first()
    except NotFound as missing:
        raise Invalid("rows.dataset", missing.detail) from None
    if found is None or not found.is_registered:
        raise Invalid("rows.dataset", f"{dataset} has no registered version yet.")
    found.asset = dataset
    return found


def _at(dataset: Asset, alias: str) -> Version:
    found = Version.objects.filter(asset=dataset, aliases__name=alias).first()
    if found is None:
        raise Invalid("rows.alias", f"{dataset} has no alias '{alias}'.")
    return found


def end_run(run: SuiteRun, state: str, *, message: str, by: Actor, action: Action) -> None:
    before = {"state": run.state}
    run.state, run.message, run.finished_at, run.lease_owner = state, message, timezone.now(), ""
    run.save(update_fields=["state", "message", "finished_at", "lease_owner", "green"])
    after: dict[str, Any] = {"state": state, "done": run.done, "total": run.total, "passed": run.passed}
    if run.green is not None:
        after["green"] = run.green
    record(
        action,
        by=by,
        team=run.team.name,
        target=target_of(run),
        also=about(run),
        before=before,
        after=after,
        reason=message,
    )
