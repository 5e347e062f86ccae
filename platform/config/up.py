"""`python -m config.up`: the whole platform on one machine, under one supervisor (what `make run` runs)."""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from config.embedded import ports, postgres, ray, redis, secrets
from config.embedded.process import Command, ServiceFailed
from config.orphans import AlreadyRunning, InstanceLock, kill_leftovers
from config.supervisor import Child, Supervisor

ROOT = Path(__file__).resolve().parent.parent.parent
EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - to be told apart from an address, only if the user asks for it


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    port: int
    data: Path
    host: str
    demo: bool


class Instance:
    """One platform on one data folder: its environment, its services and what is printed about it."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.data = options.data
        self.local_host = "127.0.0.1" if options.host in EVERYWHERE else options.host
        self.site_url = os.environ.get("SITE_URL") or f"http://{self.local_host}:{options.port}"
        self.gateway_url = os.environ.get("GATEWAY_URL") or f"http://{self.local_host}:{options.port + 1}"
        self.secrets = secrets.load_or_create(self.data)
        for port, what in ((options.port, "the site"), (options.port + 1, "the gateway")):
            remedy = "Choose another pair: make run PORT=8100 (the gateway takes the port after it)."
            ports.require_free(port, options.host, what=what, remedy=remedy)
        names = ("postgres", "redis", *ray.PORT_NAMES)
        chosen = ports.choose(self.data, names, avoid=(options.port, options.port + 1))
        # A service whose address the user gives is the user's own; it is not started here.
        self.postgres = (
            None if os.environ.get("DATABASE_URL") else postgres.describe(self.data, port=chosen["postgres"])
        )
        self.redis = None if os.environ.get("REDIS_URL") else redis.describe(self.data, port=chosen["redis"])
        self.ray = None if os.environ.get("RAY_DASHBOARD_URL") else ray.describe(self.data, ports=chosen)
        self.owner_url = self.postgres.owner_url if self.postgres else os.environ.get("DATABASE_OWNER_URL", "")
        self.env = self._environment()

    def _environment(self) -> dict[str, str]:
        env = {
            "COUNTERSIGN_DATA": str(self.data),
            "COUNTERSIGN_SECRET_KEY": self.secrets.django_key,
            "COUNTERSIGN_FERNET_KEYS": self.secrets.fernet_key,
            "COUNTERSIGN_SIGNING_SEED": self.secrets.signing_seed,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SITE_URL": self.site_url,
            "GATEWAY_URL": self.gateway_url,
            "GATEWAY_INTERNAL_URL": f"http://{self.local_host}:{self.options.port + 1}",
            "PYTHONUNBUFFERED": "1",
        }
        for name in ("COUNTERSIGN_SECRET_KEY", "COUNTERSIGN_FERNET_KEYS", "COUNTERSIGN_SIGNING_SEED"):
            env[name] = os.environ.get(name) or env[name]
        if self.postgres:
            env["DATABASE_URL"] = self.postgres.url
        if self.redis:
            env["REDIS_URL"] = self.redis.url
        if self.ray:
            env.update(self.ray.env)
        return env

    # What runs

    def children(self) -> list[Child]:
        """Everything to run. The site comes first: what it doesn't need to answer starts after it."""
        options, children = self.options, []
        if self.postgres:
            server = self.postgres
            children.append(
                Child("postgres", server.command, ready=server.ready, prepare=server.prepare, then=server.set_up)
            )
        if self.redis:
            broker = self.redis
            children.append(Child("redis", broker.command, ready=broker.ready, prepare=broker.prepare))
        children.append(
            Child(
                "migrate", self._owner("migrate", "--database", "owner", "--no-input", "--skip-checks"), after=("postgres",), once=True,
                needed=self._migrations_pending, then=self._note_migrated,
            )
        )  # fmt: skip
        children.append(
            Child(
                "bootstrap", self._manage("bootstrap", "--skip-checks"), after=("migrate", "redis"), once=True, stdout=self.bootstrap_file,
                needed=lambda: not self.administrator_file.exists(), then=self._keep_administrator,
            )
        )  # fmt: skip
        children.append(
            Child(
                "static", self._manage("collectstatic", "--no-input", "--clear", "--verbosity", "0", "--skip-checks"), once=True,
                needed=lambda: _read(self.collected_file) != static_fingerprint(), then=self._note_collected,
            )
        )  # fmt: skip
        site = _granian("wsgi", options, options.port, "config.wsgi:application", workers=2, threads=64)
        children.append(
            Child("site", site, after=("bootstrap", "static"), ready=_answers(self.local_host, options.port))
        )
        gateway = _granian("asgi", options, options.port + 1, "gateway.asgi:application", workers=1, threads=1)
        celery = (sys.executable, "-m", "celery", "-A", "config")
        worker = Command(
            (*celery, "worker", "-P", "threads", "-c", "8", "--without-gossip", "--without-mingle"), cwd=ROOT
        )
        schedule = str(self.data / "beat-schedule")
        beat = Command((*celery, "beat", "--schedule", schedule, "--pidfile="), cwd=ROOT)
        children += [
            Child(
                "gateway", gateway, after=("site",), essential=False,
                ready=_answers(self.local_host, options.port + 1),
            ),
            Child("worker", worker, after=("site",), essential=False),
            Child("beat", beat, after=("site",), essential=False),
        ]  # fmt: skip
        if self.ray:
            head = self.ray
            children.append(
                Child("ray", head.command, after=("site",), ready=head.ready, prepare=head.prepare, essential=False)
            )
        if options.demo:
            demo_env: dict[str, str] = {}
            children.append(
                Child(
                    "demo", Command((sys.executable, "-m", "examples.demo"), env=demo_env, cwd=ROOT), after=("site",),
                    once=True, essential=False,
                    needed=lambda: not self.demo_done_file.exists(), then=self.demo_done_file.touch,
                    # Only now: on the first start the administrator is made after this list.
                    prepare=lambda: demo_env.update(
                        {f"COUNTERSIGN_ADMIN_{name.upper()}": value for name, value in self.administrator().items()}
                    ),
                )
            )  # fmt: skip
        return children

    def _manage(self, *arguments: str) -> Command:
        return Command((sys.executable, str(ROOT / "manage.py"), *arguments), cwd=ROOT)

    def _owner(self, *arguments: str) -> Command:
        """A management command that may speak to the database as its owner; no lasting process may."""
        url = self.owner_url or os.environ["DATABASE_URL"]
        return Command(self._manage(*arguments).argv, env={"DATABASE_OWNER_URL": url}, cwd=ROOT)

    # What is remembered between starts

    @property
    def administrator_file(self) -> Path:
        """Email and password of the site administrator, as made on the first start (mode 0600)."""
        return self.data / "administrator.json"

    @property
    def bootstrap_file(self) -> Path:
        return self.data / "bootstrap.json"

    @property
    def demo_file(self) -> Path:
        return self.data / "demo.json"

    @property
    def demo_done_file(self) -> Path:
        """Exists once the demo program has ended well; until then each start runs it again."""
        return self.data / "demo.done"

    @property
    def collected_file(self) -> Path:
        """Says which static files lie compressed beside it; settings.py serves them when it is there."""
        return self.data / "static" / ".collected"

    def _note_collected(self) -> None:
        self.collected_file.write_text(static_fingerprint())

    def _keep_administrator(self) -> None:
        # Renamed only now: a bootstrap that was interrupted is run again.
        self.bootstrap_file.replace(self.administrator_file)

    def administrator(self) -> dict[str, str]:
        """`email` and `password`; empty if the administrator was made elsewhere."""
        try:
            found: dict[str, str] = json.loads(self.administrator_file.read_text())
        except (OSError, ValueError):
            return {}
        return found

    def _migrations_pending(self) -> bool:
        """Whether the database was last migrated with other migrations than these.

        The fingerprint stays with the database itself, as its comment: asking costs 20 ms, starting Django 2 s.
        """
        url = self.owner_url or os.environ["DATABASE_URL"]
        with psycopg.connect(url, connect_timeout=10) as connection:
            row = connection.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
            ).fetchone()
        return row is None or row[0] != migrations_fingerprint()

    def _note_migrated(self) -> None:
        url = self.owner_url or os.environ["DATABASE_URL"]
        with psycopg.connect(url, connect_timeout=10, autocommit=True) as connection:
            connection.execute(
                sql.SQL("COMMENT ON DATABASE {} IS {}").format(
                    sql.Identifier(connection.info.dbname), sql.Literal(migrations_fingerprint())
                )
            )


