"""The tests of a prompt held against a policy: passed, failed, or waiting, always saying which run and what to do."""

from datetime import datetime
from typing import Any

from governance.models import Evidence
from governance.policies.book import Book, dataset_of, pointers_of, suite_of
from governance.policies.results import FAILED, PASSED, WAITING, CheckResult, too_old
from governance.policies.subject import Subject
from governance.rules import PromptTestsCheck

Kind = Evidence.Kind


def judge(check: PromptTestsCheck, subject: Subject, book: Book, as_of: datetime | None) -> CheckResult:
    """By the newest run of these bytes that counts: of the tests as they are now, on the dataset as it is now, with the models."""
    found = book.about(subject.digest, Kind.PROMPT_TESTS, as_of)
    if not found:
        return CheckResult(check.title, WAITING, "The tests were not run on this version yet: run them.")
    why = ""
    for evidence in found:
        unfit = _unfit(check, evidence, book, as_of)
        if not unfit:
            return _held(check, evidence)
        why = why or unfit  # of the newest one: the older ones are no better
    return CheckResult(check.title, WAITING, why, found[0].link)


def _unfit(check: PromptTestsCheck, evidence: Evidence, book: Book, as_of: datetime | None) -> str:
    """Why this run does not count, and what to do; '' when it does."""
    if why := outdated(evidence, book, as_of):
        return f"{why[0].upper()}{why[1:]}. Run the tests again."
    asked = _by_model(evidence)
    if missing := [name for name in check.models if name not in asked]:
        return f"Not tested with {' and '.join(missing)}, only with {' and '.join(asked)}: name it in the tests and run them."
    old = too_old(evidence, check.max_age_days, as_of)
    return f"The run is {old}: run the tests again." if old else ""


def outdated(evidence: Evidence, book: Book, as_of: datetime | None = None) -> str:
    """Why what was tested then is not what there is now, as part of a sentence: other tests, newer rows, a label or an alias that points
    elsewhere. '' when it is."""
    suite, dataset = suite_of(evidence), dataset_of(evidence)
    newest = book.newest_suite(str(suite.get("key", "")), as_of)
    if newest is not None and newest.get("digest") != suite.get("digest"):
        return (
            f"the tests were changed on {_day(newest)}: it was tested by revision {suite.get('revision')}, and revision "
            f"{newest.get('revision')} holds now"
        )
    rows = None if dataset.get("pinned") else book.newest_version(str(dataset.get("label", "")), as_of)
    if rows and rows.get("digest") != dataset.get("digest") and rows["version"] > dataset.get("version", 0):
        return f"it was tested on {dataset['label']} version {dataset.get('version')}, and version {rows['version']} is the newest"
    for then in pointers_of(evidence):
        now = book.newest_pointer(str(then["key"]), as_of)
        if now is not None and now.get("digest") != then["digest"]:
            where = f"version {now['version']}" if now.get("version") else "nothing"
            return f"it was tested with {then['name']} at version {then['version']}, which points at {where} since {_day(now)}"
    return ""


def _day(row: dict[str, Any]) -> str:
    return f"{row['since']:%-d %b %Y}"


def _held(check: PromptTestsCheck, evidence: Evidence) -> CheckResult:
    asked = _by_model(evidence)
    counted = {name: asked[name] for name in check.models} if check.models else asked
    lines = [_says(name, counts) for name, counts in counted.items()]
    if check.models:
        good = all(_enough(check, counts) for counts in counted.values())
    else:
        total = {what: sum(counts[what] for counts in counted.values()) for what in ("passed", "total")}
        good = _enough(check, total)
    suite, dataset = suite_of(evidence), dataset_of(evidence)
    on = f", with rows of {dataset['label']} version {dataset.get('version')}" if dataset.get("label") else ""
    detail = f"{'; '.join(lines)} (revision {suite.get('revision')} of the tests{on})."
    return CheckResult(check.title, PASSED if good else FAILED, detail, evidence.link, evidence.digest)


def _says(name: str, counts: dict[str, int]) -> str:
    share = 100 * counts["passed"] / counts["total"] if counts["total"] else 0.0
    return f"{counts['passed']} of {counts['total']} pass with {name}, {share:.3g} %"


def _enough(check: PromptTestsCheck, counts: dict[str, int]) -> bool:
    # As a product: a share such as 0.95 of 20 is 19, whatever its last binary digit.
    return counts["total"] > 0 and counts["passed"] >= check.share * counts["total"] - 1e-9


def _by_model(evidence: Evidence) -> dict[str, dict[str, int]]:
    found: dict[str, Any] = evidence.payload.get("by_model") or {}
    return {name: {what: int(counts.get(what, 0)) for what in ("passed", "total")} for name, counts in found.items()}
