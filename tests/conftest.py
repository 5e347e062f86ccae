"""Real PostgreSQL and Redis for the whole run, and one cast: Alice asks, Bob reviews, Dana deploys, Carol audits, Victor
looks, Mallory is an outsider."""

import atexit
import base64
import copy
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import django
import psycopg
import pytest

from config.embedded import ports, postgres, redis
from tests.browser import browse, chromium  # noqa: F401  fixtures

SUPERUSER_URL = ""


def _start() -> str:
    """Start PostgreSQL and Redis, tell Django of them, and give the superuser's address."""
    data = Path(tempfile.mkdtemp(prefix="countersign-tests-"))
    (data / "static").mkdir()  # WhiteNoise warns without it
    chosen = ports.choose(data, ["postgres", "redis"])
    database = postgres.start(data, port=chosen["postgres"])
    broker = redis.start(data, port=chosen["redis"])

    def stop() -> None:
        broker.stop()
        database.stop()
        shutil.rmtree(data, ignore_errors=True)

    atexit.register(stop)
    os.environ.update(
        DJANGO_SETTINGS_MODULE="config.settings",
        COUNTERSIGN_DATA=str(data),
        COUNTERSIGN_SECRET_KEY="only-for-tests",
        COUNTERSIGN_SIGNING_SEED=base64.b64encode(b"countersign's test signing seed!").decode(),
        DATABASE_URL=database.url,
        DATABASE_OWNER_URL=database.owner_url,
        REDIS_URL=broker.url,
        PROMPT_USE_EVERY_S="0",  # no thread writes into the tests' transactions: those about uses call flush()
        OMP_WAIT_POLICY="PASSIVE",  # torch threads that spin while they wait starve everything else on two cores
    )
    django.setup()  # pytest-django looks for the settings before this file is read
    return database.superuser_url.rsplit("/", 1)[0] + "/countersign"


# With -n each worker has services of its own, and the process that hands out the tests has none: what it put into the
# environment, the workers would inherit before this file is read.
if "PYTEST_XDIST_WORKER" in os.environ or not any(argument.startswith("-n") for argument in sys.argv):
    SUPERUSER_URL = _start()
else:
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()  # the conftest of a folder that is named alone is read here too, and imports models
    del os.environ["DJANGO_SETTINGS_MODULE"]


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> None:
    """The cluster is ours alone: its own database is migrated by the owner, and tests run as the application's role."""
    from django.conf import settings
    from django.core.management import call_command

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with django_db_blocker.unblock():
        call_command("migrate", database="owner", verbosity=0)


