"""Fetching a prompt by label at 100 and 100,000 prompts, in one run beside MLflow's and Phoenix's servers on the same PostgreSQL, and
beside a bare Django view that reads one row under the same granian settings.

MLflow is the one of `make clients`. Phoenix wants an environment of its own: `uv venv --python 3.11 DIR && uv pip install --python
DIR/bin/python arize-phoenix asyncpg`, then PHOENIX_ENVIRONMENT=DIR. A peer that is not there is left out, with a line that says so.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import httpx
import psycopg
import pytest

from tests.benchmarks.conftest import Report
from tests.benchmarks.load import generator, rate
from tests.benchmarks.test_10_mlflow import processor_s, settle
from tests.clients.driver import ENVIRONMENT
from tests.conftest import SUPERUSER_URL, make_cast, truncate_everything
from tests.story.conftest import free_ports, wait_for

pytestmark = [pytest.mark.timeout(3000), pytest.mark.django_db(transaction=True)]
ROOT = Path(__file__).resolve().parent.parent.parent
PHOENIX = Path(os.environ.get("PHOENIX_ENVIRONMENT", ROOT / ".venv-phoenix"))
SIZES = [int(text) for text in os.environ.get("PROMPTS", "100,100000").split(",")]
SECONDS, ROUNDS = float(os.environ.get("PROMPTS_SECONDS", "3")), int(os.environ.get("PROMPTS_ROUNDS", "5"))
_BY_ALIAS = "/api/2.0/mlflow/registered-models/alias?name=template&alias=live"
# A door of ours, what it is held against, and how many times as quick it ought to be.
PAIRS = [
    ("ours", "mlflow", 10.0), ("ours", "phoenix", 5.0), ("ours", "bare", 0.7), ("mlflow door", "mlflow", 10.0), ("mlflow door", "bare", 0.7),
    ("langfuse door", "bare", 0.7),
]  # fmt: skip
TEXT = "You answer the customers of a shop, briefly and kindly.\n" * 20 + "{{ question }}"


@dataclass
class Side:
    url: str
    headers: dict[str, str]
    pid: int


@pytest.fixture(scope="module")
def servers(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[SimpleNamespace]:
    """All that are there, on one PostgreSQL."""
    folder = tmp_path_factory.mktemp("prompts")
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, command: list[str], env: dict[str, str], health: str) -> int:
        log = (folder / f"{name}.log").open("wb")
        cwd = ROOT if name in ("ours", "bare") else folder
        started.append(subprocess.Popen(command, cwd=cwd, env=env, stdout=log, stderr=log, start_new_session=True))
        process = started[-1]

        def answers() -> bool:
            assert process.poll() is None, (folder / f"{name}.log").read_text()[-2000:]
            return httpx.get(health, timeout=5).status_code == 200

        wait_for(name, answers, timeout_s=600)
        return started[-1].pid

    with django_db_blocker.unblock():
        cast = make_cast()
        key, version = _ours(cast)
        try:
            sides = {}
            for name, target in (
                ("ours", "config.wsgi:application"),
                ("bare", "tests.benchmarks.bare_prompts:application"),
            ):
                port = free_ports()
                command = [
                    sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
                    "--workers", "2", "--no-ws", "--log-level", "warning", "--blocking-threads", "64", target,
                ]  # fmt: skip
                base = f"http://127.0.0.1:{port}"
                path = "/api/v1/prompts/acme/template/labels/live" if name == "ours" else f"/prompts/{version}"
                health = f"{base}/healthz" if name == "ours" else f"{base}{path}"
                pid = start(name, command, {**os.environ, "PROMPT_USE_EVERY_S": "2"}, health)
                headers = {"Authorization": f"Bearer {key}"} if name == "ours" else {}
                sides[name] = Side(f"{base}{path}", headers, pid)
                if name == "ours":
                    sides["mlflow door"] = Side(f"{base}{_BY_ALIAS}", headers, pid)
                    sides["langfuse door"] = Side(f"{base}/api/public/v2/prompts/template?label=live", headers, pid)
            _mlflow(start, sides, folder)
            _phoenix(start, sides, folder)
            yield SimpleNamespace(sides=sides, cast=cast)
        finally:
            for process in reversed(started):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(timeout=60)
            truncate_everything()


def _ours(cast: SimpleNamespace) -> tuple[str, int]:
    from accounts.access import Actor
    from accounts.actions import create_key
    from prompts import actions

    by = Actor(cast.alice)
    prompt = actions.create_prompt(team=cast.team, name="template", by=by)
    version = actions.create_version(prompt=prompt, type="text", template=TEXT, parameters={"temperature": 0.2}, by=by)
    actions.move_label(prompt=prompt, label="live", version=version, by=by)
    return create_key(name="bench", team=cast.team, by=by)[1], version.pk


def _peer_environment(of: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "DJANGO_SETTINGS_MODULE")}
    return {**kept, "PATH": f"{of / 'bin'}:{os.environ['PATH']}"}


def _database(name: str) -> str:
    with psycopg.connect(SUPERUSER_URL, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
    return SUPERUSER_URL.rsplit("/", 1)[0] + f"/{name}"


def _mlflow(start: Any, sides: dict[str, Side], folder: Path) -> None:
    """A prompt of MLflow is a registered model with a tag; its alias is what load_prompt reads."""
    if not (ENVIRONMENT / "bin" / "mlflow").exists():
        print("\nMLflow is left out: make clients")
        return
    port, database = free_ports(), _database("mlflow")
    base = f"http://127.0.0.1:{port}"
    command = [
        str(ENVIRONMENT / "bin" / "mlflow"), "server", "--workers", "2", "--host", "127.0.0.1", "--port", str(port),
        "--backend-store-uri", database.replace("postgresql://", "postgresql+psycopg2://"),
        "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    pid = start("mlflow", command, _peer_environment(ENVIRONMENT), f"{base}/version")
    settle(pid)
    api = f"{base}/api/2.0/mlflow"
    tags = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    body: dict[str, Any] = {"name": "template", "tags": tags}
    _post(f"{api}/registered-models/create", body)
    text = [*tags, {"key": "mlflow.prompt.text", "value": TEXT}]
    body = {"name": "template", "source": "dummy-source", "tags": text}
    _post(f"{api}/model-versions/create", body)
    body = {"name": "template", "alias": "live", "version": "1"}
    _post(f"{api}/registered-models/alias", body)
    sides["mlflow"] = Side(f"{base}{_BY_ALIAS}", {}, pid)


def _post(address: str, body: dict[str, Any]) -> None:
    """MLflow's server lets go of a request now and then while its workers start."""
    for left in (2, 1, 0):
        try:
            answer = httpx.post(address, json=body, timeout=60)
        except httpx.RemoteProtocolError:
            if not left:
                raise
            time.sleep(3)
        else:
            if "RESOURCE_ALREADY_EXISTS" not in answer.text:
                answer.raise_for_status()
            return


