from datetime import date

import psycopg
import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from accounts.access import Actor
from governance.ledger.actions import Action, Target, record
from governance.ledger.models import AuditEvent
from governance.ledger.reads import events_about

pytestmark = pytest.mark.django_db
STATEMENTS = [
    "UPDATE ledger_auditevent SET action = 'x'",
    "DELETE FROM ledger_auditevent",
    "TRUNCATE ledger_auditevent CASCADE",
    "UPDATE ledger_eventtext SET reason = 'x'",
    "UPDATE ledger_eventtext SET reason = NULL, salt_reason = NULL",  # not sealed yet
    "DELETE FROM ledger_eventtext",
    "TRUNCATE ledger_eventtext",
]


def an_event(cast, **fields):
    return record(Action.TEAM_CREATED, by=Actor(cast.alice), target=Target("team", 1, "x"), **fields)


def test_every_act_of_making_the_cast_is_in_the_ledger(cast):
    actions = list(AuditEvent.objects.order_by("id").values_list("action", flat=True))
    assert actions[:2] == ["user.created", "team.created"]
    assert actions.count("role.granted") == 6


def test_event_names_its_transaction_and_time(cast):
    made = an_event(cast, after={"day": date(2026, 5, 3), "share": 0.25}, reason="why")
    event = AuditEvent.objects.get(pk=made.pk)
    assert event.xid == made.xid > 0
    assert event.at == made.at
    assert (event.actor_name, event.actor_email, event.target_label) == ("Alice", "alice@example.com", "x")
    assert (event.before, event.after, event.reason) == (None, {"day": "2026-05-03", "share": 0.25}, "why")
    assert event.erased == []


def test_an_event_costs_one_statement_and_reading_many_costs_one(cast, django_assert_num_queries):
    with django_assert_num_queries(1):
        an_event(cast)
    with django_assert_num_queries(1):
        assert all(event.actor_name for event in AuditEvent.objects.all())


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_applications_role_cannot_change_the_ledger(cast, statement):
    an_event(cast)
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.django_db(transaction=True)
def test_a_trigger_refuses_the_owner_and_even_a_careless_superuser(cast, superuser_connection, statement):
    an_event(cast)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        superuser_connection.execute(statement)


def test_an_event_cannot_be_saved_twice(cast):
    event = an_event(cast)
    with pytest.raises(TypeError):
        event.save()


def test_the_life_of_a_thing_holds_events_in_which_it_is_not_the_target(cast):
    version = Target("version", 7, "acme/m version 1")
    event = an_event(cast, also=[version])
    an_event(cast)
    assert list(events_about(version)) == [event]
