"""Searching the ledger: what postings find is what reading every event finds."""

import random
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.access import Actor
from accounts.actions import create_key
from governance.ledger.actions import Action, Target, record
from governance.ledger.models import AuditEvent
from governance.ledger.reads import Filter, events_about, find, search
from governance.ledger.search import builder, names
from governance.ledger.search.models import SearchBatch, SearchName, SearchPosting
from governance.ledger.search.terms import BLOCK, ids_in, pack, unpack
from tests.conftest import SUPERUSER_URL

pytestmark = pytest.mark.django_db(transaction=True)
ACTIONS = [Action.VERSION_CREATED, Action.ALIAS_MOVED, Action.REQUEST_OPENED, Action.REQUEST_APPROVED]


def say(by, action=Action.ALIAS_MOVED, *, label="acme/date-normaliser", kind="model", number=1, team="acme", **fields):
    return record(action, by=by, team=team, target=Target(kind, number, label), **fields)


@pytest.fixture
def crowd(cast):
    """200 events of all sorts."""
    draw = random.Random(7)
    people = [cast.alice, cast.bob, cast.dana, None]
    for _ in range(200):
        person = draw.choice(people)
        number = draw.randrange(12)
        by = Actor(person, via=draw.choice(["ui", "api", "task"]), request_id=f"r{draw.randrange(40)}")
        also = [Target("version", draw.randrange(30), "")] if draw.random() < 0.5 else []
        team = draw.choice(["acme", "other"])
        say(by, draw.choice(ACTIONS), number=number, label=f"{team}/model-{number}", team=team, also=also)
    return cast


FILTERS = [
    Filter(),
    Filter(actor="alice@example.com"),
    Filter(actor="ALI"),
    Filter(actor="system"),
    Filter(asset="model-3"),
    Filter(asset="other/"),
    Filter(asset="MODEL-1"),
    Filter(action="request"),
    Filter(action="request.opened", actor="bob"),
    Filter(door="task", action="alias", actor="dana"),
    Filter(request="r7"),
    Filter(team="other", about=("model:4",)),
    Filter(about=("version:3", "version:4")),
    Filter(actor="al"),
    Filter(flagged=True),
]


def ids(found):
    return [event.pk for event in found]