def _phoenix(start: Any, sides: dict[str, Side], folder: Path) -> None:
    if not (PHOENIX / "bin" / "phoenix").exists():
        print("\nPhoenix is left out: see the top of this file")
        return
    port, database = free_ports(), _database("phoenix")
    base = f"http://127.0.0.1:{port}"
    env = {
        **_peer_environment(PHOENIX), "PHOENIX_SQL_DATABASE_URL": database, "PHOENIX_PORT": str(port), "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_GRPC_PORT": str(free_ports()), "PHOENIX_WORKING_DIR": str(folder / "phoenix"), "PHOENIX_TELEMETRY_ENABLED": "false",
    }  # fmt: skip
    pid = start("phoenix", [str(PHOENIX / "bin" / "phoenix"), "serve"], env, f"{base}/healthz")
    # Its API takes chats alone: one message with the same text.
    body = {
        "prompt": {"name": "template"},
        "version": {
            "model_provider": "OPENAI", "model_name": "gpt-4o", "template_type": "CHAT", "template_format": "MUSTACHE",
            "template": {"type": "chat", "messages": [{"role": "user", "content": TEXT}]},
            "invocation_parameters": {"type": "openai", "openai": {"temperature": 0.2}},
        },
    }  # fmt: skip
    made = httpx.post(f"{base}/v1/prompts", json=body, timeout=60)
    made.raise_for_status()
    version = made.json()["data"]["id"]
    httpx.post(f"{base}/v1/prompt_versions/{version}/tags", json={"name": "live"}, timeout=60).raise_for_status()
    sides["phoenix"] = Side(f"{base}/v1/prompts/template/tags/live", {}, pid)


