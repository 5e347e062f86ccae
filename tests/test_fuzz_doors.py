"""Junk through every door: whatever somebody sends, the answer is never a 500. Seeded and bounded; nothing it does stays."""

import io
import json
import random
import re
import traceback
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from accounts.access import Actor
from accounts.actions import create_key, create_team, grant_role
from accounts.models import Grant
from accounts.roles import Role
from evaluation.actions import create_evaluation
from governance.actions import create_policy, delegate
from notifications import guard
from notifications.actions import create_webhook, send_test
from notifications.models import Notice
from prompts.actions import create_prompt
from prompts.actions import create_version as create_prompt_version
from registry import actions as registry
from registry.actions import request_move
from serving import cluster
from serving.actions import create_deployment
from tests.registry.conftest import model_files
from tracking.actions import create_run

SEED = 20261121
NUL, HALF = "a\0b", "\ud800"
TEXTS = [
    "",
    " ",
    NUL,
    HALF,
    "x" * 10_000,
    "../../x",
    "production\n",
    "ｐroduction",
    "' OR 1=1 --",
    "{{ 7*7 }}",
    "٣",
    "%",
]
JUNK: list[Any] = [
    None, True, -1, 0, 2**31, 2**63, 10**30, 1.5, -0.0, *TEXTS, [], {}, [[]], [None], ["x", 1], [NUL], {"a": NUL}, {NUL: 1}, {"a": HALF},
    [{}], [{"type": ["metric"]}], [{"role": ["user"], "content": 1}], {"count": [], "role": {}}, [{"key": NUL, "step": 2**70, "value": "x"}],
]  # fmt: skip
RAW = [
    b"", b"{", b"null", b"[]", b"1", b'"x"', b"[" * 200_000, b'{"a":' * 50_000, b'{"a": 1e999}', b'{"a": NaN}', b"\xff\xfe{}", b"\x00",
    b'{"version": ' + b"9" * 5_000 + b"}", b'{"name": "\\ud800"}',
]  # fmt: skip
QUERY = ["", "-1", "0", "9" * 30, "9" * 5_000, "%00", "x%00y", "%ff", "%ed%a0%80", "W10", "WzFlOTk5XQ", "WyJcdWQ4MDAiXQ", "WzEwMDAwMDAwMDAwMDAwMDAwMDAwXQ", "x" * 3_000, "2026-99-99", "0001-01-01T00:00:00+23:59"]  # fmt: skip
GOOD: dict[str, Any] = {
    "team": "acme", "name": "fresh", "title": "Fresh", "email": "fresh@example.com", "password": "a-long-test-password", "person": "bob@example.com",
    "role": "viewer", "description": "x", "task": "text-generation", "message": "x", "version": 1, "reason": "x", "type": "text", "template": "Hi {{ x }}",
    "parameters": {}, "variables": {"x": "1"}, "kind": "model", "pattern": "*", "stage": "staging", "checks": [{"type": "card"}],
    "reviews": {"count": 1, "role": "reviewer"}, "asset": "acme/m", "alias": "production", "verdict": "comment", "comment": "x", "shown": "",
    "model": "acme/m", "dataset": "acme/d", "dataset_version": 1, "replicas": 1, "engine": "transformers", "engine_options": {}, "num_gpus": 0,
    "total_steps": 10, "state": "running", "step": 1, "metrics": [{"key": "loss", "step": 1, "value": 1.0}], "scopes": ["read"], "expires_at": None,
    "service_account": None, "source_run": 1, "site_admin": False, "url": "https://hooks.example.com/in", "events": ["*"],
    "overlap_s": 60, "since": "2026-05-03T10:00:00Z", "ids": [1], "preferences": [{"kind": "mention", "by_mail": False}],
}  # fmt: skip


