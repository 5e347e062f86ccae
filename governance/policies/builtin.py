"""What holds for the protected stages of everything that has files, whatever a policy says: nothing unsafe, and nothing that was not
scanned. A policy lifts it by saying so ('unsafe_files': 'allowed'), or takes its place by a scan check of its own."""

from datetime import datetime

from accounts.models import Team
from governance.models import Evidence
from governance.policies.book import Book
from governance.policies.results import FAILED, PASSED, WAITING, CheckResult
from governance.policies.subject import Subject
from governance.rules import Rules, ScanCheck

TITLE = "Built in: no unsafe files"
KINDS = frozenset({"model", "dataset"})
SAFE = frozenset({"clean", "notes"})


def applies(kind: str, rules: Rules) -> bool:
    """Is the line part of what these rules ask for?"""
    if kind not in KINDS or rules.terms.unsafe_files == "allowed":
        return False
    return not any(isinstance(check, ScanCheck) for check in rules.checks)


def lines(subject: Subject, rules: Rules, book: Book, as_of: datetime | None = None) -> list[CheckResult]:
    """The built-in line, judged by the newest scan; none where it does not apply."""
    if not applies(subject.kind, rules):
        return []
    evidence = next(iter(book.about(subject.digest, Evidence.Kind.SCAN, as_of)), None)
    if evidence is None:
        return unscanned()
    said = says(evidence)
    if evidence.payload.get("verdict") == "error":
        return [CheckResult(TITLE, WAITING, said, evidence.link)]
    state = PASSED if is_safe(evidence) else FAILED
    return [CheckResult(TITLE, state, said, evidence.link, evidence.digest)]


def unscanned() -> list[CheckResult]:
    return [CheckResult(TITLE, WAITING, "The files of this version have not been scanned yet.")]


def is_safe(evidence: Evidence) -> bool:
    return evidence.payload.get("verdict") in SAFE


def says(evidence: Evidence) -> str:
    """The scan in a sentence or two: its first findings, or that there are none."""
    scanner = evidence.payload.get("scanner", "")
    findings = evidence.payload.get("findings") or []
    notes = evidence.payload.get("notes") or []
    if is_safe(evidence):
        beside = f", {len(notes)} note{'' if len(notes) == 1 else 's'}" if notes else ""
        return f"Nothing unsafe found{beside} ({scanner})."
    told = "; ".join(f"{found.get('path', '')}: {found.get('text', '')}" for found in findings[:3])
    more = f"; and {len(findings) - 3} more" if len(findings) > 3 else ""
    return f"{told}{more} ({scanner})"


def newest_scan(team: Team, digest: str) -> Evidence | None:
    rows = Evidence.objects.filter(team=team, kind=Evidence.Kind.SCAN, subject_digest=digest)
    return rows.order_by("-id").first()
