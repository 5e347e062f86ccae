"""Keeps the processes of one instance running: starts them in order, restarts what dies, and leaves nothing behind.

Everything that starts a process happens on the main thread (see Command.popen); probes run on threads of their own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from types import FrameType

from config.embedded.process import Command, tail
from config.orphans import MARK, become_subreaper, kill_descendants, kill_group, reap

LOG_BYTES = 10 * 1024 * 1024
LOGS_KEPT = 2
STEADY_S = 30.0
PAUSES_S = (0.3, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
TRIES = 3
GRACE_S = 8.0


@dataclass
class Child:
    """A process to keep running or, with `once`, to run to its end, as soon as every child in `after` has been ready.

    `ready` is asked until it says so; without it, a process counts as ready when it runs (`once`: when it ends with
    status 0). `needed` may say that a `once` child has nothing to do. `prepare` runs before each start, `then` each time
    that it has become ready. If an `essential` child can't start, the supervisor ends; others are tried again for ever.
    `stdout`, if given, is a private file for its output, which else goes to its log.
    """

    name: str
    command: Command
    after: tuple[str, ...] = ()
    ready: Callable[[], bool] | None = None
    needed: Callable[[], bool] | None = None
    prepare: Callable[[], None] | None = None
    then: Callable[[], None] | None = None
    once: bool = False
    essential: bool = True
    stdout: Path | None = None
    state: State = field(default_factory=lambda: State(), init=False)


@dataclass
class State:
    """What the supervisor knows about a child. `answers` is set by the probe's thread, all else by the main thread."""

    process: Popen[bytes] | None = None
    answers: bool = False
    announced: bool = False  # `then` has run since this start
    ever_ready: bool = False
    over: bool = False  # not to be started (again)
    started_at: float = 0.0
    due_at: float = 0.0
    streak: int = 0  # ends in a row, each after a short life


