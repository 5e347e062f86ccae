"""The embedded services, each started for real on a data folder of its own."""

import http.client
import json
import os
import shutil
import signal
import stat
import tempfile
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from config.embedded import ports, postgres, ray, redis, secrets
from config.embedded.process import Command, Running, ServiceFailed


def test_secrets_are_made_once_and_private(tmp_path: Path):
    first = secrets.load_or_create(tmp_path)
    assert secrets.load_or_create(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert first.redis not in repr(first)


def test_secrets_that_a_later_release_needs_are_added_to_the_known_ones(tmp_path: Path):
    first = secrets.load_or_create(tmp_path)
    path = tmp_path / "secrets.json"
    known = json.loads(path.read_text())
    del known["ray_token"]
    path.write_text(json.dumps({**known, "unknown": "kept"}))
    second = secrets.load_or_create(tmp_path)
    assert second.django_key == first.django_key
    assert second.ray_token not in ("", first.ray_token)
    assert json.loads(path.read_text())["unknown"] == "kept"


def test_broken_secrets_are_not_replaced(tmp_path: Path):
    (tmp_path / "secrets.json").write_text("{")
    with pytest.raises(secrets.SecretsError, match=r"secrets\.json can't be read"):
        secrets.load_or_create(tmp_path)
    assert (tmp_path / "secrets.json").read_text() == "{"


def test_ports_are_remembered_and_chosen_again_when_taken(tmp_path: Path):
    import socket

    first = ports.choose(tmp_path, ["one", "two"])
    assert len(set(first.values())) == 2
    assert ports.choose(tmp_path, ["one", "two"]) == first
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first["one"]))
        taken.listen()
        second = ports.choose(tmp_path, ["one", "two"])
    assert second["two"] == first["two"]
    assert second["one"] != first["one"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    data = tmp_path_factory.mktemp("postgres")
    with postgres.start(data, port=ports.choose(data, ["postgres"])["postgres"]) as found:
        yield found


def test_postgres_is_not_root_and_listens_on_loopback_only(server: postgres.Postgres):
    addresses = {connection.laddr.ip for connection in _listening(server.running.process.pid)}
    assert addresses == {"127.0.0.1"}
    with psycopg.connect(server.superuser_url) as connection:
        assert connection.execute("SHOW unix_socket_directories").fetchone() == ("",)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW server_version_num").fetchone()[0].startswith("18")


def test_owner_migrates_and_the_application_only_reads_and_writes_rows(server: postgres.Postgres):
    with psycopg.connect(server.owner_url, autocommit=True) as owner:
        owner.execute("CREATE TABLE thing (id serial PRIMARY KEY, name text)")
        owner.execute("CREATE DATABASE another")
        assert owner.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
    with psycopg.connect(server.url, autocommit=True) as application:
        application.execute("INSERT INTO thing (name) VALUES ('a')")
        application.execute("UPDATE thing SET name = 'b'")
        application.execute("DELETE FROM thing")
        for forbidden in ("TRUNCATE thing", "DROP TABLE thing", "CREATE TABLE other (id int)", "CREATE DATABASE third"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute(forbidden)


def test_a_database_that_the_owner_makes_later_gives_the_application_the_same_rights(server: postgres.Postgres):
    with psycopg.connect(server.owner_url, autocommit=True) as owner:
        owner.execute("CREATE DATABASE later")
    with psycopg.connect(server.owner_url.rsplit("/", 1)[0] + "/later", autocommit=True) as owner:
        owner.execute("CREATE TABLE thing (id serial PRIMARY KEY)")
    with psycopg.connect(server.url.rsplit("/", 1)[0] + "/later", autocommit=True) as application:
        application.execute("INSERT INTO thing DEFAULT VALUES")
        assert application.execute("SELECT count(*) FROM thing").fetchone() == (1,)


def test_postgres_refuses_a_wrong_password(server: postgres.Postgres):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url.replace(server.secrets.database_app, "wrong"))


def test_postgres_comes_back_with_its_rows_after_kill_9(tmp_path: Path):
    port = ports.choose(tmp_path, ["postgres"])["postgres"]
    server = postgres.start(tmp_path, port=port)
    with psycopg.connect(server.owner_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE thing (id int)")
        connection.execute("INSERT INTO thing VALUES (7)")
    server.running.process.kill()
    server.running.process.wait()
    # The worst case: its number has been given to another process meanwhile, here to this one.
    lock = tmp_path / "postgres" / "postmaster.pid"
    lines = lock.read_text().splitlines()
    lock.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with postgres.start(tmp_path, port=port) as again, psycopg.connect(again.url) as connection:
        assert connection.execute("SELECT id FROM thing").fetchall() == [(7,)]


def test_an_initdb_that_was_interrupted_leaves_nothing_in_the_way(tmp_path: Path):
    half = tmp_path / "postgres.building"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with postgres.start(tmp_path, port=ports.choose(tmp_path, ["postgres"])["postgres"]) as server:
        assert server.ready()
    assert not half.exists()


def test_redis_keeps_what_was_written_and_wants_its_password(tmp_path: Path):
    import redis as client

    port = ports.choose(tmp_path, ["redis"])["redis"]
    with redis.start(tmp_path, port=port) as server:
        assert {connection.laddr.ip for connection in _listening(server.running.process.pid)} == {"127.0.0.1"}
        with client.Redis.from_url(server.url) as connection:
            connection.set("key", "value")
            assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        with client.Redis(port=port) as stranger, pytest.raises(client.AuthenticationError):
            stranger.get("key")
    with redis.start(tmp_path, port=port) as server, client.Redis.from_url(server.url) as connection:
        assert connection.get("key") == b"value"
    assert stat.S_IMODE((tmp_path / "redis" / "redis.conf").stat().st_mode) == 0o600


def test_a_service_that_ends_at_once_is_reported_with_its_log(tmp_path: Path):
    command = Command(("sh", "-c", "echo the reason; exit 3"))
    with pytest.raises(ServiceFailed, match="the reason"):
        Running("Thing", command, log=tmp_path / "thing.log", ready=lambda: False, timeout_s=10)


def test_ray_sockets_fit_however_long_the_data_folder_is(tmp_path: Path):
    deep = tmp_path / ("long" * 30)
    head = ray.Ray(deep, dict.fromkeys(ray.PORT_NAMES, 1), "token")
    assert len(os.fsencode(head.temp_dir)) <= ray.LONGEST_TEMP_DIR
    assert head.temp_dir == ray.Ray(deep, dict.fromkeys(ray.PORT_NAMES, 1), "token").temp_dir
    assert head.temp_dir != ray.Ray(tmp_path / ("long" * 31), dict.fromkeys(ray.PORT_NAMES, 1), "token").temp_dir


HELLO = """
from ray import serve

@serve.deployment(ray_actor_options={"num_cpus": 0.1})
class Hello:
    async def __call__(self, request):
        return "hello"

app = Hello.bind()
"""


def _deploy_hello(head: ray.Ray) -> None:
    """Deploy an application declaratively, and wait until it answers on Serve's own port."""
    application = {"name": "hello", "route_prefix": "/hello", "import_path": "hello:app"}
    body = {
        "proxy_location": "HeadOnly",
        "http_options": {"host": "127.0.0.1", "port": head.ports["ray-serve"]},
        "applications": [application],
    }
    connection = http.client.HTTPConnection("127.0.0.1", head.ports["ray-dashboard"], timeout=60)
    headers = {"Authorization": f"Bearer {head.token}", "Content-Type": "application/json"}
    connection.request("PUT", "/api/serve/applications/", json.dumps(body), headers)
    response = connection.getresponse()
    assert response.status == 200, response.read()
    connection.close()
    deadline = time.monotonic() + 60
    while True:
        assert time.monotonic() < deadline, "Serve did not answer"
        proxy = http.client.HTTPConnection("127.0.0.1", head.ports["ray-serve"], timeout=5)
        try:
            proxy.request("GET", "/hello")
            if proxy.getresponse().read() == b"hello":
                return
        except OSError:
            pass
        finally:
            proxy.close()
        time.sleep(0.3)


@pytest.mark.ray
@pytest.mark.slow
def test_ray_stays_on_loopback_wants_its_token_and_ends_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "hello.py").write_text(HELLO)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    head = ray.describe(tmp_path, ports=ports.choose(tmp_path, ray.PORT_NAMES))
    head.prepare()
    running = Running("Ray", head.command, log=tmp_path / "ray.log", ready=head.ready, timeout_s=120)
    try:
        _deploy_hello(head)
        processes = psutil.Process(running.process.pid).children(recursive=True)
        assert any("ServeReplica" in process.name() or "ServeReplica" in process.cmdline()[0] for process in processes)
        addresses = {connection.laddr.ip for process in processes for connection in _listening(process.pid)}
        assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1"}
        connection = http.client.HTTPConnection("127.0.0.1", head.ports["ray-dashboard"], timeout=10)
        connection.request("GET", "/api/serve/applications/")
        assert connection.getresponse().status == 401
        connection.close()
        raylet = next(process for process in processes if process.name() == "raylet")
        raylet.send_signal(signal.SIGKILL)
        assert running.process.wait(30) == 1, (
            "a node without its raylet must end, so that the supervisor starts it anew"
        )
        assert [process for process in processes if process.is_running() and process.status() != "zombie"] == []
    finally:
        running.stop()


def _listening(pid: int) -> list:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            found = [item for item in psutil.Process(pid).net_connections("tcp") if item.status == psutil.CONN_LISTEN]
        except psutil.Error:
            return []
        if found:
            return found
        if psutil.Process(pid).name() not in ("postgres", "redis-server"):
            return []
        time.sleep(0.05)
    return []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else for PostgreSQL")
def test_where_namespaces_are_forbidden_postgres_runs_as_nobody_and_says_what_it_cannot_reach(
    monkeypatch: pytest.MonkeyPatch,
):
    top = Path(tempfile.mkdtemp(prefix="countersign-"))  # pytest's own folders are closed to others, higher up
    top.chmod(0o755)
    try:
        data = top / "data"
        port = ports.choose(data, ["postgres"])["postgres"]
        with postgres.start(data, port=port):
            pass
        monkeypatch.setattr(postgres, "privilege", lambda: "drop:65534:65534")
        if all(parent.stat().st_mode & 0o001 for parent in postgres.binaries().parents):
            with postgres.start(data, port=port) as server:
                assert psutil.Process(server.running.process.pid).uids().real == 65534
            assert stat.S_IMODE((data / "secrets.json").stat().st_mode) == 0o600
        top.chmod(0o700)
        with pytest.raises(ServiceFailed, match=f"can't pass through {top}"):
            postgres.start(data, port=port)
    finally:
        shutil.rmtree(top, ignore_errors=True)
