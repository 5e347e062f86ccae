"""What governance keeps of tests: which revision of a suite is the newest, and what came of a whole run."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, Q

from accounts.access import Actor
from governance.actions import deposit_evidence
from governance.digests import digest_of
from governance.ledger.actions import Target
from governance.models import Evidence
from governance.pointers import Name
from prompt_tests.models import SuiteRevision, SuiteRun
from prompt_tests.suites import SuiteContent
from prompts.models import Prompt

MOST_INCLUDES = 50


def suite_key(prompt: Prompt) -> str:
    """What a suite is found by, whatever its prompt is called."""
    return digest_of({"suite_of_prompt": prompt.pk})


def deposit_suite(revision: SuiteRevision, *, by: Actor) -> None:
    """From now on runs of other tests count no more."""
    prompt = revision.suite.prompt
    deposit_evidence(
        team=prompt.team,
        kind=Evidence.Kind.TEST_SUITE,
        subject_digest=suite_key(prompt),
        label=str(revision),
        payload={"revision": revision.number, "digest": revision.digest},
        by=by,
        also=[Target("prompt", prompt.pk, str(prompt))],
    )


def deposit_run(run: SuiteRun, suite: SuiteContent, *, by: Actor, also: Sequence[Target]) -> None:
    """The counts of a run that asked everything that the suite asks, with all that it was made of."""
    included = _included(run)
    payload: dict[str, Any] = {
        "run": run.pk,
        "prompt": str(run.prompt),
        "suite": {"key": suite_key(run.prompt), "revision": run.revision.number, "digest": run.revision.digest},
        "models": run.targets,
        "judges": run.judges,
        "repeats": suite.repeats,
        "total": run.total,
        "passed": run.passed,
        "green": run.green,  # by the suite's own bar; a policy sets its own
        "without_answer": run.errors,
        "by_model": _by_model(run),
        "includes": [f"{one['name']} version {one['version']} {one['digest']}" for one in included],
        # Names that move: when one points elsewhere, this was about another text, or on other rows.
        "pointers": [one for one in included if one.get("key")],
    }
    if run.version is not None:
        payload["version"] = run.version.number
    if run.dataset_version is not None:
        assert suite.rows is not None
        payload["dataset"] = {
            "label": str(run.dataset_version.asset),
            "version": run.dataset_version.number,
            "digest": run.dataset_version.digest,
            "pinned": suite.rows.version is not None or bool(suite.rows.alias),
        }
        if suite.rows.alias:
            dataset, alias = run.dataset_version.asset, suite.rows.alias
            name = Name(dataset.kind, dataset.pk, str(dataset), alias, dataset.team_id)
            payload["pointers"].append(name.at(run.dataset_version.number, run.dataset_version.digest))
    deposit_evidence(
        team=run.team,
        kind=Evidence.Kind.PROMPT_TESTS,
        subject_digest=run.digest,
        label=f"Tests of {run.subject}, run {run.pk}"[:300],
        payload=payload,
        link=run.get_absolute_url(),
        by=by,
        also=also,
    )


def _by_model(run: SuiteRun) -> dict[str, dict[str, int]]:
    rows = run.results.order_by().values("model").annotate(total=Count("pk"), passed=Count("pk", filter=Q(passed=True)))
    return {row["model"]: {"total": row["total"], "passed": row["passed"]} for row in rows}


def _included(run: SuiteRun) -> list[dict[str, Any]]:
    """What of other prompts was part of what was tested, each once."""
    found: dict[str, dict[str, Any]] = {}
    for includes in run.results.order_by().values_list("includes", flat=True).distinct()[:MOST_INCLUDES]:
        found |= {f"{one['name']} {one['digest']}": one for one in includes}
    return [found[name] for name in sorted(found)]
