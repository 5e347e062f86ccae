"""Start a program so that it can't outlive its parent, and, for PostgreSQL, not as root.

Run as a script by `python -I -S`, with nothing but the standard library: it sets what only the process itself can set,
then replaces itself by the program. Doing it here rather than in `preexec_fn` keeps Python code out of the gap between
fork and exec.

    launch.py PARENT_PID DEATH_SIGNAL PRIVILEGE PROGRAM ARGUMENT...

PRIVILEGE is `keep`, `namespace` (a user namespace in which root is an ordinary user) or `drop:UID:GID`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
# Any number but 0 will do: it is what the process believes to be; outside, it stays the user that started it.
INNER_UID = 1000


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int, death_signal: int) -> None:
    """Have the kernel send `death_signal` to this process when `parent` is gone (Linux; elsewhere nothing happens)."""
    if not sys.platform.startswith("linux"):
        return
    if _libc().prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        # The parent died before the request was made, so no signal will come.
        os.kill(os.getpid(), signal.SIGKILL)


def enter_user_namespace() -> None:
    """Become an ordinary user in a user namespace of one's own; what root owns is then owned by that user."""
    uid, gid = os.getuid(), os.getgid()
    if _libc().unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{INNER_UID} {uid} 1"),
        ("gid_map", f"{INNER_UID} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def drop_to(uid: int, gid: int) -> None:
    """Become `uid` for good, without supplementary groups."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def main(arguments: list[str]) -> None:
    parent, death_signal, privilege, *program = arguments
    if privilege == "namespace":
        enter_user_namespace()
    elif privilege.startswith("drop:"):
        _word, uid, gid = privilege.split(":")
        drop_to(int(uid), int(gid))
    # Last, since a change of user clears the request.
    die_with_parent(int(parent), int(death_signal))
    os.execvp(program[0], program)  # noqa: S606 - becoming it is the point


if __name__ == "__main__":
    main(sys.argv[1:])
