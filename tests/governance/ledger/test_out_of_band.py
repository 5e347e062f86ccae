"""Changes made past the application are in the ledger, flagged, with what was there before and after."""

import os

import psycopg
import pytest
from django.db import connection

from accounts.access import Actor
from accounts.actions import set_active
from accounts.models import User
from config.out_of_band import GOVERNED
from governance.ledger import sealer
from governance.ledger.models import AuditEvent, Leaf
from tests.conftest import SUPERUSER_URL

pytestmark = pytest.mark.django_db(transaction=True)
OWNER, APPLICATION = os.environ["DATABASE_OWNER_URL"], os.environ["DATABASE_URL"]


def flagged():
    return AuditEvent.objects.filter(action="out_of_band.changed").order_by("id")


@pytest.mark.parametrize("url,role", [(OWNER, "countersign_owner"), (APPLICATION, "countersign_app")])
def test_raw_sql_on_a_person_is_flagged_with_before_and_after(cast, url, role):
    with psycopg.connect(url, application_name="psql") as outside:
        outside.execute("UPDATE accounts_user SET is_superuser = true, password = 'x' WHERE id = %s", [cast.mallory.pk])
    event = flagged().get()
    assert event.before == {"is_superuser": False, "password": "(secret)"}
    assert event.after == {"is_superuser": True, "password": "(another secret)"}
    assert (event.actor_name, event.actor_id, event.via, event.address) == (role, None, "database", "127.0.0.1")
    assert (event.target_kind, event.target_id, event.target_label) == (
        "user",
        str(cast.mallory.pk),
        "mallory@example.com",
    )
    assert "psql" in event.reason and event.out_of_band
    sealer.seal()
    assert Leaf.objects.filter(event=event).exists()


def test_no_setting_makes_the_trigger_look_away(cast):
    with psycopg.connect(APPLICATION) as outside:
        names = [row[0] for row in outside.execute("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'pgtrigger%'")]
        outside.execute("SELECT set_config('pgtrigger.ignore', %s, true)", ["{" + ",".join(names) + "}"])
        outside.execute("UPDATE accounts_team SET title = 'Ours' WHERE id = %s", [cast.team.pk])
    event = flagged().get()
    assert (event.team, event.before, event.after) == ("acme", {"title": "Acme"}, {"title": "Ours"})


def test_inserted_deleted_and_truncated_rows_are_flagged(cast):
    with psycopg.connect(OWNER) as outside:
        outside.execute("DELETE FROM accounts_grant WHERE user_id = %s", [cast.bob.pk])
    event = flagged().get()
    assert event.team == "acme" and event.before["role"] == "reviewer" and event.after is None
    assert f"user:{cast.bob.pk}" in event.subjects
    with psycopg.connect(OWNER) as outside:
        outside.execute("TRUNCATE accounts_grant CASCADE")
    assert {"truncated": "accounts_grant"} in [event.after for event in flagged()]


def test_what_is_not_governed_and_what_changes_nothing_is_not_flagged(cast):
    with psycopg.connect(APPLICATION) as outside:
        outside.execute("UPDATE accounts_user SET last_login = now()")
        outside.execute("UPDATE accounts_user SET name = name")
    assert not flagged().exists()


def test_what_was_rolled_back_never_happened(cast):
    with psycopg.connect(APPLICATION) as outside:
        outside.execute("UPDATE accounts_user SET name = 'x'")
        outside.rollback()
    assert not flagged().exists()


def test_migrations_are_marked_as_such(cast):
    with psycopg.connect(OWNER, application_name="countersign-migrate") as outside:
        outside.execute("UPDATE accounts_team SET title = 'X'")
    assert "by a migration or command" in flagged().get().reason


def test_every_governed_table_has_its_triggers(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgname LIKE 'pgtrigger_out_of_band%'"
        )
        found = cursor.fetchall()
    from django.apps import apps

    for label in GOVERNED:
        table = apps.get_model(label)._meta.db_table
        assert len([name for where, name in found if where == table]) == 2, label


def test_a_change_to_every_governed_table_can_be_described(cast, superuser_connection):
    """The SQL that says what a row is about runs for each table, row or none."""
    failed = {}
    for label, governed in GOVERNED.items():
        with psycopg.connect(SUPERUSER_URL) as outside:
            try:
                outside.execute(governed.about.replace("$1", "'{}'::jsonb"))
                outside.execute("SELECT " + governed.where.replace("$1", "'{}'::jsonb"))
            except psycopg.Error as error:
                failed[label] = str(error)
    assert failed == {}


def test_the_applications_own_acts_leave_no_flag(cast, api, client_of):
    admin, alice, bob = api(cast.admin), api(cast.alice), api(cast.bob)
    client = client_of(cast.alice)
    client.get("/")
    data = "/api/v1/datasets"
    assert alice.post(data, {"team": "acme", "name": "d"}).status_code == 201
    assert alice.post(f"{data}/acme/d/versions", {"message": "first"}).status_code == 201
    rows = b'{"input": "a", "expected": "b"}\n'
    assert alice.put(f"{data}/acme/d/versions/1/files/data.jsonl", rows).status_code in (200, 201)
    done = alice.post(f"{data}/acme/d/versions/1/register", {})
    assert done.status_code == 200, done.content
    assert alice.put(f"{data}/acme/d/aliases/best", {"version": 1}, "application/json").status_code in (200, 201)
    policy = {
        "team": "acme", "kind": "model", "pattern": "*", "stage": "staging", "checks": [],
        "reviews": {"count": 1, "role": "reviewer"},
    }  # fmt: skip
    assert admin.post("/api/v1/policies", policy).status_code in (200, 201, 202)
    asked = alice.post("/api/v1/requests", {"kind": "dataset", "asset": "acme/d", "slot": "production", "version": 1})
    assert asked.status_code == 201, asked.content
    reviewed = bob.post(f"/api/v1/requests/{asked.json()['id']}/reviews", {"verdict": "approve", "comment": "ok"})
    assert reviewed.status_code in (200, 201), reviewed.content
    prompt = alice.post("/api/v1/prompts", {"team": "acme", "name": "p"})
    assert prompt.status_code == 201, prompt.content
    text = {"type": "text", "template": "Say {{ x }}", "message": "first"}
    assert alice.post("/api/v1/prompts/acme/p/versions", text).status_code == 201
    User.objects.filter(pk=cast.alice.pk).update(last_login=None)

    set_active(user=cast.victor, active=False, by=Actor(cast.admin))
    found = [(event.target_kind, event.target_label, event.reason, event.after) for event in flagged()]
    assert not found
