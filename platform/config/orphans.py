"""Leaving no process behind, and keeping a second supervisor off the same data folder."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import psutil

PR_SET_CHILD_SUBREAPER = 36
# Every process of an instance carries this variable; its value is the instance's data folder.
MARK = "COUNTERSIGN_SUPERVISED"


class AlreadyRunning(Exception):
    """Another supervisor holds this data folder; the message says which process, and what to do."""


def become_subreaper() -> None:
    """Inherit the orphans of one's descendants, so that they can be found and ended (Linux; elsewhere nothing happens)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap(pid: int) -> None:
    """Collect the exit status of an ended child that nobody waits for."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def kill_group(pid: int) -> None:
    """Kill what is left of the process group of `pid`, which may have ended itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def kill_descendants(*, timeout_s: float = 5.0) -> None:
    """Kill everything that descends from this process, and wait until it is gone."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = psutil.Process().children(recursive=True)
        if not found:
            return
        _kill(found)
        for process in found:
            reap(process.pid)
        time.sleep(0.02)


def kill_leftovers(data: Path, *, patience_s: float = 3.0) -> int:
    """End what a killed supervisor of `data` left running; returns how many processes had to be killed.

    Most of them end by themselves as soon as their supervisor is gone; they get a moment for it.
    """
    deadline = time.monotonic() + patience_s
    while (found := _marked(data)) and time.monotonic() < deadline:
        time.sleep(0.1)
    _kill(found)
    psutil.wait_procs(found, timeout=3)
    return len(found)


def _marked(data: Path) -> list[psutil.Process]:
    own = {os.getpid(), os.getppid()}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in own and process.environ().get(MARK) == str(data):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # ended meanwhile, or another user's
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


class InstanceLock:
    """Holds DATA/supervisor.lock as long as this process lives; the kernel lets go of it however the process ends."""

    def __init__(self, data: Path) -> None:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file: IO[str] = (data / "supervisor.lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            pid = self._file.read().strip() or "unknown"
            self._file.close()
            raise AlreadyRunning(
                f"Countersign already runs on {data} (process {pid}). Stop it with Ctrl-C there or `kill {pid}`, "
                f"or start another one beside it: make run DATA=another-folder PORT=another-port"
            ) from None
        self._file.seek(0)
        self._file.truncate()
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let another supervisor in."""
        self._file.close()