@pytest.fixture
def world(cast: SimpleNamespace, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """One of everything in team acme, and somebody who may do all of it."""
    settings.STORAGE = tmp_path / "storage"
    node = cluster.Node("n1", "127.0.0.1", cpus=8, gpus=0, memory_bytes=24 * 1024**3)
    monkeypatch.setattr(cluster, "resources", lambda **_: cluster.Resources([node]))
    for role in (Role.CONTRIBUTOR, Role.REVIEWER, Role.DEPLOYER, Role.AUDITOR):
        grant_role(user=cast.admin, role=role, on=cast.team, by=Actor(cast.admin))
    by, alice = Actor(cast.admin), Actor(cast.alice)
    versions = {}
    for kind, name, files in (
        ("model", "m", model_files()),
        ("dataset", "d", {"a.jsonl": b'{"input": "a", "expected": "b"}\n'}),
    ):
        asset = registry.create_asset(
            team=cast.team, kind=kind, name=name, task="text-generation" if kind == "model" else "", by=alice
        )
        for number in (1, 2):
            version = registry.create_version(asset=asset, by=alice)
            for path, content in files.items():
                registry.add_file(
                    version=version, path=path, stream=io.BytesIO(content), expected_size=len(content), by=alice
                )
            if number == 1:
                versions[kind] = registry.register_version(version=version, by=alice)
    prompt = create_prompt(team=cast.team, name="p", by=alice)
    create_prompt_version(prompt=prompt, type="text", template="Hi {{ x }}", by=alice)
    create_prompt_version(prompt=prompt, type="text", template="Hello {{ x }}", by=alice)
    policy = create_policy(
        team=cast.team, kind="model", pattern="*", stage="production",
        checks=[{"type": "metric", "metric": "exact_match", "minimum": 0.5}], reviews={"count": 1, "role": "reviewer"}, by=by,
    )  # fmt: skip
    request = request_move(version=versions["model"], slot="production", by=alice)
    run = create_run(team=cast.team, name="training", total_steps=10, by=by)
    deployment = create_deployment(team=cast.team, name="dep", version=versions["model"], stage="development", by=by)
    evaluation = create_evaluation(version=versions["model"], dataset_version=versions["dataset"], by=by)
    monkeypatch.setattr(guard, "look_up", lambda host, port: ["93.184.215.14"])
    webhook, _ = create_webhook(team=cast.team, url="https://hooks.example.com/in", events=["*"], by=by)
    delivery = send_test(webhook=webhook, by=by)
    notice = Notice.objects.create(user=cast.admin, kind="mention", event_id=1, title="A notice", link="/")
    now = timezone.now()
    delegation = delegate(
        to=cast.victor, team=cast.team, starts_at=now, ends_at=now + timedelta(days=1), by=Actor(cast.bob)
    )
    key, whole = create_key(name="fuzz", by=by)
    create_team(name="other", by=by)
    return SimpleNamespace(
        cast=cast, key=key, whole=whole,
        ids={"request_id": request.pk, "policy_id": policy.pk, "run_id": run.pk, "evaluation_id": evaluation.pk, "event_id": 1,
             "person_id": cast.bob.pk, "team": "acme", "email": "bob@example.com", "role": "reviewer", "key_id": key.key_id, "number": 1,
             "alias": "candidate", "label": "candidate", "path": "README.md", "sha256": "0" * 64, "kind": "version", "key": "1",
             "deployment": deployment.name, "webhook_id": webhook.pk, "delivery_id": delivery.pk, "notice_id": notice.pk,
             "slug": "own", "view_id": 1, "session_id": 1, "delegation_id": delegation.pk, "grant_id": Grant.objects.filter(user=cast.bob).values_list("pk", flat=True)[0]},
    )  # fmt: skip


def routes(patterns: Any = None, prefix: str = "/") -> Any:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        text = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, text)
        elif "^" not in text and not text.startswith("/accounts/"):
            yield text


NAMES = {"models": "m", "datasets": "d", "prompts": "p", "deployments": "dep"}


def addresses(world: SimpleNamespace, prefix: str) -> list[str]:
    """Each route with the things that there are."""
    found = []
    for route in sorted(set(routes())):
        if route.startswith("/api/") == (prefix == "/api/"):
            section = route.removeprefix("/api/v1").strip("/").split("/")[0]
            values = {**world.ids, "name": NAMES.get(section, "x")}
            found.append(re.sub(r"<(?:\w+:)?(\w+)>", lambda m, values=values: str(values.get(m[1], 1)), route))
    return found


def junk_addresses(world: SimpleNamespace, prefix: str) -> list[str]:
    """Each route once for each of its parts and each junk value of it."""
    found = []
    for route in sorted(set(routes())):
        if route.startswith("/api/") == (prefix == "/api/"):
            section = route.removeprefix("/api/v1").strip("/").split("/")[0]
            values = {**world.ids, "name": NAMES.get(section, "x")}
            for part in re.findall(r"<(?:\w+:)?(\w+)>", route):
                for junk in ("9" * 25, str(2**31), NUL, "x" * 2_000, "a\nb", "ｐ", "..", "%25"):
                    one = {**values, part: quote(junk, safe="%")}
                    found.append(re.sub(r"<(?:\w+:)?(\w+)>", lambda m, one=one: str(one.get(m[1], 1)), route))
    return found