# Copies of the one that was made by the actions, so that columns that come later are filled as well.
_FILL = """
INSERT INTO prompts_prompt ({columns}) SELECT {copied} FROM (SELECT jsonb_populate_record(p, jsonb_build_object(
    'id', nextval(pg_get_serial_sequence('prompts_prompt', 'id')), 'name', 'folder-' || n % 100 || '/prompt ' || n)) AS row
FROM prompts_prompt p, generate_series({first}, {last}) n WHERE p.name = 'template') made;
INSERT INTO prompts_promptversion SELECT (jsonb_populate_record(v, jsonb_build_object(
    'id', nextval(pg_get_serial_sequence('prompts_promptversion', 'id')), 'prompt_id', p.id))).*
FROM prompts_promptversion v, prompts_prompt p
WHERE v.prompt_id = (SELECT id FROM prompts_prompt WHERE name = 'template')
    AND NOT EXISTS (SELECT 1 FROM prompts_promptversion o WHERE o.prompt_id = p.id);
INSERT INTO prompts_label (prompt_id, name, version_id, updated_at, updated_by_id)
SELECT v.prompt_id, 'live', v.id, now(), {user} FROM prompts_promptversion v ON CONFLICT DO NOTHING;
"""


def fill(cast: SimpleNamespace, first: int, last: int) -> None:
    with psycopg.connect(SUPERUSER_URL, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        stored = connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'prompts_prompt'::regclass AND attnum > 0 AND NOT attisdropped "
            "AND attgenerated = ''"
        ).fetchall()
        columns, copied = (", ".join(form.format(name) for (name,) in stored) for form in ('"{}"', '(made.row)."{}"'))
        filled = _FILL.format(first=first, last=last, user=cast.alice.pk, columns=columns, copied=copied)
        for statement in filled.split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.execute("VACUUM ANALYZE")


def test_fetch_by_label(servers: SimpleNamespace, report: Report) -> None:
    sides: dict[str, Side] = servers.sides
    for side in sides.values():
        answer = httpx.get(side.url, headers=side.headers, timeout=60)
        assert answer.status_code == 200 and "You answer the customers" in answer.text, answer.text
    before, ours = 1, {}
    for size in SIZES:
        fill(servers.cast, before, size - 1)
        before = size
        for connections in (1, 16):
            rates: dict[str, list[float]] = {name: [] for name in sides}
            spent = dict.fromkeys(sides, 0.0)
            for turn in range(ROUNDS + 1):
                for name in list(sides) if turn % 2 else list(sides)[::-1]:
                    side, used = sides[name], processor_s(sides[name].pid)
                    found = rate(side.url, connections=connections, seconds=SECONDS, headers=side.headers)
                    if turn:  # the first warms up
                        rates[name].append(found)
                        spent[name] += processor_s(side.pid) - used
            ours[size, connections] = median(rates["ours"])
            costs = {f"{name}_ms": round(1000 * spent[name] / (sum(rates[name]) * SECONDS), 2) for name in sides}
            for door, name, aim in PAIRS:
                if name not in sides:
                    continue
                ratio = median(a / b for a, b in zip(rates[door], rates[name], strict=True))
                what = "prompt by label" if door == "ours" else f"prompt by label at the {door}"
                report.add(
                    f"{what} / {name}, {size:,} prompts, {connections} at a time",
                    figure=f"{median(rates[door]):.0f} / {median(rates[name]):.0f} = {ratio:.2f}", aim=f">= {aim:g}",
                    met=ratio >= aim, generator=generator(), load=os.getloadavg()[0], requests_per_s=rates, **costs,
                )  # fmt: skip
    for connections in (1, 16):
        ratio = ours[SIZES[-1], connections] / ours[SIZES[0], connections]
        report.add(
            f"prompt by label, {SIZES[-1]:,} against {SIZES[0]:,} prompts, {connections} at a time",
            figure=f"{ratio:.2f}", aim=">= 0.8", met=ratio >= 0.8,
        )  # fmt: skip
