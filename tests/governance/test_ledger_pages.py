"""The auditor's pages: sentences, life lines, differences, saved views, integrity."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.access import Actor
from accounts.actions import create_key, create_team, create_user, grant_role
from accounts.roles import Role
from governance import actions
from governance.ledger.actions import Action, Target, record
from governance.ledger.models import AuditEvent
from governance.models import SavedView
from governance.sentences import changes, icon_of, verb_of, words

pytestmark = pytest.mark.django_db
MODEL = Target("model", 2, "acme/date-normaliser", "sha256:" + "ab" * 32)


@pytest.fixture
def said(cast):
    """said(action, by=…) -> an event on the model."""

    def make(action=Action.ALIAS_MOVED, by=None, *, target=MODEL, **fields):
        return record(
            action, by=by or Actor(cast.alice, via="api", request_id="r-1"), team="acme", target=target, **fields
        )

    return make


@pytest.fixture
def carol(cast, client_of):
    return client_of(cast.carol)


def test_every_action_reads_as_a_sentence_and_has_an_icon_that_exists():
    from pathlib import Path

    icons = (Path(__file__).resolve().parent.parent.parent / "static/img/icons.svg").read_text()
    for action in Action:
        sentence = verb_of(action.value)
        assert sentence
        assert "." not in sentence
        assert "_" not in sentence
        assert f'id="{icon_of(action.value)}"' in icons


def test_the_list_says_who_did_what_under_the_day(carol, said):
    event = said(before={"version": 6}, after={"version": 7}, reason="Better on European dates")
    page = carol.get("/ledger/").content.decode()
    day = f"{event.at:%A}, {event.at.day} {event.at:%B %Y}"
    assert page.index(day) < page.index("moved alias")
    for text in ("Alice", "acme/date-normaliser", "version 6 → 7", "Better on European dates", f"/ledger/{event.pk}"):
        assert text in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("door=api", True), ("door=mlflow", False), ("request=r-1", True), ("request=r-2", False), ("team=acme", True),
        ("team=other", False), ("about=model:2", True), ("about=model:3", False), ("flag=out_of_band", False),
        ("asset=DATE-NORM", True), ("asset=sha256:" + "ab" * 32, True), ("asset=sha256:00", False), ("key=k", False),
        ("actor=alice&action=alias.moved", True), ("actor=bob&action=alias.moved", False), ("action=alias", True),
        ("after=2001-01-01T10:00:00&before=2999-01-01", True), ("before=2001-01-01", False),
    ],
)  # fmt: skip
def test_each_filter_at_both_doors(carol, cast, api, said, query, found):
    event = said()
    page = carol.get(f"/ledger/?{query}").content.decode()
    assert (f"#{event.pk}<" in page) is found
    assert ('class="chip"' in page) is True
    rows = api(cast.carol).get(f"/api/v1/ledger?{query}&limit=200").json()["results"]
    assert (event.pk in [row["id"] for row in rows]) is found


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("flag=yes", "flag"), ("about=model", "about"), ("after=2026-13-01", "after"), ("after=2026-05-03&before=2026-05-01", "before"),
        ("actor=" + "x" * 301, "actor"), ("before=0001-01-01T00:00:00%2B14:00", None), ("cursor=abc", "cursor"),
        ("about=user:99999999999999999999999", None), ("asset=%25_%25", None),
    ],
)  # fmt: skip
def test_a_filter_that_makes_no_sense_is_named_and_one_that_fits_nothing_says_so(carol, cast, api, said, query, field):
    said()
    page = carol.get(f"/ledger/?{query}")
    answer = api(cast.carol).get(f"/api/v1/ledger?{query}")
    if field is None:
        assert (page.status_code, answer.status_code) == (200, 200)
        assert "No event fits" in page.content.decode()
    else:
        assert (page.status_code, answer.status_code) == (400, 400)
        assert field in answer.json()["errors"]


def test_the_hint_counts_what_came_since_and_only_what_fits(carol, said):
    first = said()
    said(Action.REQUEST_OPENED)
    said()
    assert "1 new event<" in carol.get(f"/ledger/newer?since={first.pk}&action=alias").content.decode()
    assert "2 new events" in carol.get(f"/ledger/newer?since={first.pk}&actor=alice").content.decode()
    latest = AuditEvent.objects.latest("id").pk
    assert "new event" not in carol.get(f"/ledger/newer?since={latest}&action=alias").content.decode()
    assert carol.get("/ledger/newer?since=x").status_code == 200


def test_an_out_of_band_change_stands_out_everywhere(carol, said):
    event = said(Action.OUT_OF_BAND_CHANGED, Actor(None, via="database"), before={"version": 6}, after={"version": 9})
    assert "is-flagged" in carol.get("/ledger/").content.decode()
    assert "is-flagged" in carol.get("/ledger/life/model/2").content.decode()
    assert "did not come through Countersign" in carol.get(f"/ledger/{event.pk}").content.decode()
    assert f"#{event.pk}<" in carol.get("/ledger/?flag=out_of_band").content.decode()


@pytest.mark.django_db(transaction=True)
def test_what_was_erased_reads_as_erased(carol, said, superuser_connection):
    event = said(reason="a secret", after={"name": "a secret"})
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute(
        "UPDATE ledger_eventtext SET reason = NULL, salt_reason = NULL, after = NULL, salt_after = NULL, actor_name = NULL,"
        " salt_actor_name = NULL WHERE event_id = %s",
        [event.pk],
    )
    for path in (f"/ledger/{event.pk}", "/ledger/", "/ledger/life/model/2"):
        page = carol.get(path).content.decode()
        assert "a secret" not in page
        assert '<span class="erased">erased</span>' in page


def test_the_difference_names_the_changed_keys_alone():
    before = {
        "same": 1,
        "gone": True,
        "nested": {"a": 1, "b": [1, 2]},
        "text": "one\ntwo",
        "line": "the quick brown fox",
    }
    after = {"same": 1, "new": None, "nested": {"a": 2, "b": [1, 2, 3]}, "text": "one\n2", "line": "the slow brown fox"}
    found = {change.path: change for change in changes(before, after)}
    assert sorted(found) == ["gone", "line", "nested.a", "nested.b[3]", "new", "text"]
    assert [found[path].kind for path in sorted(found)] == ["removed", "changed", "changed", "added", "added", "text"]
    assert ("removed", "quick") in found["line"].words
    assert changes(None, None) == []
    assert changes({"a": 1}, {"a": 1}) == []
    assert [change.kind for change in changes({"a": 1}, {"a": True})] == ["changed"]
    assert words("running", "succeeded") == []


def test_the_event_page_shows_the_difference_escaped(carol, said):
    event = said(
        before={"note": "<script>a</script> and more words here"},
        after={"note": "<script>b</script> and more words here"},
    )
    page = carol.get(f"/ledger/{event.pk}").content.decode()
    assert "<del>a</del>" in page
    assert "<ins>b</ins>" in page
    assert "<script>a" not in page


def test_the_life_of_a_person_and_of_a_key_holds_what_they_did(carol, cast, client_of, said):
    key, _ = create_key(name="nightly", by=Actor(cast.alice))
    said(by=Actor(cast.alice, key=key, via="api"))
    person = carol.get(f"/ledger/life/user/{cast.alice.pk}").content.decode()
    assert "Life of Alice" in person or "Life of alice@example.com" in person
    assert "moved alias" in person
    assert "granted a role to" in person
    assert "moved alias" in carol.get(f"/ledger/life/key/{key.key_id}").content.decode()
    admin = client_of(cast.admin)  # a key of every team belongs to none: its making is no team's event
    page = admin.get(f"/ledger/life/key/{key.key_id}").content.decode()
    assert page.index("created key") < page.index("moved alias")
    newest = admin.get(f"/ledger/life/key/{key.key_id}?order=newest").content.decode()
    assert newest.index("moved alias") < newest.index("created key")
    assert carol.get("/ledger/life/model/99").status_code == 404


def test_a_filter_is_kept_shared_renamed_and_removed_and_each_is_an_event(carol, cast, client_of, said):
    answer = carol.post(
        "/ledger/views", {"name": " Policies ", "query": "?action=policy&cursor=x&junk=1", "shared": "on"}
    )
    view = SavedView.objects.get()
    assert (answer.url, view.name, view.query, view.shared) == (
        "/ledger/?action=policy",
        "Policies",
        "action=policy",
        True,
    )
    assert client_of(cast.admin).get("/ledger/").context["views"] == [view]
    assert carol.post(f"/ledger/views/{view.pk}", {"name": "Rules"}).status_code == 302
    view.refresh_from_db()
    assert (view.name, view.shared) == ("Rules", False)
    assert client_of(cast.admin).get("/ledger/").context["views"] == []
    assert client_of(cast.admin).post(f"/ledger/views/{view.pk}/remove").status_code == 404
    assert carol.post(f"/ledger/views/{view.pk}/remove").status_code == 302
    names = AuditEvent.objects.filter(target_kind="view").order_by("id").values_list("action", flat=True)
    assert list(names) == ["view.saved", "view.changed", "view.removed"]


@pytest.mark.parametrize(
    ("data", "status", "text"),
    [
        ({"name": "", "query": "action=policy"}, 400, "a name"),
        ({"name": "x" * 81, "query": ""}, 400, "80"),
        ({"name": "x", "query": "after=yesterday"}, 400, "2026-05-03"),
        ({"name": "taken", "query": ""}, 409, "another name"),
    ],
)
def test_a_view_that_cannot_be_kept_says_why(carol, cast, actor, data, status, text):
    actions.save_view(team=cast.team, name="taken", query="", shared=False, by=actor(cast.carol))
    page = carol.post("/ledger/views", data)
    assert (page.status_code, text in page.content.decode()) == (status, True)
    assert SavedView.objects.count() == 1


@pytest.mark.parametrize("name", ["alice", "bob", "dana", "victor", "mallory"])
def test_nobody_without_the_ledger_keeps_or_sees_views(cast, client_of, api, actor, name):
    view = actions.save_view(team=cast.team, name="mine", query="", shared=True, by=actor(cast.carol))
    user = getattr(cast, name)
    assert client_of(user).get("/ledger/views").status_code == 403
    assert client_of(user).post("/ledger/views", {"name": "x", "query": ""}).status_code == 403
    assert client_of(user).post(f"/ledger/views/{view.pk}/remove").status_code == 404
    client = api(user)
    assert client.get("/api/v1/ledger/views").json()["results"] == []
    assert client.delete(f"/api/v1/ledger/views/{view.pk}").status_code == 404
    assert client.post("/api/v1/ledger/views", {"team": "acme", "name": "x", "query": ""}).status_code in (403, 404)
    assert SavedView.objects.count() == 1


def test_views_over_rest(cast, api):
    carol, admin = api(cast.carol), api(cast.admin)
    made = carol.post("/api/v1/ledger/views", {"team": "acme", "name": "Roles", "query": "action=role", "shared": True})
    assert made.status_code == 201
    address = f"/api/v1/ledger/views/{made.json()['id']}"
    assert admin.get(address).json()["query"] == "action=role"
    assert admin.patch(address, {"name": "Mine now"}).status_code == 403
    assert carol.patch(address, {"name": "Grants"}).json()["name"] == "Grants"
    assert [row["name"] for row in admin.get("/api/v1/ledger/views").json()["results"]] == ["Grants"]
    assert admin.delete(address).status_code == 204
    assert carol.get(address).status_code == 404


def test_integrity_shows_checkpoints_keys_and_what_to_type(carol, cast, client_of):
    page = carol.get("/ledger/integrity").content.decode()
    assert "countersign_verify.py" in page
    assert "There is no checkpoint yet" in page
    assert carol.get("/ledger/integrity?from=1&to=2").status_code == 404
    assert carol.get("/ledger/integrity?from=x&to=2").status_code == 400
    assert client_of(cast.victor).get("/ledger/integrity").status_code == 403


@pytest.mark.django_db(transaction=True)
def test_integrity_compares_two_checkpoints(carol, said):
    from governance.ledger import sealer

    said()
    sealer.seal()
    first = AuditEvent.objects.count()
    said()
    sealer.seal()
    second = AuditEvent.objects.count()
    page = carol.get("/ledger/integrity").content.decode()
    assert f"From the checkpoint over {first} events" in page
    page = carol.get(f"/ledger/integrity?from={second}&to={first}").content.decode()
    assert f"From {first} to {second} events" in page


def test_an_auditor_of_another_team_sees_none_of_it(cast, client_of, said):
    event = said()
    by = Actor(cast.admin)
    other = create_team(name="other", by=by)
    oscar = create_user(email="oscar@example.com", name="Oscar", password=cast.password, by=by)
    grant_role(user=oscar, role=Role.AUDITOR, on=other, by=by)
    client = client_of(oscar)
    assert f"#{event.pk}<" not in client.get("/ledger/?team=acme").content.decode()
    assert f"#{event.pk}<" not in client.get("/ledger/?request=r-1").content.decode()
    assert client.get(f"/ledger/{event.pk}").status_code == 404
    assert client.get("/ledger/life/model/2").status_code == 404
    assert "new event" not in client.get("/ledger/newer?since=1&request=r-1").content.decode()


def test_statements_do_not_grow_with_the_list(carol, said):
    said()
    carol.get("/ledger/")
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            carol.get("/ledger/?actor=alice")
        with CaptureQueriesContext(connection) as life:
            carol.get("/ledger/life/model/2")
        counts.append((len(captured), len(life)))
        for _ in range(30):
            said()
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 25


@pytest.mark.django_db(transaction=True)
def test_a_site_administrator_has_a_persons_data_erased(cast, carol, client_of, said):
    from governance.ledger import sealer

    event = said(reason="asked by alice@example.com")
    admin = client_of(cast.admin)
    assert carol.get("/ledger/erase").status_code == 403
    assert carol.post("/ledger/erase", {"email": "alice@example.com", "reason": "x", "sure": "on"}).status_code == 403
    form = {"email": "alice@example.com", "reason": "Her wish, 3 May", "mentions": "on"}
    assert admin.post("/ledger/erase", form).status_code == 400  # not sure
    assert admin.post("/ledger/erase", form | {"sure": "on"}).status_code == 409  # not sealed
    sealer.seal()
    answer = admin.post("/ledger/erase", form | {"sure": "on"}, follow=True)
    assert "events lost what they said of this person" in answer.content.decode()
    page = carol.get(f"/ledger/{event.pk}").content.decode()
    assert "alice@example.com" not in page
    assert "Alice" not in page
    assert admin.post("/ledger/erase", form | {"sure": "on"}).status_code == 400  # nothing is left