class Prober:
    """Sends requests, undoes what each did, and keeps those that were answered with 500."""

    def __init__(self, client: Client) -> None:
        self.client, self.broken = client, {}
        client.raise_request_exception = False

    def send(self, method: str, address: str, data: Any = b"", content_type: str = "application/json") -> int:
        point = transaction.savepoint()
        try:
            response = self.client.generic(method, address, data, content_type=content_type)
            if response.streaming:
                b"".join(response)  # to its end: closing it early would close the test's own connection
            if response.status_code == 500:
                error = getattr(response, "exc_info", None)
                said = "".join(traceback.format_exception(*error)[-3:]) if error else ""
                shown = data[:200] if isinstance(data, bytes | str) else data
                self.broken.setdefault(said[-300:], (method, address[:200], shown))
            return response.status_code
        finally:
            transaction.savepoint_rollback(point)
            connection.needs_rollback = False


@pytest.fixture
def rest(world: SimpleNamespace) -> Prober:
    return Prober(Client(headers={"authorization": f"Bearer {world.whole}"}))


@pytest.fixture
def pages(world: SimpleNamespace, client_of: Any) -> Prober:
    return Prober(client_of(world.cast.admin))


def operations(world: SimpleNamespace) -> Any:
    """(method, address, fields of the body) of every operation in the OpenAPI document."""
    document = Client().get("/api/v1/openapi.json").json()
    for path, methods in document["paths"].items():
        values = {**world.ids, "name": NAMES.get(path.removeprefix("/api/v1/").split("/")[0], "x")}
        address = re.sub(r"{(\w+)}", lambda m, values=values: str(values.get(m[1], 1)), path)
        for method, operation in methods.items():
            if method not in ("get", "post", "put", "patch", "delete"):
                continue
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            shape = document["components"]["schemas"].get(body.get("$ref", "").rpartition("/")[2], body)
            query = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]
            yield method, address, list(shape.get("properties", {})), query


@pytest.mark.django_db
def test_rest_answers_junk_bodies_without_a_500(world, rest, caplog):
    generator = random.Random(SEED)
    sent = taken = 0
    for method, address, fields, _ in operations(world):
        if method == "get":
            continue
        base = {field: GOOD[field] for field in fields if field in GOOD}
        taken += rest.send(method, address, json.dumps(base)) < 300
        for raw in generator.sample(RAW, 4):
            rest.send(method, address, raw)
            sent += 1
        for field in fields:
            for junk in generator.sample(JUNK, 8):
                rest.send(method, address, json.dumps({**base, field: junk}))
                sent += 1
    assert rest.broken == {}
    assert unforeseen(caplog) == []
    assert sent > 500 and taken > 12, "the fuzz reaches what it is meant to reach"


@pytest.mark.django_db
def test_rest_answers_junk_addresses_and_queries_without_a_500(world, rest, caplog):
    generator = random.Random(SEED)
    for address in generator.sample(junk := junk_addresses(world, "/api/"), len(junk) // 2):
        rest.send("get", address)
        rest.send("delete", address)
    for method, address, _, query in operations(world):
        if method == "get":
            for name in sorted({*query, "cursor", "limit"}):
                for value in ["9" * 5_000, *generator.sample(QUERY, 5)]:
                    rest.send("get", f"{address}?{name}={value}")
    for value in ("bytes=0-" + "9" * 5_000, "bytes=٣-", "bytes=-", "x", "bytes=5-1"):
        assert rest.client.get(
            "/api/v1/models/acme/m/versions/1/files/README.md", headers={"range": value}
        ).status_code in (200, 206, 416)
    assert rest.broken == {}
    assert unforeseen(caplog) == []


@pytest.mark.django_db
def test_pages_answer_junk_without_a_500(world, pages, caplog):
    generator = random.Random(SEED)
    for address in generator.sample(junk := junk_addresses(world, "/"), len(junk) // 3):
        pages.send("get", address)
    for address in addresses(world, "/"):
        for name in generator.sample(
            ["cursor", "q", "team", "version", "tab", "from", "after", "show", "model", "stage"], 4
        ):
            pages.send("get", f"{address}?{name}={generator.choice(QUERY)}")
        for _ in range(3):
            form = {name: value if isinstance(value, str | int) else "x" for name, value in GOOD.items()}
            for name in generator.sample(sorted(form), 12):
                form[name] = generator.choice([*TEXTS, "9" * 25, "-1", "1e999", "nan"])
            pages.send("post", address, _urlencoded(form), "application/x-www-form-urlencoded")
    assert pages.broken == {}
    assert unforeseen(caplog) == []


def unforeseen(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Values that no check of a field caught: the net under all doors answered for them, with no field named."""
    return [record.getMessage() for record in caplog.records if "reached the database" in record.getMessage()]


def _urlencoded(form: dict[str, Any]) -> str:
    return "&".join(f"{name}={quote(str(value).encode('utf-8', 'replace'))}" for name, value in form.items())