def static_fingerprint() -> str:
    """A digest of the names, sizes and times of our static files, and the locks that fix everyone else's."""
    digest = hashlib.sha256()
    for path in sorted(path for path in (ROOT / "static").rglob("*") if path.is_file()):
        facts = path.stat()
        digest.update(f"{path.relative_to(ROOT)} {facts.st_size} {facts.st_mtime_ns}\0".encode())
    for name in ("platform/config/bundle.mjs", "package-lock.json", "requirements.lock"):
        digest.update(_read(ROOT / name).encode())
    return digest.hexdigest()


def _read(path: Path) -> str:
    """The file's text; '' where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""


def migrations_fingerprint() -> str:
    """A digest of all migrations: our files, and the lock that fixes the versions of everyone else's."""
    digest = hashlib.sha256()
    # The triggers on governed tables are put in place after migrating.
    triggers = ROOT / "platform/config/out_of_band.py"
    for path in sorted([*ROOT.glob("*/migrations/*.py"), *ROOT.glob("*/*/migrations/*.py"), triggers]):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    lock = ROOT / "requirements.lock"
    digest.update(lock.read_bytes() if lock.exists() else b"")
    return f"countersign migrations {digest.hexdigest()}"


def _granian(interface: str, options: Options, port: int, target: str, *, workers: int, threads: int) -> Command:
    argv: tuple[str, ...] = (
        sys.executable, "-m", "granian", "--interface", interface, "--host", options.host, "--port", str(port),
        "--workers", str(workers), "--respawn-failed-workers", "--workers-kill-timeout", "5",
        "--no-ws", "--log-level", "warning",
    )  # fmt: skip
    if interface == "wsgi":
        argv += ("--blocking-threads", str(threads))
    else:
        argv += ("--loop", "uvloop")
    return Command((*argv, target), cwd=ROOT)


