"""One check of a policy held against the evidence: passed, failed, or waiting for evidence, always saying which and what to do."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.models import Evidence
from governance.policies import builtin, prompt_tests
from governance.policies.book import Book, dataset_of, figures_of, version_of
from governance.policies.results import FAILED, PASSED, WAITING, CheckResult, too_old
from governance.policies.subject import Subject
from governance.rules import CardCheck, Check, LicenceCheck, LineageCheck, MetricCheck, PromptTestsCheck, ScanCheck
from governance.rules.checks import CARD_FIELDS, words

Kind = Evidence.Kind
_WHICH = {"lower": "lower bound ", "upper": "upper bound ", "value": ""}


def judge(check: Check, subject: Subject, book: Book, as_of: datetime | None = None) -> CheckResult:
    """`as_of`: by the evidence that there was then."""
    if isinstance(check, MetricCheck):
        return _metric(check, subject, book, as_of)
    if isinstance(check, ScanCheck):
        return _scan(check, subject, book, as_of)
    if isinstance(check, LicenceCheck):
        return _licence(check, subject, book, as_of)
    if isinstance(check, PromptTestsCheck):
        return prompt_tests.judge(check, subject, book, as_of)
    if isinstance(check, LineageCheck):
        return _lineage(check, subject, book, as_of)
    return _card(check, subject, book, as_of)


def _result(check: Check, good: bool, detail: str, evidence: Evidence, compared: str = "") -> CheckResult:
    return CheckResult(check.title, PASSED if good else FAILED, detail, evidence.link, evidence.digest, compared)


def _newest(subject: Subject, kind: str, book: Book, as_of: datetime | None) -> Evidence | None:
    return next(iter(book.about(subject.digest, kind, as_of)), None)


def _card(check: CardCheck, subject: Subject, book: Book, as_of: datetime | None) -> CheckResult:
    evidence = _newest(subject, Kind.CARD, book, as_of)
    if evidence is None:
        return CheckResult(check.title, WAITING, "The card of this version has not been checked.")
    if not check.fields:
        missing = [str(what) for what in evidence.payload.get("missing", [])]
        good = bool(evidence.payload.get("complete"))
        says = "Intended use, limits, training data and licence are there."
        if subject.kind == "dataset":
            says = "Intended use, limits and licence are there."
        return _result(check, good, says if good else f"Missing: {', '.join(missing)}.", evidence)
    fields = evidence.payload.get("fields") or {}
    absent = [CARD_FIELDS.get(name, words(name)) for name in check.fields if fields.get(name) in (None, "", [], {})]
    says = f"Missing: {', '.join(absent)}." if absent else "All of it is there."
    return _result(check, not absent, says, evidence)


def _scan(check: ScanCheck, subject: Subject, book: Book, as_of: datetime | None) -> CheckResult:
    evidence = _newest(subject, Kind.SCAN, book, as_of)
    if evidence is None:
        return CheckResult(check.title, WAITING, "The files of this version have not been scanned yet.")
    if old := too_old(evidence, check.max_age_days, as_of):
        return CheckResult(check.title, WAITING, f"The scan is {old}: scan it again.", evidence.link)
    if evidence.payload.get("verdict") == "error":
        return CheckResult(check.title, WAITING, builtin.says(evidence), evidence.link)
    return _result(check, builtin.is_safe(evidence), builtin.says(evidence), evidence)


def _licence(check: LicenceCheck, subject: Subject, book: Book, as_of: datetime | None) -> CheckResult:
    evidence = _newest(subject, Kind.CARD, book, as_of)
    if evidence is None:
        return CheckResult(check.title, WAITING, "The card of this version has not been read.")
    licence = str(evidence.payload.get("licence") or "")
    if not licence:
        return _result(check, False, "The card names no licence: put 'license:' into its front matter.", evidence)
    allowed = {one.casefold() for one in check.allow}
    return _result(check, licence_allowed(licence, allowed), f"The card says {licence}.", evidence)


def licence_allowed(expression: str, allowed: set[str]) -> bool:
    """Does an SPDX expression without brackets allow use under these (lower case)? 'A OR B' needs one of them, 'A AND B' both."""
    either = " ".join(expression.casefold().split()).split(" or ")
    return any(all(part in allowed for part in choice.split(" and ")) for choice in either)


def _lineage(check: LineageCheck, subject: Subject, book: Book, as_of: datetime | None) -> CheckResult:
    evidence = _newest(subject, Kind.LINEAGE, book, as_of)
    if evidence is None:
        return CheckResult(check.title, WAITING, "Nothing is recorded of where this version comes from.")
    missing = [str(what) for what in evidence.payload.get("missing", [])]
    sources = ", ".join(str(source) for source in evidence.payload.get("sources", []))
    good = bool(evidence.payload.get("complete"))
    return _result(check, good, f"From {sources}." if good else f"Missing: {', '.join(missing)}.", evidence)


@dataclass(frozen=True)
class _Measured:
    """The evaluation that counts for a check, or why none does."""

    evidence: Evidence | None
    figures: dict[str, Any]
    why_not: str = ""


def _metric(check: MetricCheck, subject: Subject, book: Book, as_of: datetime | None) -> CheckResult:
    found = _measured(check, subject.digest, book, as_of)
    if found.evidence is None:
        return CheckResult(check.title, WAITING, found.why_not)
    if check.against:
        return _against_production(check, found, subject, book, as_of)
    number = found.figures[check.bound]
    good = (check.minimum is None or number >= check.minimum) and (check.maximum is None or number <= check.maximum)
    return _result(check, good, _figures_text(check, found), found.evidence)


def _figures_text(check: MetricCheck, found: _Measured) -> str:
    figures = found.figures
    assert found.evidence is not None
    text = f"{_WHICH[check.bound]}{figures[check.bound]:.4g}".capitalize() + (
        f" ({figures['value']:.4g}, 95 % interval {figures['lower']:.4g} to {figures['upper']:.4g}, n = {figures['n']})"
    )
    # Which rows it was measured on is part of the statement.
    return f"{text} on {_rows_of(found.evidence)}"


def _rows_of(evidence: Evidence) -> str:
    dataset = dataset_of(evidence)
    return f"{dataset.get('label', '')}" + (f" version {dataset['version']}" if "version" in dataset else "")


def _measured(check: MetricCheck, digest: str, book: Book, as_of: datetime | None) -> _Measured:
    """The newest evaluation of these bytes that counts: on the dataset asked for, as it is now, by the metric as it is now."""
    on = f" on {check.dataset}" if check.dataset else ""
    on += f" version {check.dataset_version}" if check.dataset_version else ""
    why = f"No evaluation{on} of these bytes measured {check.metric} yet."
    first = True
    for evidence in book.about(digest, Kind.EVALUATION, as_of):
        figures = figures_of(evidence, check.metric)
        dataset = dataset_of(evidence)
        if not figures or (check.dataset and dataset.get("label") != check.dataset):
            continue
        if check.dataset_version and dataset.get("version") != check.dataset_version:
            continue
        unfit = _unfit(check, evidence, figures, book, as_of)
        if not unfit:
            return _Measured(evidence, figures)
        if first:  # of the newest one only: the older ones are no better
            why, first = unfit, False
    return _Measured(None, {}, why)


def _unfit(check: MetricCheck, evidence: Evidence, figures: dict[str, Any], book: Book, as_of: datetime | None) -> str:
    """Why this evaluation does not count; '' when it does."""
    dataset = dataset_of(evidence)
    label = str(dataset.get("label", ""))
    newest = None if check.dataset_version else book.newest_version(label, as_of)
    if newest and newest.get("digest") != dataset.get("digest") and newest["version"] > dataset.get("version", 0):
        return (
            f"Measured on {_rows_of(evidence)}, and version {newest['version']} is the newest: evaluate on that one, or pin "
            "the version in the policy."
        )
    measured_by = version_of(figures)
    if measured_by and (now := book.metric_version(check.metric, as_of)) > measured_by:
        return f"Measured by version {measured_by} of {check.metric}, and version {now} is in use: evaluate again."
    old = too_old(evidence, check.max_age_days, as_of)
    return f"The evaluation is {old}: evaluate again." if old else ""


def _against_production(
    check: MetricCheck, found: _Measured, subject: Subject, book: Book, as_of: datetime | None
) -> CheckResult:
    """The candidate's bound against production's value on the same version of the dataset."""
    assert found.evidence is not None
    text = _figures_text(check, found)
    incumbent = subject.incumbent
    if incumbent is None:
        return _result(check, True, f"{text}. Nothing is in production yet to be compared with.", found.evidence)
    theirs = _same_rows(check.metric, found, incumbent.digest, book, as_of)
    if theirs is None:
        detail = (
            f"{text}. Production's {incumbent.name} was not measured on {_rows_of(found.evidence)}: evaluate it there."
        )
        return CheckResult(check.title, WAITING, detail, found.evidence.link, found.evidence.digest)
    there = float(figures_of(theirs, check.metric)["value"])
    number = float(found.figures[check.bound])
    good = number >= there + check.margin if check.better == "higher" else number <= there - check.margin
    return _result(
        check, good, f"{text}; production's {incumbent.name} has {there:.4g} there", found.evidence, theirs.digest
    )


def _same_rows(metric: str, found: _Measured, digest: str, book: Book, as_of: datetime | None) -> Evidence | None:
    """The newest evaluation of production's bytes on the same rows by the same definition of the metric."""
    assert found.evidence is not None
    rows = dataset_of(found.evidence)
    same = (rows.get("label"), rows.get("digest"), version_of(found.figures))
    for evidence in book.about(digest, Kind.EVALUATION, as_of):
        figures, dataset = figures_of(evidence, metric), dataset_of(evidence)
        if figures and (dataset.get("label"), dataset.get("digest"), version_of(figures)) == same:
            return evidence
    return None
