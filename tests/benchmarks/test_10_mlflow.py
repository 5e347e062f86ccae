"""The MLflow door beside `mlflow server` 3.18, on the same PostgreSQL in one run: versions made, read, tagged and searched by tag at
1,000 and 50,000 of them, aliases moved, runs begun, told things, read and searched. The server runs as it runs best: two workers,
uvloop. `MLFLOW_WHAT`: some of `cells` alone, by their names, separated by commas."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import httpx
import psutil
import psycopg
import pytest

from tests.benchmarks.conftest import Report
from tests.benchmarks.load import NUMBER, generator, rate
from tests.clients.driver import ENVIRONMENT
from tests.conftest import SUPERUSER_URL, make_cast, truncate_everything
from tests.story.conftest import free_ports, wait_for

pytestmark = [pytest.mark.timeout(3000), pytest.mark.django_db(transaction=True)]
ROOT = Path(__file__).resolve().parent.parent.parent
SIZES = [int(text) for text in os.environ.get("MLFLOW_VERSIONS", "1000,50000").split(",")]
PER_MODEL, HITS, SECONDS, ROUNDS = 50, 50, float(os.environ.get("MLFLOW_SECONDS", "4")), 3
ONLY = [name for name in os.environ.get("MLFLOW_WHAT", "").split(",") if name]
RUNS = 200  # in one experiment; a quarter of them are found by their parameter
API = "/api/2.0/mlflow/"
AIM, AIM_SEARCH = 6.0, 20.0


@dataclass
class Server:
    name: str
    url: str
    headers: dict[str, str]
    experiment: str = ""
    runs: list[str] = field(default_factory=list)

    def make_runs(self) -> None:
        """As clients make them, through the door."""
        with httpx.Client(base_url=self.url + API, headers=self.headers, timeout=60) as client:

            def post(path: str, **body: Any) -> Any:
                answer = client.post(path, json=body)
                assert answer.status_code == 200, answer.text
                return answer.json()

            self.experiment = post("experiments/create", name="bench")["experiment_id"]
            for number in range(RUNS):
                run = post("runs/create", experiment_id=self.experiment, start_time=1_700_000_000_000 + number)
                self.runs.append(run["run"]["info"]["run_id"])
                metrics = [
                    {"key": f"m{key}", "value": number / 7, "timestamp": 1_700_000_000_000, "step": 1}
                    for key in range(5)
                ]
                rate = [{"key": "lr", "value": f"0.{number % 4}"}]
                post("runs/log-batch", run_id=self.runs[-1], metrics=metrics, params=rate)

    def get(self, path: str, **query: str) -> str:
        return f"{self.url}{API}{path}?{urlencode(query)}"


@pytest.fixture(scope="module")
def servers(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[SimpleNamespace]:
    """Both, on one PostgreSQL, empty."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        pytest.skip("The peer is not installed: make clients")
    folder = tmp_path_factory.mktemp("mlflow")
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, command: list[str], env: dict[str, str], url: str) -> None:
        log = (folder / f"{name}.log").open("wb")
        where = folder if name == "mlflow" else ROOT
        # A session of its own: the server's workers and job processes end with it.
        started.append(subprocess.Popen(command, cwd=where, env=env, stdout=log, stderr=log, start_new_session=True))
        wait_for(name, lambda: httpx.get(url, timeout=5).status_code == 200, timeout_s=600)

    with psycopg.connect(SUPERUSER_URL, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS mlflow WITH (FORCE)")
        connection.execute("CREATE DATABASE mlflow")
    peer_database = SUPERUSER_URL.rsplit("/", 1)[0] + "/mlflow"
    with django_db_blocker.unblock():
        cast = make_cast()
        key = _key(cast)
        _template(cast)
        ours, theirs = free_ports(), free_ports()
        command = [
            sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(ours), "--workers",
            "2", "--no-ws", "--log-level", "warning", "--blocking-threads", "64", "config.wsgi:application",
        ]  # fmt: skip
        try:
            start("ours", command, dict(os.environ), f"http://127.0.0.1:{ours}/healthz")
            command = [
                str(ENVIRONMENT / "bin" / "mlflow"), "server", "--workers", "2", "--host", "127.0.0.1", "--port", str(theirs),
                "--backend-store-uri", peer_database.replace("postgresql://", "postgresql+psycopg2://"),
                "--artifacts-destination", str(folder / "artifacts"),
            ]  # fmt: skip
            env = {
                name: value
                for name, value in os.environ.items()
                if name not in ("PYTHONPATH", "DJANGO_SETTINGS_MODULE")
            }
            env["PATH"] = f"{ENVIRONMENT / 'bin'}:{env['PATH']}"
            start("mlflow", command, env, f"http://127.0.0.1:{theirs}/version")
            settle(started[-1].pid)
            bearer = {"Authorization": f"Bearer {key}"}
            yield SimpleNamespace(
                ours=Server("ours", f"http://127.0.0.1:{ours}", bearer),
                mlflow=Server("mlflow", f"http://127.0.0.1:{theirs}", {}),
                pids={"ours": started[0].pid, "mlflow": started[1].pid},
                peer=peer_database,
                cast=cast,
            )
        finally:
            for process in reversed(started):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(timeout=60)
            truncate_everything()


def processor_s(pid: int) -> float:
    """What a server's processes have used of the processor so far."""
    found = 0.0
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        with suppress(psutil.Error):
            times = process.cpu_times()
            found += times.user + times.system
    return found


def settle(pid: int) -> None:
    """Twenty seconds, and until it has nothing more to do: its job processes go on importing after the first answer."""
    time.sleep(20)
    wait_for("the end of its imports", lambda: _used(pid, 3.0) < 0.3, timeout_s=300)


def _used(pid: int, seconds: float) -> float:
    before = processor_s(pid)
    time.sleep(seconds)
    return processor_s(pid) - before


def _key(cast: SimpleNamespace) -> str:
    from accounts.access import Actor
    from accounts.actions import create_key

    return create_key(name="bench", team=cast.team, by=Actor(cast.alice))[1]


def _template(cast: SimpleNamespace) -> None:
    from accounts.access import Actor
    from registry import actions

    by = Actor(cast.alice)
    asset = actions.create_tagged(team=cast.team, kind="model", name="template", tags={}, by=by)
    actions.register_elsewhere(asset=asset, source="s3://bucket/x", tags={}, facts={}, by=by)


# The tag `batch` of so many values that each is on HITS versions, whatever the number of versions.
# Rows are copies of one that was made by the actions, so that columns that come later are filled as well.
_OURS = """
INSERT INTO registry_asset SELECT (jsonb_populate_record(a, jsonb_build_object(
    'id', nextval(pg_get_serial_sequence('registry_asset', 'id')), 'name', 'model-' || m, 'last_number', {per}))).*
FROM registry_asset a, generate_series({first}, {models} - 1) m WHERE a.name = 'template';
INSERT INTO registry_version SELECT (jsonb_populate_record(v, jsonb_build_object(
    'id', nextval(pg_get_serial_sequence('registry_version', 'id')), 'asset_id', a.id, 'number', n,
    'digest', 'sha256:' || md5(a.id || '-' || n), 'commit', left(md5(a.id || '-' || n) || md5(n || '+' || a.id), 40),
    'source', 's3://bucket/' || a.name || '/' || n, 'updated_at', v.updated_at + (a.id * {per} + n) * interval '1 ms'))).*
FROM registry_version v, registry_asset a, generate_series(1, {per}) n
WHERE v.asset_id = (SELECT id FROM registry_asset WHERE name = 'template') AND a.name LIKE 'model-%'
    AND substr(a.name, 7)::int >= {first};
INSERT INTO registry_versiontag (version_id, key, value)
SELECT v.id, k.key, 'x' || (v.id % 7)
FROM registry_version v JOIN registry_asset a ON a.id = v.asset_id, (VALUES ('batch'), ('kind')) k(key)
WHERE a.name LIKE 'model-%' AND substr(a.name, 7)::int >= {first} AND v.number <= {per};
UPDATE registry_versiontag t SET value = 'b' || ((substr(a.name, 7)::int * {per} + v.number) % {values})
FROM registry_version v JOIN registry_asset a ON a.id = v.asset_id WHERE v.id = t.version_id AND t.key = 'batch';
INSERT INTO registry_alias (asset_id, name, version_id, updated_at, updated_by_id)
SELECT v.asset_id, 'champion', v.id, now(), {user}
FROM registry_version v JOIN registry_asset a ON a.id = v.asset_id WHERE v.number = {per} ON CONFLICT DO NOTHING;
"""
_THEIRS = """
INSERT INTO registered_models (workspace, name, creation_time, last_updated_time, description)
SELECT 'default', 'model-' || m, 1, 1, '' FROM generate_series({first}, {models} - 1) m;
INSERT INTO model_versions (workspace, name, version, creation_time, last_updated_time, description, current_stage, source,
    run_id, run_link, status)
SELECT 'default', 'model-' || m, n, 1, 1 + m * {per} + n, '', 'None', 's3://bucket/model-' || m || '/' || n, '', '', 'READY'
FROM generate_series({first}, {models} - 1) m, generate_series(1, {per}) n;
INSERT INTO model_version_tags (workspace, name, version, key, value)
SELECT workspace, name, version, k.key, 'x' || (version % 7)
FROM model_versions, (VALUES ('batch'), ('kind')) k(key) WHERE substr(name, 7)::int >= {first};
UPDATE model_version_tags SET value = 'b' || ((substr(name, 7)::int * {per} + version) % {values}) WHERE key = 'batch';
INSERT INTO registered_model_aliases (workspace, name, alias, version)
SELECT 'default', 'model-' || m, 'champion', {per} FROM generate_series({first}, {models} - 1) m;
"""


def fill(servers: SimpleNamespace, before: int, size: int) -> None:
    """Copy rows in until there are `size` versions on both sides."""
    given: dict[str, Any] = {
        "first": before // PER_MODEL, "models": size // PER_MODEL, "per": PER_MODEL, "values": size // HITS,
        "user": servers.cast.alice.pk,
    }  # fmt: skip
    for url, statements in ((SUPERUSER_URL, _OURS), (servers.peer, _THEIRS)):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")  # past triggers, which would tell of each row
            for statement in statements.format(**given).split(";\n"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute("VACUUM ANALYZE")


def measured(servers: SimpleNamespace, what: str, size: int, connections: int) -> dict[str, float]:
    """Answers per second on both sides, by turns; the medians of a few rounds. And what an answer takes of the processor (ms), which
    other work on the machine changes less."""
    rates: dict[str, list[float]] = {"ours": [], "mlflow": []}
    spent = dict.fromkeys(rates, 0.0)
    for _ in range(ROUNDS):
        for server in (servers.ours, servers.mlflow):
            url, bodies = cells(server, size)[what]
            before = processor_s(servers.pids[server.name])
            found = rate(url, connections=connections, seconds=SECONDS, headers=server.headers, bodies=bodies or ())
            spent[server.name] += processor_s(servers.pids[server.name]) - before
            rates[server.name].append(max(found, 0.1))  # mlflow may answer nothing in a short round
    medians = {name: sorted(found)[len(found) // 2] for name, found in rates.items()}
    costs = {f"{name}_ms": 1000 * spent[name] / (sum(found) * SECONDS) for name, found in rates.items()}
    return medians | costs


def cells(server: Server, size: int) -> dict[str, tuple[str, list[str] | None]]:
    """What is measured: an address, and bodies where it is a write."""

    def named(**body: Any) -> list[str]:
        return [json.dumps({"name": f"model-{number}", **body}) for number in range(16)]

    # Whoever reads model-7 is not to read a thousand aliases that another cell set.
    aliases = [body.replace('"model-7"', '"model-17"') for body in named(version="9", alias=f"a{NUMBER}")]

    def told(**body: Any) -> list[str]:
        return [json.dumps({"run_id": run, **body}) for run in server.runs[:16]]

    create = named(source="s3://bucket/new", tags=[{"key": "by", "value": "bench"}])
    tag = {"key": "seen", "value": NUMBER}
    point = {"value": 0.5, "timestamp": 1_700_000_000_000, "step": NUMBER}
    batch = {
        "metrics": [{**point, "key": f"m{key}"} for key in range(10)],
        "params": [{"key": "depth", "value": "3"}],
        "tags": [tag],
    }
    lr = {"experiment_ids": [server.experiment], "filter": "params.lr = '0.1'", "max_results": RUNS // 4}
    root = f"{server.url}{API}"
    return {
        "a version by alias": (server.get("registered-models/alias", name="model-7", alias="champion"), None),
        "a version by number": (server.get("model-versions/get", name="model-7", version="9"), None),
        "search by tag": (
            server.get("model-versions/search", filter="tags.batch = 'b7'", max_results="50"),
            None,
        ),
        # A seventh of all versions have it.
        "search by a common tag": (
            server.get("model-versions/search", filter="tags.kind = 'x3'", max_results="50"),
            None,
        ),
        "a page of 50 models": (server.get("registered-models/search", max_results="50"), None),
        "the download address of a version": (
            server.get("model-versions/get-download-uri", name="model-7", version="9"),
            None,
        ),
        "an experiment by its id": (server.get("experiments/get", experiment_id=server.experiment), None),
        "a metric's history": (server.get("metrics/get-history", run_id=server.runs[7], metric_key="m1"), None),
        "a model by name": (server.get("registered-models/get", name="model-7"), None),
        "create a version": (f"{root}model-versions/create", create),
        "tag a version": (f"{root}model-versions/set-tag", named(version="9", **tag)),
        "tag a model": (f"{root}registered-models/set-tag", named(**tag)),
        "set an alias": (f"{root}registered-models/alias", aliases),
        "begin a run": (
            f"{root}runs/create",
            [json.dumps({"experiment_id": server.experiment, "start_time": 1_700_000_000_000})],
        ),
        "a run by its id": (server.get("runs/get", run_id=server.runs[7]), None),
        "search runs by parameter": (f"{root}runs/search", [json.dumps(lr)]),
        "log a metric": (f"{root}runs/log-metric", told(key="loss", **point)),
        "log a batch": (f"{root}runs/log-batch", told(**batch)),
        "tag a run": (f"{root}runs/set-tag", told(**tag)),
    }


def test_beside_mlflow(servers: SimpleNamespace, report: Report) -> None:
    before, ours_by_size = 0, {}
    for size in SIZES:
        fill(servers, before, size)
        before = size
        sides = (servers.ours, servers.mlflow)
        for server in sides if size == SIZES[0] else ():
            server.make_runs()
        for what in (what for what in cells(servers.ours, size) if not ONLY or what in ONLY):
            for connections in (1, 16):
                for server in sides if connections == 1 else ():
                    url, bodies = cells(server, size)[what]
                    if bodies is None:
                        body = httpx.get(url, headers=server.headers, timeout=60).json()
                        assert len(body.get("model_versions", [1] * HITS)) == HITS, body
                    elif what.startswith("search"):
                        body = httpx.post(url, headers=server.headers, json=json.loads(bodies[0]), timeout=60).json()
                        assert len(body["runs"]) == RUNS // 4, body
                found = measured(servers, what, size, connections)
                ratio = found["ours"] / found["mlflow"]
                aim = AIM_SEARCH if what.endswith("tag") and what.startswith("search") and size >= 50_000 else AIM
                ours_by_size[what, connections, size] = found["ours"]
                report.add(
                    f"mlflow: {what}, {size:,} versions, {connections} at a time",
                    figure=f"{found['ours']:.0f} / {found['mlflow']:.0f} = {ratio:.1f} ({found['ours_ms']:.1f} / {found['mlflow_ms']:.1f} ms of processor)", aim=f">= {aim:.0f}",
                    met=ratio >= aim, generator=generator(), seconds=SECONDS, rounds=ROUNDS, **found,
                )  # fmt: skip
    for what, connections in {(what, connections) for what, connections, _ in ours_by_size}:
        small, large = (ours_by_size[what, connections, size] for size in (SIZES[0], SIZES[-1]))
        report.add(
            f"mlflow: {what}, {connections} at a time, {SIZES[-1]:,} against {SIZES[0]:,}", figure=f"{large / small:.2f}",
            aim=">= 0.7", met=large / small >= 0.7,
        )  # fmt: skip
