"""What the supervisor, the tests and the one-shot programs need to know to run a program: argv, environment, signals."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

LAUNCHER = str(Path(__file__).with_name("launch.py"))


class ServiceFailed(Exception):
    """An embedded service didn't start; the message has the end of its log."""


@dataclass(frozen=True)
class Command:
    """A program to run in the foreground.

    `stop_signal` asks it to end in good order; `death_signal` is what the kernel sends it if its parent is killed.
    `privilege` is as in launch.py.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGTERM
    privilege: str = "keep"

    def launched_argv(self) -> list[str]:
        """The argument vector that starts it as a child that can't outlive this process."""
        return [
            sys.executable, "-I", "-S", LAUNCHER,
            str(os.getpid()), str(int(self.death_signal)), self.privilege, *self.argv,
        ]  # fmt: skip

    def popen(
        self, *, output: IO[bytes], errors: IO[bytes] | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start it in a session (and so a process group) of its own; `errors` go to `output` unless said otherwise.

        Call it from the main thread: the kernel takes the end of the *thread* that started it for its parent's death.
        """
        return subprocess.Popen(
            self.launched_argv(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors or subprocess.STDOUT,
            env={**(os.environ if env is None else env), **self.env},
            cwd=self.cwd,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals, *, timeout_s: float = 10) -> None:
    """Ask `process` to end, and kill its whole group if it hasn't after `timeout_s`."""
    if process.poll() is None:
        process.send_signal(stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout_s)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Running:
    """A service started on its own, outside the supervisor (tests, one-shot commands); stop it, or use it with `with`."""

    def __init__(self, name: str, command: Command, *, log: Path, ready: Callable[[], bool], timeout_s: float) -> None:
        self.command = command
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self.process = command.popen(output=output)
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                stop(self.process, command.stop_signal)
                raise ServiceFailed(f"{name} did not start. The end of {log}:\n{tail(log)}")
            time.sleep(0.03)

    def stop(self) -> None:
        """End it in good order; harmless when it has ended already."""
        stop(self.process, self.command.stop_signal)


def tail(log: Path, *, lines: int = 15) -> str:
    """The last lines of a log file, for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"
