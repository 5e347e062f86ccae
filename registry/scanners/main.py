"""What the sandbox runs: every finder over every file, an answer per file as soon as it is known."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from registry.scanners import archives, graphs, pickles, programs, secrets, templates
from registry.scanners.samples import UNSAFE, Finding, Sample

MAX_FINDINGS = 100
_FINDERS: tuple[Callable[[Sample], Iterator[Finding]], ...] = (
    programs.find,
    pickles.find,
    archives.find,
    templates.find,
    graphs.find,
    secrets.find,
)


def scan(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """request: {"files": [{"path", "form", "size"}], "handles": [descriptor]}. Yields {"begin": n}, then {"done": n, "findings"}."""
    for number, (entry, handle) in enumerate(zip(request["files"], request["handles"], strict=True)):
        yield {"begin": number}
        with os.fdopen(os.dup(handle), "rb", buffering=1 << 18) as stream:
            findings = _look(Sample(entry["path"], entry["form"], int(entry["size"]), stream))
        yield {"done": number, "findings": findings}


def _look(sample: Sample) -> list[dict[str, Any]]:
    found: list[Finding] = []
    for finder in _FINDERS:
        try:
            for finding in finder(sample):
                found.append(finding)
                if len(found) > 10 * MAX_FINDINGS:
                    break
        except MemoryError:
            raise
        except Exception as error:  # a file that trips a finder is not cleared by it
            name = finder.__module__.rpartition(".")[2]
            found.append(
                Finding(UNSAFE, "unreadable", f"Looking for {name} failed on it ({type(error).__name__}: {error}).")
            )
    found.sort(key=lambda finding: finding.level != UNSAFE)
    return [finding.as_json() for finding in found[:MAX_FINDINGS]]