def _answers(host: str, port: int) -> Callable[[], bool]:
    """A probe: whether /healthz answers 200 there."""

    def probe() -> bool:
        connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return probe


class Screen:
    """What the person at the terminal sees: one line per piece of news, and while it starts, what is awaited."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.began = time.monotonic()
        self.live = sys.stdout.isatty()
        self.pending = ""
        self.told_addresses = False
        self.told_people = False
        self.log = (instance.data / "logs" / "supervisor.log").open("a", buffering=1)

    def say(self, news: str) -> None:
        """Print one piece of news, with the seconds since the start; the log gets it with the time."""
        self._clear()
        print(f"  {time.monotonic() - self.began:5.1f} s  {news}", flush=True)
        self.log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {news}\n")

    def _clear(self) -> None:
        if self.pending:
            print("\r\033[K", end="", flush=True)
            self.pending = ""

    def tick(self, supervisor: Supervisor) -> None:
        """Print what has come to be known since the last call."""
        site = supervisor.children["site"].state
        if site.ever_ready and not self.told_addresses:
            self.told_addresses = True
            self._clear()
            self._tell_addresses()
        if self.told_addresses and not self.told_people and self.instance.demo_file.exists():
            self.told_people = True
            self._clear()
            self._tell_people()
        awaited = supervisor.starting
        if self.live and awaited:
            line = f"  {time.monotonic() - self.began:5.1f} s  waiting for {', '.join(awaited)}"
            if line != self.pending:
                print(f"\r\033[K{line[:100]}", end="", flush=True)
                self.pending = line
        elif self.pending:
            self._clear()

    def _tell_addresses(self) -> None:
        instance = self.instance
        print(f"\n  Countersign  {instance.site_url}")
        print(f"  Gateway      {instance.gateway_url}/v1   (OpenAI-compatible)")
        print(f"  API          {instance.site_url}/api/docs")
        print(f"  Data, logs   {instance.data}")
        if administrator := instance.administrator():
            print(f"  Administrator {administrator.get('email')}  password {administrator.get('password')}")
        if instance.options.demo and not instance.demo_file.exists():
            print("  The demo workspace is being made; its people are printed here in a moment.")
        print("  Ctrl-C stops everything.\n", flush=True)

    def _tell_people(self) -> None:
        try:
            demo: dict[str, Any] = json.loads(self.instance.demo_file.read_text())
            rows = [
                (
                    name.capitalize(),
                    person.get("email") or "",
                    person.get("password") or "",
                    person.get("api_key") or "",
                )
                for name, person in demo["people"].items()
            ]
        except (OSError, ValueError, KeyError, AttributeError):
            self.told_people = False  # being written: the next tick sees it whole
            return
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        print(f"  Demo team {demo.get('team')}: person, email, password, API key (also in {self.instance.demo_file})")
        for row in rows:
            print("    " + "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]]))
        print(flush=True)


def parse(arguments: list[str]) -> Options:
    """The options of a command line; exits with a message if they make no sense."""
    parser = argparse.ArgumentParser(prog="python -m config.up", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="of the site; the gateway takes the next one")
    parser.add_argument("--data", type=Path, default=Path("var"), help="folder for everything that is kept")
    parser.add_argument("--host", default="127.0.0.1", help="address that site and gateway listen on")
    parser.add_argument("--demo", action=argparse.BooleanOptionalAction, default=True, help="make the demo workspace")
    found = parser.parse_args(arguments)
    if not 1 <= found.port <= 65534:
        parser.error(f"--port {found.port}: it must be from 1 to 65534 (PORT=8000, for example)")
    return Options(port=found.port, data=found.data.resolve(), host=found.host or "127.0.0.1", demo=found.demo)


def main(arguments: list[str]) -> int:
    """Run the platform until it is told to stop; the exit status."""
    options = parse(arguments)
    try:
        lock = InstanceLock(options.data)
        if ended := kill_leftovers(options.data):
            print(f"  Ended {ended} processes that an earlier start had left running.")
        instance = Instance(options)
    except (AlreadyRunning, ServiceFailed, ports.PortTaken, secrets.SecretsError, OSError) as error:
        print(f"Countersign can't start: {error}", file=sys.stderr)
        return 1
    for name in ("logs", "storage", "static", "uploads"):
        (options.data / name).mkdir(exist_ok=True)
    screen = Screen(instance)
    supervisor = Supervisor(options.data, instance.env, instance.children(), screen.say)
    status = supervisor.run(tick=lambda: screen.tick(supervisor))
    screen.say("Everything is stopped.")
    lock.release()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
