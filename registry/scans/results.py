"""What the scans of its bytes say of a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from typing import Any

from registry.models import BlobScan, Version
from registry.scanners.forms import form_of

# Its first number moves with registry.scanners: everything is scanned anew then.
SCANNER = f"countersign 1 (picklescan {installed('picklescan')}, fickling {installed('fickling')})"
MAX_FINDINGS = 100
Verdict = BlobScan.Verdict
_ORDER = [Verdict.CLEAN, Verdict.NOTES, Verdict.ERROR, Verdict.UNSAFE]


@dataclass(frozen=True)
class FileResult:
    """A file of a version and what its bytes were found to be; `scan` None: not looked at yet."""

    path: str
    sha256: str
    size: int
    scan: BlobScan | None

    @property
    def verdict(self) -> str:
        return self.scan.verdict if self.scan else ""

    @property
    def findings(self) -> list[dict[str, Any]]:
        return self.scan.findings if self.scan else []


@dataclass(frozen=True)
class ScanState:
    """Where the scan of a version stands. state: queued, scanning or done; verdict: the worst of its files', '' until all are done."""

    state: str
    verdict: str
    files: Sequence[FileResult]
    scanner: str = SCANNER
    sandbox: dict[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> int:
        return sum(file.scan is not None for file in self.files)

    @property
    def told(self) -> list[FileResult]:
        """The files of which there is something to say, worst first."""
        files = [file for file in self.files if file.findings or file.verdict == Verdict.ERROR]
        return sorted(files, key=lambda file: (-_ORDER.index(Verdict(file.verdict)), file.path))


def files_of(version: Version) -> list[FileResult]:
    """Every file with the scan of its bytes by the scanner in use. Two queries."""
    rows = sorted(version.files.values_list("path", "blob_id", "blob__size"))
    scans = BlobScan.objects.filter(blob__in={sha256 for _, sha256, _ in rows}, scanner=SCANNER)
    found = {(scan.blob_id, scan.form): scan for scan in scans}
    return [FileResult(path, sha256, size, found.get((sha256, form_of(path)))) for path, sha256, size in rows]


def state_of(version: Version, files: Sequence[FileResult] | None = None) -> ScanState:
    files = files_of(version) if files is None else files
    done = [file for file in files if file.scan]
    sandbox: dict[str, Any] = next((file.scan.sandbox for file in done if file.scan and file.scan.sandbox), {})
    if len(done) < len(files):
        return ScanState("scanning" if done else "queued", "", files, sandbox=sandbox)
    return ScanState("done", worst([file.verdict for file in files]), files, sandbox=sandbox)


def worst(verdicts: Sequence[str]) -> str:
    return max((Verdict(verdict) for verdict in verdicts), key=_ORDER.index, default=Verdict.CLEAN).value


def payload_of(state: ScanState) -> dict[str, Any]:
    """What is deposited as evidence. verdict: clean, notes, unsafe or error."""
    findings: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for file in state.files:
        if file.verdict == Verdict.ERROR:
            findings.append({"path": file.path, "text": "The scan failed on it; it is tried again."})
        for found in file.findings:
            entry = {"path": file.path, **{name: value for name, value in found.items() if name != "level"}}
            (findings if found["level"] == "unsafe" else notes).append(entry)
    return {
        "verdict": state.verdict,
        "findings": findings[:MAX_FINDINGS],
        "notes": notes[:MAX_FINDINGS],
        "scanner": state.scanner,
        "sandbox": state.sandbox,
    }
