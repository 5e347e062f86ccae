"""The inside of the sandbox: `python -I -B jail.py '{"entry": …}'` gives up every right that it does not need, then runs the entry.

Only the standard library here. The first line on standard output says what was given up:
{"sandbox": {"network": …, "files": …, "processes": …}}; the entry's own lines follow, each a JSON object.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import sys
import threading
import types
from typing import Any

_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWIPC, _CLONE_NEWUTS = 0x10000000, 0x40000000, 0x08000000, 0x04000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_DUMPABLE = 1, 38, 4
_SIGKILL = 9
# Landlock: system calls (the same number on every architecture), and its rights by the version of its interface.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_EXECUTE, _WRITE, _READ, _READ_DIR = 1, 2, 4, 8
_RIGHTS_OF_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/dev/null", "/dev/zero", "/dev/urandom", "/proc/cpuinfo", "/sys/devices/system/cpu")  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("parent", ctypes.c_int32))


def _own_namespaces() -> tuple[bool, bool]:
    """(network, user): does this process have namespaces of its own now? An empty network namespace reaches nobody."""
    apart = _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS
    if _libc.unshare(_CLONE_NEWUSER | apart) == 0:
        return True, True
    return _libc.unshare(apart) == 0, False


def _landlock(readable: list[str], writable: list[str]) -> int:
    """Leave these paths and no others; returns the interface's version, 0 where the kernel has none."""
    abi = int(_libc.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))
    if abi < 1:
        return 0
    every = _RIGHTS_OF_ABI[min(abi, 5)]
    rules = _Ruleset(every, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = int(_libc.syscall(_CREATE, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0)))
    if ruleset < 0:
        return 0
    for paths, rights in ((readable, _EXECUTE | _READ | _READ_DIR), (writable, every & ~_EXECUTE)):
        for path in paths:
            _allow(ruleset, path, rights)
    done = int(_libc.syscall(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0)))
    os.close(ruleset)
    return abi if done == 0 else 0


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        found = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no right
    if not os.path.isdir(path):
        rights &= _EXECUTE | _WRITE | _READ
    beneath = _Beneath(rights, found)
    _libc.syscall(_ADD, ctypes.c_int(ruleset), ctypes.c_int(1), ctypes.byref(beneath), ctypes.c_uint32(0))
    os.close(found)


def _limit(memory: int, cpu_s: int, file_bytes: int, processes: int | None) -> None:
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, processes),
    ):
        if most is not None:
            # The signal that says 'too long' first, the one that can't be caught a little later.
            resource.setrlimit(what, (most, most + 5 if what == resource.RLIMIT_CPU else most))


def _network_is_closed() -> bool:
    """Is there no interface but one that is down?"""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a datagram socket: nothing is sent
        except OSError:
            return True
    return False


def confine(job: dict[str, Any]) -> dict[str, Any]:
    """Give up everything; returns in words what holds."""
    _libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    network, user = _own_namespaces()
    closed = network and _network_is_closed()
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # A namespace of its own counts its own processes; without one, the limit would count everything of this user.
    _limit(job["memory"], job["cpu_s"], job["file_bytes"], job["processes"] if user else None)
    readable = [*_SYSTEM, sys.prefix, sys.base_prefix, job["package"]]
    abi = _landlock([os.path.realpath(path) for path in readable], [os.path.realpath(job["folder"]), "/dev/null"])
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return {
        "network": "closed" if closed else "TCP closed" if abi >= 4 else "open",
        "files": "own folder only" if abi else "as the worker's user",
        "processes": f"at most {job['processes']}" if user else "as many as the user may",
        "memory": job["memory"],
        "cpu_s": job["cpu_s"],
    }


def say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    job = json.loads(sys.argv[1])
    os.chdir(job["folder"])
    held = confine(job)
    say({"sandbox": held})
    # The folder above, where the instance's data may lie, can't even be listed.
    package = types.ModuleType("registry")
    package.__path__ = [job["package"]]
    sys.modules["registry"] = package
    module, _, function = job["entry"].partition(":")
    entry = getattr(importlib.import_module(module), function)
    # A pickle or template nests as deep as it likes: a large stack, so that Python's own limit is met first.
    threading.stack_size(64 << 20)
    runner = threading.Thread(target=_run, args=(entry, job["request"]))
    runner.start()
    runner.join()
    sys.stdout.flush()
    os._exit(0 if _done else 1)


_done: list[bool] = []


def _run(entry: Any, request: dict[str, Any]) -> None:
    for answer in entry(request):
        say(answer)
    _done.append(True)


if __name__ == "__main__":
    main()