class Supervisor:
    """Runs `children` until a signal comes; `say` gets each piece of news as one line."""

    def __init__(
        self, data: Path, env: Mapping[str, str], children: Iterable[Child], say: Callable[[str], None]
    ) -> None:
        self.env = {**os.environ, **env, MARK: str(data)}
        self.children = {child.name: child for child in children}
        self.say = say
        self.logs = data / "logs"
        self.failure: str | None = None
        self._signals: list[int] = []
        self._rotated_at = 0.0

    def run(self, *, tick: Callable[[], None] = lambda: None) -> int:
        """Start everything and stay until SIGINT, SIGTERM or SIGHUP, or until an essential child can't start.

        Returns the exit status. `tick` is called several times a second.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        become_subreaper()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        try:
            while not self._signals and self.failure is None:
                self._reap()
                self._start_due()
                self._notice_ready()
                self._rotate_logs()
                tick()
                time.sleep(0.05 if self.starting else 0.25)
        finally:
            self.stop()
        if self.failure is not None:
            self.say(self.failure)
            return 1
        return 0

    @property
    def starting(self) -> list[str]:
        """Names of the services that are still to become ready for the first time."""
        return [
            child.name
            for child in self.children.values()
            if not child.once and not child.state.ever_ready and not child.state.over
        ]

    def log(self, child: Child) -> Path:
        return self.logs / f"{child.name}.log"

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self.children.values():
            state = child.state
            if state.process is not None or state.over or now < state.due_at:
                continue
            if not all(self.children[name].state.ever_ready for name in child.after if name in self.children):
                continue
            try:
                if child.needed is not None and not child.needed():
                    state.over = state.ever_ready = True
                    continue
                self._start(child)
            except Exception as error:  # one service's preparation must not end the others, whatever it raises
                self._note_end(child, f"{child.name} could not be started: {error}")

    def _start(self, child: Child) -> None:
        if child.prepare:
            child.prepare()
        state = child.state
        with self.log(child).open("ab") as log:
            if child.stdout is None:
                state.process = child.command.popen(output=log, env=self.env)
            else:
                descriptor = os.open(child.stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(descriptor, "wb") as output:
                    state.process = child.command.popen(output=output, errors=log, env=self.env)
        state.started_at = time.monotonic()
        state.announced = False
        state.answers = child.ready is None and not child.once
        if child.ready is not None:
            threading.Thread(target=self._probe, args=(child, child.ready, state.process), daemon=True).start()

    def _probe(self, child: Child, ready: Callable[[], bool], process: Popen[bytes]) -> None:
        while child.state.process is process and not self._signals:
            if ready():
                if child.state.process is process:
                    child.state.answers = True
                return
            time.sleep(0.05)

    def _notice_ready(self) -> None:
        for child in self.children.values():
            state = child.state
            if state.process is None or not state.answers or state.announced:
                continue
            if not self._complete(child):
                kill_group(state.process.pid)
                continue
            state.announced = True
            took_s = time.monotonic() - state.started_at
            self.say(f"{child.name} is back" if state.ever_ready else f"{child.name} is ready ({took_s:.1f} s)")
            state.ever_ready = True

    def _complete(self, child: Child) -> bool:
        """Run what is to be done when the child is ready; whether that went well."""
        try:
            if child.then:
                child.then()
        except Exception as error:  # as above
            self.say(f"{child.name} could not be set up: {error}")
            return False
        return True

    def _reap(self) -> None:
        by_pid = {child.state.process.pid: child for child in self.children.values() if child.state.process}
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            if found.si_pid in by_pid:
                self._on_end(by_pid.pop(found.si_pid))
            else:
                reap(found.si_pid)  # an orphan of some child: they come to us, the subreaper

    def _on_end(self, child: Child) -> None:
        state = child.state
        assert state.process is not None
        status = state.process.wait()
        # What it left behind in its group would keep its port or its files.
        kill_group(state.process.pid)
        state.process = None
        state.answers = False
        if child.once and status == 0 and self._complete(child):
            state.over = state.ever_ready = True
            self.say(f"{child.name} is done ({time.monotonic() - state.started_at:.1f} s)")
            return
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        self._note_end(child, f"{child.name} {how}")

    def _note_end(self, child: Child, news: str) -> None:
        """Decide what follows from the end of a child that should have gone on: another start, or giving up."""
        state = child.state
        steady = state.announced and time.monotonic() - state.started_at > STEADY_S
        state.streak = 1 if steady else state.streak + 1
        hopeless = child.once or (not state.ever_ready and state.streak >= TRIES)
        if hopeless and child.essential:
            self.failure = f"{news}. The end of {self.log(child)}:\n{tail(self.log(child))}"
            return
        if child.once:
            state.over = True
            self.say(f"{news}; the rest goes on. The end of {self.log(child)}:\n{tail(self.log(child))}")
            return
        pause_s = PAUSES_S[min(state.streak, len(PAUSES_S)) - 1]
        state.due_at = time.monotonic() + pause_s
        self.say(f"{news}; it is started again in {pause_s:g} s ({self.log(child)})")

    def stop(self) -> None:
        """Stop the children, those that others depend on last, then kill whatever is left."""
        while running := {name: child for name, child in self.children.items() if child.state.process is not None}:
            needed = {name for child in running.values() for name in self._foundations(child)}
            self._stop_together([child for name, child in running.items() if name not in needed])
        kill_descendants()

    def _foundations(self, child: Child) -> set[str]:
        """Everything that the child depends on, directly or not."""
        direct = {name for name in child.after if name in self.children}
        return direct.union(*(self._foundations(self.children[name]) for name in direct))

    def _stop_together(self, children: list[Child]) -> None:
        for child in children:
            assert child.state.process is not None
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.state.process.pid, child.command.stop_signal)
        deadline = time.monotonic() + GRACE_S
        for child in children:
            process = child.state.process
            assert process is not None
            while process.poll() is None and time.monotonic() < deadline and len(self._signals) < 2:
                time.sleep(0.02)
            kill_group(process.pid)
            process.wait()
            child.state.process = None

    def _rotate_logs(self) -> None:
        """Keep each log below LOG_BYTES. It is copied and cut, since its writers keep it open, to append."""
        now = time.monotonic()
        if now - self._rotated_at < 5:
            return
        self._rotated_at = now
        for log in self.logs.glob("*.log"):
            if log.stat().st_size < LOG_BYTES:
                continue
            for number in range(LOGS_KEPT, 1, -1):
                older = log.with_suffix(f".log.{number - 1}")
                if older.exists():
                    older.replace(log.with_suffix(f".log.{number}"))
            shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)
