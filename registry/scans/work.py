"""The worker's side: the bytes of a version that nobody has looked at yet go through the sandbox."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from io import UnsupportedOperation
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.db import transaction
from django.utils import timezone

from registry import blobs, confined, storage
from registry.models import Blob, BlobScan, Version
from registry.scanners.forms import form_of
from registry.scans.results import SCANNER, FileResult, ScanState, Verdict, files_of, state_of

BATCH = 64
_ENTRY = "registry.scanners.main:scan"
_BYTES_PER_S = 20 << 20  # at which a file is looked through on a busy machine


def scan_version(version: Version) -> ScanState:
    """Scan what is not scanned yet, or failed, and return where it stands. Twice is once."""
    files = files_of(version)
    todo = [file for file in files if file.scan is None or file.scan.verdict == Verdict.ERROR]
    different = {(file.sha256, form_of(file.path)): file for file in todo}
    waiting = list(different.values())
    while waiting:
        waiting = [*_scan(waiting[:BATCH]), *waiting[BATCH:]]
    return state_of(version) if todo else state_of(version, files)


def _scan(files: Sequence[FileResult]) -> list[FileResult]:
    """One run of the sandbox. Returns the files behind one on which it died: they had no turn."""
    with ExitStack() as stack:
        there: list[FileResult] = []
        handles: list[BinaryIO] = []
        for file in files:
            try:
                handles.append(opened(file.sha256, stack))
                there.append(file)
            except FileNotFoundError:
                _keep(file, Verdict.ERROR, [_said("Its bytes are not in the storage.")], {})
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="countersign-scan-")))
        size = sum(file.size for file in there)
        limits = confined.Limits(wall_s=120 + size / _BYTES_PER_S, cpu_s=int(90 + size / _BYTES_PER_S))
        request = {"files": [{"path": f.path, "form": form_of(f.path), "size": f.size} for f in there]}
        run = confined.run(_ENTRY, request, files=handles, folder=folder, limits=limits)
        done = 0
        for number, findings in _answers(run):
            if number != done or number >= len(there):
                break
            _keep(there[number], _verdict(findings), findings, run.outcome.sandbox)
            done += 1
    if done >= len(there):
        return []
    why = run.outcome.died or "it said something else than it should"
    _keep(there[done], Verdict.ERROR, [_said(f"The scan ended early: {why}.")], run.outcome.sandbox)
    return there[done + 1 :]


def _answers(run: confined.Confined) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    for answer in run:
        if isinstance(answer.get("done"), int) and isinstance(answer.get("findings"), list):
            yield answer["done"], answer["findings"]


def _verdict(findings: list[dict[str, Any]]) -> BlobScan.Verdict:
    if any(found["level"] == "unsafe" for found in findings):
        return Verdict.UNSAFE
    return Verdict.NOTES if findings else Verdict.CLEAN


def _said(text: str) -> dict[str, Any]:
    return {"level": "unsafe", "kind": "error", "text": text, "remedy": "It is tried again within the hour."}


def _keep(file: FileResult, verdict: BlobScan.Verdict, findings: list[dict[str, Any]], sandbox: dict[str, Any]) -> None:
    with transaction.atomic():
        # A version that was purged meanwhile takes its bytes with it; then there is nothing to say it of.
        blobs.lock(file.sha256)
        if Blob.objects.filter(pk=file.sha256).exists():
            BlobScan.objects.update_or_create(
                blob_id=file.sha256,
                form=form_of(file.path),
                defaults={
                    "scanner": SCANNER,
                    "verdict": verdict,
                    "findings": findings,
                    "sandbox": sandbox,
                    "scanned_at": timezone.now(),
                },
            )


def opened(sha256: str, stack: ExitStack) -> BinaryIO:
    """A blob as a file that a process can be handed; one that lies elsewhere is fetched first."""
    stream = stack.enter_context(storage.open_blob(sha256))
    try:
        stream.fileno()
    except (AttributeError, OSError, UnsupportedOperation):
        copy = cast(BinaryIO, stack.enter_context(tempfile.TemporaryFile()))  # noqa: SIM115 - the stack closes it
        shutil.copyfileobj(stream, copy, storage.BLOCK)
        copy.flush()
        copy.seek(0)
        return copy
    return stream
