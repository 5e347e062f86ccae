"""The outside of the sandbox: starting it, reading what it says, and ending it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

_PACKAGE = Path(__file__).resolve().parent.parent
_JAIL = Path(__file__).with_name("jail.py")
MAX_ANSWERS = 16 << 20
_POLL_S = 0.02


@dataclass(frozen=True)
class Limits:
    """What the process may use: seconds by the clock and of the processor, bytes of memory and of any file that it writes."""

    wall_s: float = 120.0
    cpu_s: int = 90
    memory: int = 2 << 30
    file_bytes: int = 64 << 20
    processes: int = 64


@dataclass
class Outcome:
    """What became of the process. `sandbox`: what the kernel held it to, in words; `died`: why it ended early, or ''."""

    sandbox: dict[str, Any] = field(default_factory=dict)
    died: str = ""


class Died(Exception):
    """The process ended before it had said everything; the text says why."""


class Confined:
    """One run. Iterate over it for the answers, then look at `outcome`."""

    def __init__(
        self, entry: str, request: Mapping[str, Any], *, files: Sequence[BinaryIO], folder: Path, limits: Limits
    ) -> None:
        self.entry, self.request, self.files = entry, dict(request), files
        self.folder, self.limits, self.outcome = folder, limits, Outcome()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            process = self._start(out, errors)
            try:
                yield from self._answers(process, out)
            finally:
                _end(process)
            if process.returncode and not self.outcome.died:
                self.outcome.died = _why(process.returncode, errors)

    def _start(self, out: BinaryIO, errors: BinaryIO) -> subprocess.Popen[bytes]:
        handles = [file.fileno() for file in self.files]
        job = {
            "entry": self.entry,
            "request": {**self.request, "handles": handles},
            "package": str(_PACKAGE),
            "folder": str(self.folder),
            "memory": self.limits.memory,
            "cpu_s": self.limits.cpu_s,
            "file_bytes": self.limits.file_bytes,
            "processes": self.limits.processes,
        }
        folder = str(self.folder)
        return subprocess.Popen(
            [sys.executable, "-I", "-B", "-X", "utf8", str(_JAIL), json.dumps(job)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": folder,
                "TMPDIR": folder,
                "OMP_NUM_THREADS": "1",
                "LC_ALL": "C.UTF-8",
            },
            pass_fds=handles,
            start_new_session=True,
            cwd=folder,
        )

    def _answers(self, process: subprocess.Popen[bytes], out: BinaryIO) -> Iterator[dict[str, Any]]:
        ends, place, rest = time.monotonic() + self.limits.wall_s, 0, b""
        while True:
            over = process.poll() is not None  # asked before the last read, so that nothing is left unread
            # pread: the file's offset is the child's too.
            block = os.pread(out.fileno(), 1 << 20, place)
            place += len(block)
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                if answer := self._read(line):
                    yield answer
            if block:
                if place > MAX_ANSWERS:
                    self.outcome.died = "it said more than there is to say"
                    return
                continue
            if over:
                return
            if time.monotonic() > ends:
                self.outcome.died = f"it took longer than {self.limits.wall_s:g} s"
                return
            time.sleep(_POLL_S)

    def _read(self, line: bytes) -> dict[str, Any] | None:
        try:
            answer = json.loads(line)
        except ValueError:
            return None
        if not isinstance(answer, dict):
            return None
        if "sandbox" in answer and not self.outcome.sandbox:
            self.outcome.sandbox = answer["sandbox"]
            return None
        return answer


def run(
    entry: str,
    request: Mapping[str, Any],
    *,
    files: Sequence[BinaryIO] = (),
    folder: Path,
    limits: Limits | None = None,
) -> Confined:
    """Have `entry` ('module:function', a generator of JSON objects, given the request with `handles` of the files) run confined."""
    return Confined(entry, request, files=files, folder=folder, limits=limits or Limits())


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and whatever it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _why(code: int, errors: BinaryIO) -> str:
    if code == -signal.SIGXCPU:
        return "it computed for too long"
    if code == -signal.SIGXFSZ:
        return "it wrote too much"
    errors.seek(0, os.SEEK_END)
    errors.seek(max(0, errors.tell() - 4000))
    last = errors.read().decode("utf-8", "replace").strip().splitlines()
    if any("MemoryError" in line for line in last):
        return "it needs more memory than it may have"
    if code < 0:
        return f"it was ended by signal {-code}"
    return last[-1][:300] if last else f"it ended with {code}"
