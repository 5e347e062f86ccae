"""What `python -m config.up` decides before anything runs; the whole of it is run by the story's test."""

import json
import socket
from pathlib import Path

import pytest

from config import up
from config.embedded import postgres

OWN_SERVICES = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "RAY_DASHBOARD_URL", "SITE_URL", "GATEWAY_URL")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch):
    for name in (*OWN_SERVICES, "COUNTERSIGN_SECRET_KEY", "COUNTERSIGN_SIGNING_SEED"):
        monkeypatch.delenv(name, raising=False)


def free_pair() -> int:
    """A port that is free together with the next one."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def options(data: Path, *arguments: str) -> up.Options:
    return up.parse(["--port", str(free_pair()), "--data", str(data), *arguments])


def test_defaults_are_port_8000_the_folder_var_loopback_and_the_demo():
    found = up.parse([])
    assert (found.port, found.data, found.host, found.demo) == (8000, Path("var").resolve(), "127.0.0.1", True)


def test_a_port_without_a_next_one_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        up.parse(["--port", "65535"])
    assert "it must be from 1 to 65534" in capsys.readouterr().err


def test_every_service_is_started_here_by_default(tmp_path: Path):
    children = [child.name for child in up.Instance(options(tmp_path)).children()]
    assert set(children) == {
        "postgres", "redis", "migrate", "bootstrap", "static", "site", "gateway", "worker", "beat", "ray", "demo",
    }  # fmt: skip


def test_services_that_the_user_names_are_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://app:x@db.internal/countersign")
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgresql://owner:x@db.internal/countersign")
    monkeypatch.setenv("REDIS_URL", "redis://cache.internal/0")
    monkeypatch.setenv("RAY_DASHBOARD_URL", "http://ray.internal:8265")
    instance = up.Instance(options(tmp_path, "--no-demo"))
    children = [child.name for child in instance.children()]
    assert not {"postgres", "redis", "ray", "demo"} & set(children)
    assert not {"DATABASE_URL", "REDIS_URL", "RAY_DASHBOARD_URL"} & set(instance.env)
    assert instance.owner_url == "postgresql://owner:x@db.internal/countersign"


def test_no_lasting_process_may_speak_as_the_databases_owner(tmp_path: Path):
    instance = up.Instance(options(tmp_path))
    for child in instance.children():
        knows = "DATABASE_OWNER_URL" in {**instance.env, **child.command.env}
        assert knows == (child.name == "migrate"), child.name


def test_no_secret_stands_on_a_command_line(tmp_path: Path):
    instance = up.Instance(options(tmp_path))
    known = instance.secrets
    for child in instance.children():
        line = " ".join(child.command.launched_argv())
        for name in known.__dataclass_fields__:
            assert getattr(known, name) not in line, (child.name, name)


def test_a_taken_port_is_named_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    port = free_pair()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + 1))
        taken.listen()
        assert up.main(["--port", str(port), "--data", str(tmp_path)]) == 1
    message = capsys.readouterr().err
    assert f"Port {port + 1}, wanted for the gateway, is taken" in message
    assert "PORT=" in message


def test_listening_everywhere_is_still_addressed_by_loopback(tmp_path: Path):
    instance = up.Instance(options(tmp_path, "--host", "0.0.0.0"))
    assert instance.site_url.startswith("http://127.0.0.1:")


def test_migrations_run_only_when_the_database_has_not_seen_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    instance = up.Instance(options(tmp_path))
    with postgres.start(tmp_path, port=instance.postgres.port):
        assert instance._migrations_pending()
        instance._note_migrated()
        assert not instance._migrations_pending()
        monkeypatch.setattr(up, "migrations_fingerprint", lambda: "of a later release")
        assert instance._migrations_pending()


def test_the_demo_is_made_until_it_has_been_made_once(tmp_path: Path):
    instance = up.Instance(options(tmp_path))
    demo = next(child for child in instance.children() if child.name == "demo")
    assert demo.needed()
    instance.administrator_file.write_text(json.dumps({"email": "admin@example.com", "password": "secret"}))
    demo.prepare()
    assert demo.command.env["COUNTERSIGN_ADMIN_PASSWORD"] == "secret"
    demo.then()
    assert not demo.needed()
    assert not demo.essential, "a platform without its demo still works"
