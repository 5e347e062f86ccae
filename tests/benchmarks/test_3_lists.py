"""The list of models with 100 and with 100,000 of them, for people who see them by different grants."""

import json
import statistics
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from tests.benchmarks.conftest import Report, environment
from tests.story.conftest import Instance

pytestmark = pytest.mark.timeout(1800)
FEW, MANY = 100, 100_000
REQUESTS = 150
PREFIX = "bench-list-"
# Person of the demo -> by what she sees. Mallory is in no team: she gets single models, old ones, far down the list.
VIEWERS = {"carol": "role in the team", "mallory": "20 single models"}
GRANTS = 1_000


@pytest.fixture
def models(instance: Instance) -> Iterator[psycopg.Connection]:
    """The instance's database as its superuser, past the triggers that tell of each row that comes in by SQL."""
    address = urlsplit(environment(instance)["DATABASE_URL"])
    secret = json.loads((instance.data / "secrets.json").read_text())["database_superuser"]
    database = psycopg.connect(
        host=address.hostname,
        port=address.port,
        user="postgres",
        password=secret,
        dbname=address.path[1:],
        autocommit=True,
    )
    database.execute("SET session_replication_role = replica")
    yield database
    with database.transaction():
        database.execute(
            "DELETE FROM accounts_grant g USING accounts_user u WHERE u.id = g.user_id AND g.reason = %s", [PREFIX]
        )
        database.execute("DELETE FROM registry_asset WHERE name LIKE %s", [PREFIX + "%"])


def fill(database: psycopg.Connection, first: int, last: int) -> None:
    """Models number `first` to `last` of team acme; later numbers changed later."""
    database.execute(
        "INSERT INTO registry_asset (team_id, kind, name, description, task, created_by_id, created_at, updated_at, "
        "updated_by_id, last_number, restricted, gated, visibility) "
        "SELECT t.id, 'model', %s || n, 'Made in bulk', 'text-generation', u.id, now(), "
        "now() - interval '30 days' + n * interval '1 second', u.id, 0, false, false, 'team' "
        "FROM accounts_team t, (SELECT min(id) AS id FROM accounts_user) u, generate_series(%s::int, %s::int) n "
        "WHERE t.name = 'acme'",
        [PREFIX, first, last],
    )
    database.execute("ANALYZE registry_asset")


def share(database: psycopg.Connection, email: str) -> None:
    """The viewer's role on the first 20 models."""
    done = database.execute(
        "INSERT INTO accounts_grant (object_pk, content_type_id, permission_id, user_id, team_id, role, prefix, kind, "
        "stage, reason, granted_at) "
        "SELECT a.id::text, y.id, p.id, u.id, a.team_id, 'viewer', '', '', '', %s, now() "
        "FROM registry_asset a, django_content_type y, auth_permission p, accounts_user u "
        "WHERE y.app_label = 'registry' AND y.model = 'asset' AND p.content_type_id = y.id "
        "AND p.codename = 'role_viewer' AND u.email = %s AND a.name IN (SELECT %s || n FROM generate_series(1, 20) n)",
        [PREFIX, email, PREFIX],
    )
    assert done.rowcount == 20, done.rowcount


def share_prefixes(database: psycopg.Connection, email: str) -> None:
    """A thousand grants on prefixes of names: twenty name one of the first models each, the others nothing."""
    done = database.execute(
        "INSERT INTO accounts_grant (object_pk, content_type_id, permission_id, user_id, team_id, role, prefix, kind, "
        "stage, reason, granted_at) "
        "SELECT t.id::text, y.id, p.id, u.id, t.id, 'viewer', "
        "CASE WHEN n <= 20 THEN %s || to_char(n + 20, 'FM00') || '-' ELSE 'bench-none-' || n || '-' END, '', '', %s, now() "
        "FROM accounts_team t, django_content_type y, auth_permission p, accounts_user u, generate_series(1, %s) n "
        "WHERE t.name = 'acme' AND y.app_label = 'accounts' AND y.model = 'team' AND p.content_type_id = y.id "
        "AND p.codename = 'role_viewer' AND u.email = %s",
        [PREFIX, PREFIX, GRANTS, email],
    )
    assert done.rowcount == GRANTS, done.rowcount


def latency_ms(client: httpx.Client, *, expected: int) -> float:
    times = []
    for _ in range(REQUESTS):
        start = time.perf_counter()
        answer = client.get("/models")
        times.append((time.perf_counter() - start) * 1000)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["results"]) >= expected
    # The quick tenth: what the list costs when nothing else has the machine.
    return statistics.quantiles(times[10:], n=10)[0]


def test_list_costs_the_same_with_many(instance: Instance, models: psycopg.Connection, report: Report):
    fill(models, 1, FEW)
    share(models, instance.people["mallory"]["email"])
    clients = {name: instance.api(name) for name in VIEWERS}
    few = {name: latency_ms(client, expected=20) for name, client in clients.items()}
    fill(models, FEW + 1, MANY)
    many = {name: latency_ms(client, expected=20) for name, client in clients.items()}
    ratios = {name: many[name] / few[name] for name in VIEWERS}
    for name, by in VIEWERS.items():
        report.add(
            f"list of models, {MANY:,} / {FEW}, by {by}",
            figure=f"{ratios[name]:.2f}",
            aim="under 2",
            met=ratios[name] < 2,
            quick_tenth_ms={str(FEW): round(few[name], 2), str(MANY): round(many[name], 2)},
        )
    assert max(ratios.values()) < 2, ratios


def test_list_costs_the_same_with_a_thousand_grants_on_prefixes(
    instance: Instance, models: psycopg.Connection, report: Report
):
    fill(models, 1, FEW)
    models.execute("UPDATE registry_asset SET name = name || '-x' WHERE name ~ %s", [f"^{PREFIX}(2[1-9]|3[0-9]|40)$"])
    share_prefixes(models, instance.people["mallory"]["email"])
    client = instance.api("mallory")
    few = latency_ms(client, expected=20)
    fill(models, FEW + 1, MANY)
    many = latency_ms(client, expected=20)
    ratio = many / few
    report.add(
        f"list of models, {MANY:,} / {FEW}, by {GRANTS:,} grants on prefixes",
        figure=f"{ratio:.2f}",
        aim="under 2",
        met=ratio < 2,
        quick_tenth_ms={str(FEW): round(few, 2), str(MANY): round(many, 2)},
    )
    assert ratio < 2, ratio
