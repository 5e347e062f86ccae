"""The supervisor, run as a process of its own over children that only sleep and leave traces."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

PROGRAM = """
import sys
from pathlib import Path
from config.embedded.process import Command
from config.orphans import InstanceLock, kill_leftovers
from config.supervisor import Child, Supervisor

data = Path(sys.argv[1])
lock = InstanceLock(data)
kill_leftovers(data)

def shell(script, **signals):
    return Command(("sh", "-c", script), cwd=data, **signals)

def exists(name):
    return (data / name).exists

def forget(name):
    return lambda: (data / name).unlink(missing_ok=True)

{children}
sys.exit(Supervisor(data, {{}}, children, lambda news: print(news, flush=True)).run())
"""


class Supervised:
    """One supervisor process, what it has said, and the processes that carry its mark."""

    def __init__(self, data: Path, children: str) -> None:
        self.data = data
        self.output = data / "output"
        program = PROGRAM.format(children=textwrap.dedent(children))
        with self.output.open("ab") as output:
            self.process = subprocess.Popen([sys.executable, "-c", program, str(data)], stdout=output, stderr=output)

    def said(self) -> str:
        return self.output.read_text()

    def until(self, true: Callable[[], bool], what: str, timeout_s: float = 20) -> None:
        deadline = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < deadline, f"{what}; it said:\n{self.said()}"
            time.sleep(0.02)

    def until_said(self, words: str) -> None:
        self.until(lambda: words in self.said(), f"nobody said {words!r}")

    def pid(self, name: str) -> int:
        path = self.data / name
        self.until(lambda: path.exists() and path.read_text().strip().isdigit(), f"no number in {name}")
        return int(path.read_text())


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[[str], Supervised]]:
    started = []

    def start(children: str) -> Supervised:
        started.append(Supervised(tmp_path, children))
        return started[-1]

    yield start
    for supervised in started:
        if supervised.process.poll() is None:
            supervised.process.terminate()
            supervised.process.wait(20)


def marked(data: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("COUNTERSIGN_SUPERVISED") == str(data) and process.status() != "zombie":
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def test_children_start_in_order_and_stop_in_reverse(supervise):
    supervised = supervise("""
        def noting(name):
            return shell(f"trap 'echo stop-{name} >> order; exit 0' TERM; echo start-{name} >> order; touch {name};"
                         "while :; do sleep 0.05; done")
        children = [
            Child("top", noting("top"), after=("middle",), ready=exists("top")),
            Child("bottom", noting("bottom"), ready=exists("bottom")),
            Child("middle", noting("middle"), after=("bottom",), ready=exists("middle")),
        ]
    """)
    supervised.until_said("top is ready")
    supervised.process.send_signal(signal.SIGINT)
    assert supervised.process.wait(20) == 0
    order = (supervised.data / "order").read_text().split()
    assert order == ["start-bottom", "start-middle", "start-top", "stop-top", "stop-middle", "stop-bottom"]


def test_a_child_that_dies_is_started_again(supervise):
    supervised = supervise("""
        children = [Child("one", shell("echo $$ > pid; exec sleep 1000"), ready=exists("pid"), prepare=forget("pid"))]
    """)
    supervised.until_said("one is ready")
    first = supervised.pid("pid")
    os.kill(first, signal.SIGKILL)
    supervised.until_said("one was killed by SIGKILL")
    supervised.until_said("one is back")
    assert supervised.pid("pid") != first


def test_what_a_dead_child_left_in_its_group_does_not_live_on(supervise):
    supervised = supervise("""
        children = [Child("one", shell("sleep 1000 & echo $! > left; echo $$ > pid; exec sleep 1000"),
                          ready=exists("pid"), prepare=forget("pid"))]
    """)
    supervised.until_said("one is ready")
    left = supervised.pid("left")
    os.kill(supervised.pid("pid"), signal.SIGKILL)
    supervised.until_said("one is back")
    assert not psutil.pid_exists(left)


def test_nothing_is_left_after_a_stop_not_even_a_daemon_or_one_that_ignores_signals(supervise):
    supervised = supervise("""
        children = [
            Child("daemon", shell("setsid sh -c 'setsid sleep 1000 & echo $! > orphan' & sleep 0.3; exec sleep 1000"),
                  ready=exists("orphan")),
            Child("deaf", shell("trap '' TERM INT; touch deaf; while :; do sleep 0.1; done"), ready=exists("deaf")),
        ]
    """)
    supervised.until_said("deaf is ready")
    orphan = supervised.pid("orphan")
    assert psutil.pid_exists(orphan)
    supervised.process.terminate()
    assert supervised.process.wait(30) == 0
    assert marked(supervised.data) == []
    assert not psutil.pid_exists(orphan)


def test_kill_9_of_the_supervisor_takes_its_children_down_and_the_next_start_clears_the_rest(supervise):
    children = """
        children = [Child("one", shell("setsid sleep 1000 & echo $! > left; echo $$ > pid; exec sleep 1000"),
                          ready=exists("pid"))]
    """
    supervised = supervise(children)
    supervised.until_said("one is ready")
    pid, left = supervised.pid("pid"), supervised.pid("left")
    supervised.process.kill()
    supervised.process.wait()
    supervised.until(lambda: not _lives(pid), "the child outlived its supervisor")
    again = supervise(children)
    again.until(lambda: again.said().count("one is ready") == 2, "it did not start again")
    assert not _lives(left)


def test_a_second_supervisor_is_kept_off_the_same_data(supervise):
    first = supervise('children = [Child("one", shell("touch up; exec sleep 1000"), ready=exists("up"))]')
    first.until_said("one is ready")
    second = supervise("children = []")
    assert second.process.wait(20) == 1
    assert f"Countersign already runs on {first.data} (process {first.process.pid})" in second.said()


def test_a_one_time_child_runs_before_those_that_need_it_and_only_once(supervise):
    supervised = supervise("""
        children = [
            Child("once", shell("echo ran >> once"), once=True),
            Child("skipped", shell("touch skipped"), once=True, needed=lambda: False),
            Child("one", shell("cp once seen; touch up; exec sleep 1000"), after=("once", "skipped"), ready=exists("up")),
        ]
    """)
    supervised.until_said("one is ready")
    assert (supervised.data / "seen").read_text() == "ran\n"
    assert not (supervised.data / "skipped").exists()


def test_an_essential_child_that_cannot_start_ends_everything_with_its_log(supervise):
    supervised = supervise("""
        children = [
            Child("fine", shell("touch up; exec sleep 1000"), ready=exists("up")),
            Child("broken", shell("echo the reason; exit 4"), after=("fine",), once=True),
        ]
    """)
    assert supervised.process.wait(20) == 1
    assert "broken ended with status 4" in supervised.said()
    assert "the reason" in supervised.said()
    assert marked(supervised.data) == []


def test_a_child_that_is_not_essential_is_tried_again_and_the_rest_goes_on(supervise):
    supervised = supervise("""
        children = [
            Child("broken", shell("echo x >> tries; exit 4"), essential=False),
            Child("fine", shell("touch up; exec sleep 1000"), ready=exists("up")),
        ]
    """)
    tries = supervised.data / "tries"
    supervised.until(lambda: tries.exists() and tries.read_text().count("x") >= 3, "it was not tried again")
    assert supervised.process.poll() is None
    assert "it is started again in 1 s" in supervised.said()


def test_private_output_is_kept_out_of_the_log(supervise):
    supervised = supervise("""
        children = [
            Child("once", shell("echo secret; echo public >&2"), once=True, stdout=data / "private"),
            Child("one", shell("touch up; exec sleep 1000"), after=("once",), ready=exists("up")),
        ]
    """)
    supervised.until_said("one is ready")
    assert (supervised.data / "private").read_text() == "secret\n"
    assert (supervised.data / "private").stat().st_mode & 0o777 == 0o600
    assert (supervised.data / "logs" / "once.log").read_text() == "public\n"


def test_a_log_is_cut_before_it_fills_the_disk(tmp_path, monkeypatch):
    from config import supervisor

    monkeypatch.setattr(supervisor, "LOG_BYTES", 10)
    watching = supervisor.Supervisor(tmp_path, {}, [], print)
    log = tmp_path / "logs" / "one.log"
    log.parent.mkdir()
    for text in ("first, and long enough", "second, and long enough", "third, and long enough", "x"):
        with log.open("a") as file:
            file.write(text)
        watching._rotated_at = 0.0
        watching._rotate_logs()
    assert log.read_text() == "x"
    assert (tmp_path / "logs" / "one.log.1").read_text() == "third, and long enough"
    assert (tmp_path / "logs" / "one.log.2").read_text() == "second, and long enough"
    assert not (tmp_path / "logs" / "one.log.3").exists()


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_children_of_a_stopped_supervisor_are_told_with_their_own_signal(supervise):
    supervised = supervise("""
        import signal
        script = "trap 'echo INT > got; exit 0' INT; touch up; while :; do sleep 0.05; done"
        children = [Child("one", shell(script, stop_signal=signal.SIGINT), ready=exists("up"))]
    """)
    supervised.until_said("one is ready")
    supervised.process.terminate()
    assert supervised.process.wait(20) == 0
    assert (supervised.data / "got").read_text() == "INT\n"