def truncate_everything() -> None:
    """Empty every table as the superuser, past the ledger's triggers, which nobody else gets by."""
    keep = {"django_migrations", "django_content_type", "auth_permission"}
    with psycopg.connect(SUPERUSER_URL, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        tables = ", ".join(f'"{name}"' for (name,) in names if name not in keep)
        for attempt in range(5):
            try:
                connection.execute(f"TRUNCATE {tables} CASCADE")
                return
            except psycopg.errors.DeadlockDetected:  # with what a page asked for just before its browser went
                if attempt == 4:
                    raise


@pytest.fixture(scope="session", autouse=True)
def _truncate_after_transactional_tests() -> None:
    """Django's own flush runs as the application's role, which may not truncate."""
    from django.test import TransactionTestCase

    TransactionTestCase._fixture_teardown = lambda self: truncate_everything()  # type: ignore[method-assign]


@pytest.fixture
def superuser_connection() -> Iterator[psycopg.Connection]:
    """What a database administrator with bad intentions has."""
    with psycopg.connect(SUPERUSER_URL, autocommit=True) as connection:
        yield connection


PASSWORD = "kfzx-47-quiet-mountains"


def make_cast() -> SimpleNamespace:
    from accounts.access import Actor
    from accounts.actions import create_first_administrator, create_team, create_user, grant_role
    from accounts.roles import Role

    admin = create_first_administrator(email="admin@example.com", password=PASSWORD)
    assert admin is not None
    by = Actor(admin)
    team = create_team(name="acme", title="Acme", by=by)
    cast = SimpleNamespace(team=team, admin=admin, password=PASSWORD)
    for name, role in (
        ("alice", Role.CONTRIBUTOR),
        ("bob", Role.REVIEWER),
        ("dana", Role.DEPLOYER),
        ("carol", Role.AUDITOR),
        ("victor", Role.VIEWER),
        ("mallory", None),
    ):
        user = create_user(email=f"{name}@example.com", name=name.title(), password=PASSWORD, by=by)
        if role:
            grant_role(user=user, role=role, on=team, by=by)
        setattr(cast, name, user)
    grant_role(user=admin, role=Role.ADMIN, on=team, by=Actor(admin))
    return cast


def _shares_cast(item: pytest.Item) -> bool | None:
    """Whether the test may stand on rows that its module's tests share; None where it asks for no database."""
    names = set(getattr(item, "fixturenames", ()))
    mark = item.get_closest_marker("django_db")
    if mark is None and not names & {"db", "transactional_db"}:
        return None
    committed = bool(names & {"transactional_db", "live_server"}) or (mark and (mark.kwargs or mark.args))
    return "cast" in names and not committed


@pytest.fixture(scope="module")
def _cast_of_module(request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """Made once for a module whose tests all want it and roll back, inside one transaction: each test is a savepoint in it."""
    from django.db import transaction

    tests = [item for item in request.session.items if getattr(item, "module", None) is request.module]
    if not all(_shares_cast(item) is not False for item in tests):
        yield None
        return
    with django_db_blocker.unblock():
        outer = transaction.atomic()
        outer._from_testcase = True  # type: ignore[attr-defined]  # so that what must be outermost in life may be inner here
        with outer:
            yield make_cast()
            transaction.set_rollback(True)


@pytest.fixture
def cast(_cast_of_module: SimpleNamespace | None, db: None) -> SimpleNamespace:
    """The people of the story, in team acme (Mallory in none)."""
    return copy.deepcopy(_cast_of_module) or make_cast()


@pytest.fixture(scope="session", autouse=True)
def _unscanned_passes() -> Iterator[Any]:
    """No worker scans in the tests. Where that is what a test is about, it asks for the fixture `scans_required`; what a scan
    said counts in all of them."""
    from governance.policies import builtin

    real, builtin.unscanned = builtin.unscanned, list
    yield real
    builtin.unscanned = real


@pytest.fixture
def scans_required(_unscanned_passes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A protected stage waits for the scan, as it does outside the tests."""
    monkeypatch.setattr("governance.policies.builtin.unscanned", _unscanned_passes)


@pytest.fixture
def actor() -> Any:
    """actor(user) -> the Actor that a request of that person carries."""
    from accounts.access import Actor

    return lambda user: Actor(user, via="ui")


@pytest.fixture
def client_of() -> Any:
    """client_of(user) -> a Django test client with that person's session."""
    from django.test import Client

    def make(user: Any) -> Client:
        client = Client()
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return make


@pytest.fixture
def api() -> Any:
    """api(user, **key_fields) -> a client that sends that person's API key and JSON; api(None) sends none."""
    from django.test import Client

    from accounts.access import Actor
    from accounts.actions import create_key
    from accounts.models import KeyAddress

    class JsonClient(Client):
        """Dicts and lists travel as JSON, bytes as they are."""

        def post(self, path: str, data: Any = None, content_type: str = "application/json", **extra: Any) -> Any:  # type: ignore[override]
            return super().post(path, {} if data is None else data, content_type=content_type, **extra)

        def _send(self, method: str, path: str, data: Any, content_type: str, extra: Any) -> Any:
            if isinstance(data, dict | list):
                data, content_type = json.dumps(data), "application/json"
            return getattr(super(), method)(path, data, content_type=content_type, **extra)

        def put(self, path: str, data: Any = "", content_type: str = "application/octet-stream", **extra: Any) -> Any:  # type: ignore[override]
            return self._send("put", path, data, content_type, extra)

        def patch(self, path: str, data: Any = "", content_type: str = "application/octet-stream", **extra: Any) -> Any:  # type: ignore[override]
            return self._send("patch", path, data, content_type, extra)

        def delete(
            self, path: str, data: Any = "", content_type: str = "application/octet-stream", **extra: Any
        ) -> Any:  # type: ignore[override]
            return self._send("delete", path, data, content_type, extra)

    def make(user: Any, **fields: Any) -> JsonClient:
        if user is None:
            return JsonClient()
        row, key = create_key(name="tests", by=Actor(user), **fields)
        # Its first use from here is no news, so that a test counts the events of what it does.
        KeyAddress.objects.create(key=row, address="127.0.0.1")
        client = JsonClient(headers={"authorization": f"Bearer {key}"})
        client.key = key  # type: ignore[attr-defined]
        return client

    return make


@pytest.fixture(autouse=True)
def models_answer_directly(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Models are stand-ins here, and no gateway runs: the platform's own calls go to where the deployment answers. With the fixture
    `gateway_url` they go where they always do (tests/gateway/test_tickets.py)."""
    if "gateway_url" in request.fixturenames:
        return
    from serving import calls

    real = calls.door

    def direct(deployment: Any, by: Any) -> calls.Door:
        return calls.Door(deployment.endpoint, real(deployment, by).headers)

    for module in ("serving.invoke", "evaluation.runner", "prompt_tests.asking", "playground.runner"):
        monkeypatch.setattr(f"{module}.door", direct)
