"""The work of one comparison of weights, in slices: a worker measures for a while, writes down what it has, and lets others run."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from typing import BinaryIO

from registry import storage, tensors
from registry.actions import weights as actions
from registry.comparison import weights
from registry.models import Version, WeightComparison

SLICE_S = 45.0
_NOTE_S = 2.0
_MOST_LISTED = 20


class _Taken(Exception):
    """The lease went to somebody else."""


def measure(row: WeightComparison, slice_s: float = SLICE_S) -> bool:
    """Go on where the last slice ended. True when there is more to do."""
    versions = {
        version.pk: version for version in Version.objects.filter(pk__in=[row.before_version_id, row.after_version_id])
    }
    before, after = versions.get(row.before_version_id), versions.get(row.after_version_id)
    if before is None or after is None or (before.digest, after.digest) != (row.before_digest, row.after_digest):
        actions.finish(row, error="A version of the two is gone.")
        return False
    try:
        return _Slice(row, before, after, slice_s).run()
    except _Taken:
        return False
    except (OSError, EOFError) as error:
        actions.finish(row, error=f"The weights can't be read: {error}")
        return False


class _Slice:
    """One worker's turn."""

    def __init__(self, row: WeightComparison, before: Version, after: Version, slice_s: float) -> None:
        self.row, self.ends = row, time.monotonic() + slice_s
        self.old = {one.tensor.name: one for one in tensors.of_version(before)}
        self.new = {one.tensor.name: one for one in tensors.of_version(after)}
        self.blobs = [dict(version.files.values_list("path", "blob_id")) for version in (before, after)]
        self.lines = actions.unpack(row.tensors)
        self.done, self.noted = row.done_bytes, time.monotonic()
        self._open: dict[str, BinaryIO] = {}

    def run(self) -> bool:
        both = [name for name in self.old if name in self.new]
        wanted = [name for name in both if weights.is_measured(self.old[name].tensor, self.new[name].tensor)]
        total = sum(self.old[name].tensor.size + self.new[name].tensor.size for name in wanted)
        have = {line[0] for line in self.lines}
        self.done = sum(self.old[name].tensor.size + self.new[name].tensor.size for name in wanted if name in have)
        self._note(total_bytes=total)
        with ExitStack() as stack:
            for name in wanted:
                if name in have:
                    continue
                if time.monotonic() > self.ends:
                    return actions.give_back(self.row, tensors=actions.pack(self.lines), done_bytes=self.done)
                self.lines.append(self._one(name, stack))
        summary = self._summary(len(both) - len(wanted))
        actions.finish(self.row, tensors=actions.pack(self.lines), done_bytes=total, total_bytes=total, summary=summary)
        return False

    def _one(self, name: str, stack: ExitStack) -> actions.Line:
        old, new = self.old[name], self.new[name]
        shas = self.blobs[0][old.path], self.blobs[1][new.path]
        if shas[0] == shas[1] and old.tensor.at == new.tensor.at and old.tensor.dtype == new.tensor.dtype:
            self._tick(old.tensor.size + new.tensor.size)
            return name, 0.0, 1.0, 0.0
        found = weights.distance(
            old.tensor, self._stream(shas[0], stack), new.tensor, self._stream(shas[1], stack), self._tick
        )
        return name, found.relative, found.cosine, found.largest

    def _stream(self, sha256: str, stack: ExitStack) -> BinaryIO:
        """One open file per blob and side; of many shards only the last few are needed, and all are closed at the end."""
        if sha256 not in self._open:
            self._open[sha256] = stack.enter_context(storage.open_blob(sha256))
        return self._open[sha256]

    def _tick(self, size: int) -> None:
        self.done += size
        if time.monotonic() - self.noted > _NOTE_S:
            self._note()

    def _note(self, **fields: int) -> None:
        self.noted = time.monotonic()
        if not actions.note(self.row, done_bytes=self.done, **fields):
            raise _Taken

    def _summary(self, unmeasured: int) -> dict[str, object]:
        relative = [line[1] for line in self.lines if line[1] is not None]
        moved = sum(1 for value in relative if value > 0)
        mean = math.sqrt(sum(value * value for value in relative) / len(relative)) if relative else None
        top = sorted((line for line in self.lines if line[1]), key=lambda line: -(line[1] or 0.0))[:_MOST_LISTED]
        return {
            "measured": len(self.lines),
            "moved": moved,
            "same": sum(1 for value in relative if value == 0),
            "unclear": len(self.lines) - len(relative),
            "not_measured": unmeasured,
            "root_mean_square": mean,
            "furthest": [list(line) for line in top],
        }