@pytest.mark.parametrize("indexed", [0, 1, 4, 1000])
def test_a_page_holds_what_reading_every_event_holds(crowd, indexed):
    builder.build(most=indexed, batch=23)
    assert SearchBatch.objects.count() == min(indexed, AuditEvent.objects.count() // 23)
    for chosen in FILTERS:
        for teams in (None, ["acme"], ["acme", "other"], []):
            expected = ids(search(chosen, teams=teams))
            assert ids(find(chosen, teams=teams, limit=500).events) == expected, chosen
            assert ids(find(chosen, teams=teams, limit=500, ascending=True).events) == expected[::-1], chosen


@pytest.mark.parametrize("ascending", [False, True])
def test_pages_follow_each_other_without_gap_or_repetition(crowd, ascending):
    builder.build(batch=50)
    chosen, seen, after = Filter(action="request"), [], None
    while True:
        page = find(chosen, teams=["acme", "other"], after_id=after, limit=7, ascending=ascending)
        seen += ids(page.events)
        if page.next_id is None:
            break
        after = page.next_id
    expected = ids(search(chosen, teams=["acme", "other"]))
    assert seen == (expected[::-1] if ascending else expected)


def test_an_event_that_commits_late_is_found_although_later_ones_were_indexed_before(cast):
    with psycopg.connect(SUPERUSER_URL) as late:
        late.execute(
            "INSERT INTO ledger_auditevent (at, xid, team, via, key_id, request_id, action, target_kind, target_id,"
            " target_digest, subjects) VALUES (now(), pg_current_xact_id()::text::bigint, 'acme', 'ui', '', 'late',"
            " 'alias.moved', 'model', '9', '', '{model:9}')"
        )
        late.execute("INSERT INTO ledger_eventtext (event_id) SELECT max(id) FROM ledger_auditevent")
        for _ in range(10):
            say(Actor(cast.alice))
        builder.build(batch=5)
        assert not find(Filter(request="late"), teams=None).events
    assert len(find(Filter(request="late"), teams=None).events) == 1
    builder.build(batch=5)
    assert len(find(Filter(request="late"), teams=None).events) == 1
    assert ids(events_about(Target("model", 9, ""))) == ids(find(Filter(request="late"), teams=None).events)


def test_a_time_finds_the_events_of_that_time_indexed_or_not(crowd, superuser_connection):
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute("UPDATE ledger_auditevent SET at = now() - (1000 - id % 1000) * interval '1 hour'")
    # One that is late: it stands among younger ones.
    superuser_connection.execute("UPDATE ledger_auditevent SET at = now() - interval '5000 hours' WHERE id % 97 = 3")
    builder.build(batch=20, most=8)
    now = timezone.now()
    for hours, length in ((990, 30), (900, 500), (6000, 2000), (2, 5), (9000, 10)):
        after = now - timedelta(hours=hours)
        for chosen in (
            Filter(after=after, before=after + timedelta(hours=length)),
            Filter(after=after, action="request"),
            Filter(before=after, actor="alice"),
        ):
            assert ids(find(chosen, teams=None, limit=500).events) == ids(search(chosen, teams=None)), chosen


def test_a_person_is_found_by_the_name_of_then_and_by_that_of_now(cast):
    say(Actor(cast.alice))
    cast.alice.name = "Alicia Newname"
    cast.alice.save(update_fields=["name"])
    say(Actor(cast.alice))
    builder.build(batch=2)
    found = {tuple(ids(find(Filter(actor=text, action="alias"), teams=None).events)) for text in ("Alice", "newname")}
    assert len(found) == 1
    assert len(found.pop()) == 2


def test_a_forgotten_name_finds_nobody_and_the_events_stay(cast):
    for _ in range(3):
        say(Actor(cast.alice))
    builder.build(batch=1)
    assert names.forget([f"actor:{cast.alice.pk}"], ["alice"]) > 0
    assert not SearchName.objects.filter(lowered__contains="alice").exists()
    assert not find(Filter(actor="alice@example.com"), teams=None).events
    assert len(find(Filter(about=(f"user:{cast.alice.pk}",), action="alias"), teams=None).events) == 3


def test_the_life_of_a_person_and_of_a_key_holds_what_was_done(cast):
    key, _ = create_key(name="nightly", by=Actor(cast.alice))
    say(Actor(cast.alice, key=key))
    builder.build(batch=3)
    made = AuditEvent.objects.filter(key_id__gt="").latest("id")
    for subject in (f"user:{cast.alice.pk}", f"key:{made.key_id}"):
        assert made.pk in ids(find(Filter(about=(subject,)), teams=None).events)


def test_a_posting_that_was_made_up_shows_no_event_that_does_not_fit(crowd):
    builder.build(batch=50)
    expected = ids(search(Filter(door="task"), teams=None))
    SearchPosting.objects.all().delete()
    batch = SearchBatch.objects.earliest("id").pk
    from governance.ledger.search.terms import term

    everything = pack(list(range(BLOCK)))
    for block in range(min(expected) // BLOCK, max(expected) // BLOCK + 1):
        SearchPosting.objects.create(term=term("door", "task"), block=block, batch=batch, places=everything)
    assert ids(find(Filter(door="task"), teams=None, limit=500).events) == expected


def test_a_text_too_short_to_narrow_anything_is_read_through_up_to_a_bound(crowd, monkeypatch):
    monkeypatch.setattr("governance.ledger.search.finder._MOST_EXAMINED", 50)
    page = find(Filter(asset="zz"), teams=None)
    assert (page.events, page.partial) == ([], True)
    assert page.next_id is not None


def test_a_page_costs_the_same_number_of_statements_however_many_events_there_are(crowd):
    builder.build(batch=50)
    with CaptureQueriesContext(connection) as few:
        find(Filter(team="acme", actor="alice"), teams=None, limit=2)
    for _ in range(100):
        say(Actor(crowd.alice))
    builder.build(batch=50)
    with CaptureQueriesContext(connection) as many:
        find(Filter(team="acme", actor="alice"), teams=None, limit=50)
    assert len(many) == len(few) <= 10


def test_two_builders_at_once_index_each_event_once(crowd):
    from concurrent.futures import ThreadPoolExecutor

    def run(_):
        try:
            return builder.build(batch=10)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        done = sum(pool.map(run, range(3)))
    builder.build(batch=10)
    assert SearchBatch.objects.count() >= done
    assert sum(SearchBatch.objects.values_list("events", flat=True)) == AuditEvent.objects.count() // 10 * 10


@given(st.sets(st.integers(0, BLOCK - 1)))
def test_places_come_out_of_a_posting_as_they_went_in(places):
    mask = unpack(pack(sorted(places)))
    assert list(ids_in(mask, 3, ascending=True)) == [3 * BLOCK + place for place in sorted(places)]
    assert list(ids_in(mask, 3, ascending=False)) == [3 * BLOCK + place for place in sorted(places, reverse=True)]
