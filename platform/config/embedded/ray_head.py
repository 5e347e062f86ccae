"""Starts the processes of a Ray head node and watches over them; see ray.py for what it is asked to start.

`ray start` can't do three things that are needed here: stay on loopback (it looks up the machine's outward address when
given 127.0.0.1), leave out the parts of the dashboard that nobody uses (ten processes), and end when any process of the
node has ended for whatever reason. Ray's version is pinned, since this uses the classes under `ray start`.

Run as a module it starts the node, then replaces itself, to give back the 150 MB that `import ray` takes, by this same
file run as a script: a watcher that imports nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
from typing import Any

# NodeHead feeds the list of nodes, ServeHead is the REST door that we deploy through, StateHead has the logs.
DASHBOARD_MODULES = "NodeHead,ServeHead,StateHead"
RAYLET_GRACE_S = 4.0
OTHERS_GRACE_S = 1.5
PR_SET_CHILD_SUBREAPER = 36


def start(settings: dict[str, Any]) -> dict[str, int]:
    """Start gcs_server, dashboard and raylet (which starts its agents); returns their process numbers by name."""
    import ray._private.services as services
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    plain_start: Any = services.start_ray_process

    def start_ray_process(command: list[str], process_type: str, *args: Any, **kwargs: Any) -> Any:
        if process_type == "dashboard":
            command = [*command, f"--modules-to-load={DASHBOARD_MODULES}"]
        return plain_start(command, process_type, *args, **kwargs)

    services.start_ray_process = start_ray_process
    # spawn_reaper: each process asks the kernel to be killed when this one is.
    node = Node(RayParams(**settings), head=True, shutdown_at_exit=False, spawn_reaper=True)
    return {name: info.process.pid for name, processes in node.all_processes.items() for info in processes}


def watch(processes: dict[str, int]) -> int:
    """Wait until a signal comes or one of `processes` ends, end all that is left, and return an exit status."""
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: asked.append(got))
    if sys.platform.startswith("linux"):
        # Agents and workers, whose parent is the raylet, become ours when it ends; some would linger for a minute.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    alive = dict(processes)
    while not asked and len(alive) == len(processes):
        _reap(alive)
        time.sleep(0.2)
    for name in set(processes) - set(alive):
        sys.stdout.write(f"Ray's {name} has ended; the node is stopped.\n")
    # The raylet first, and alone: it ends the workers and takes its leave of the others.
    for names, grace_s in (({"raylet"}, RAYLET_GRACE_S), (set(alive) - {"raylet"}, OTHERS_GRACE_S)):
        _send(signal.SIGTERM, [pid for name, pid in alive.items() if name in names])
        deadline = time.monotonic() + grace_s
        while names & set(alive) and time.monotonic() < deadline:
            _reap(alive)
            time.sleep(0.05)
    while children := _children():
        _send(signal.SIGKILL, children)
        _reap(alive)
        time.sleep(0.02)
    return 0 if asked else 1


def _send(number: int, pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _reap(alive: dict[str, int]) -> None:
    """Collect what has ended, and take it out of `alive`."""
    while True:
        try:
            pid, _status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            alive.clear()
            return
        if pid == 0:
            return
        for name, known in list(alive.items()):
            if known == pid:
                del alive[name]


def _children() -> list[int]:
    """Process numbers of the children of this process that have not ended."""
    found = []
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else []:
        try:
            with open(f"/proc/{int(entry)}/stat") as file:
                state, parent = file.read().rpartition(")")[2].split()[:2]
        except (ValueError, OSError):
            continue
        if int(parent) == os.getpid() and state != "Z":
            found.append(int(entry))
    return found


def main() -> None:
    verb, text = sys.argv[1:]
    if verb == "start":
        processes = start(json.loads(text))
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-I", "-S", __file__, "watch", json.dumps(processes)])  # noqa: S606 - the same
    sys.exit(watch(json.loads(text)))


if __name__ == "__main__":
    main()
