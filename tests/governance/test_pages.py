"""Pages and REST of the ledger and of policies."""

import pytest

from accounts.access import Actor
from accounts.actions import create_team, create_user, grant_role
from accounts.roles import Role
from governance import actions
from governance.ledger.actions import Action, Target, record
from governance.ledger.models import AuditEvent
from governance.models import Policy

pytestmark = pytest.mark.django_db
FORMSET = {"form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "0", "form-0-bound": "lower", "form-1-bound": "lower"}
RULES = {"check-1-type": "card", "step-0-count": "1", "step-0-party": "role:reviewer"}
BODY = {
    "kind": "model",
    "pattern": "*",
    "stage": "production",
    "checks": [{"type": "card"}],
    "reviews": {"count": 1, "role": "reviewer"},
}


@pytest.fixture
def policy(cast):
    return actions.create_policy(team=cast.team, by=Actor(cast.admin), **BODY)


def test_the_ledgers_page_filters_by_person_asset_action_and_time(cast, policy, client_of):
    carol = client_of(cast.carol)
    page = carol.get("/ledger/").content.decode()
    assert "policy.created" in page
    assert "role.granted" in page
    assert "role.granted</code>" not in carol.get("/ledger/?action=policy").content.decode()
    assert "policy.created</code>" in carol.get("/ledger/?actor=admin@example.com&asset=acme").content.decode()
    assert "No event fits" in carol.get("/ledger/?before=2001-01-01").content.decode()
    assert "No event fits" in carol.get("/ledger/?asset=nothing-like-this").content.decode()


def test_a_time_that_is_none_is_named(cast, client_of, api):
    page = client_of(cast.carol).get("/ledger/?after=yesterday")
    assert page.status_code == 400
    assert "2026-05-03" in page.content.decode()
    answer = api(cast.carol).get("/api/v1/ledger?after=yesterday")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["after"]


def test_an_event_shows_before_and_after_and_leads_to_its_life(cast, policy, client_of):
    actions.update_policy(policy=policy, checks=[], reviews={"count": 1, "role": "reviewer"}, by=Actor(cast.admin))
    event = AuditEvent.objects.get(action="policy.changed")
    page = client_of(cast.carol).get(f"/ledger/{event.pk}").content.decode()
    assert f"/ledger/life/policy/{policy.pk}" in page
    life = client_of(cast.carol).get(f"/ledger/life/policy/{policy.pk}").content.decode()
    assert life.index("created policy") < life.index("changed policy")


@pytest.mark.parametrize("path", ["/ledger/", "/api/v1/ledger"])
@pytest.mark.parametrize(
    ("name", "status"),
    [("alice", 403), ("bob", 403), ("dana", 403), ("victor", 403), ("mallory", 403), ("carol", 200), ("admin", 200)],
)
def test_who_reads_the_ledger(cast, client_of, api, path, name, status):
    user = getattr(cast, name)
    assert (api(user) if "/api/" in path else client_of(user)).get(path).status_code == status


def test_an_auditor_reads_the_events_of_their_team_alone(cast, client_of, api):
    by = Actor(cast.admin)
    other = create_team(name="other", by=by)
    oscar = create_user(email="oscar@example.com", name="Oscar", password=cast.password, by=by)
    grant_role(user=oscar, role=Role.AUDITOR, on=other, by=by)
    events = api(oscar).get("/api/v1/ledger?limit=200").json()["results"]
    assert {event["team"] for event in events} == {"other"}
    foreign = AuditEvent.objects.filter(team="acme").first()
    assert api(oscar).get(f"/api/v1/ledger/{foreign.pk}").status_code == 404
    assert client_of(oscar).get(f"/ledger/{foreign.pk}").status_code == 404
    assert client_of(oscar).get(f"/ledger/life/team/{cast.team.pk}").status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", ["/api/v1/ledger", "/api/v1/ledger/1"])
def test_no_method_changes_the_ledger(cast, api, method, path):
    assert getattr(api(cast.admin), method)(path).status_code == 405


def test_the_ledger_costs_the_same_with_many_events(cast, client_of, django_assert_max_num_queries):
    for _ in range(500):
        record(Action.TEAM_CREATED, by=Actor(cast.alice), target=Target("team", 1, "acme"), team="acme")
    carol = client_of(cast.carol)
    carol.get("/ledger/")
    with django_assert_max_num_queries(13):
        page = carol.get("/ledger/").content.decode()
    assert "Next page" in page


def test_a_policy_is_made_changed_and_removed_on_its_pages(cast, client_of):
    grant_role(user=cast.dana, role=Role.REVIEWER, on=cast.team, by=Actor(cast.admin))
    admin = client_of(cast.admin)
    metric = {
        "check-0-type": "metric",
        "check-0-bound": "lower",
        "check-0-metric": "exact_match",
        "check-0-demand": "min",
        "check-0-number": "0.9",
        "check-0-dataset": "acme/dates",
    }
    made = admin.post("/policies/new", {"kind": "model", "pattern": "*", "stage": "production", **RULES, **metric})
    assert made.status_code == 302
    policy = Policy.objects.get()
    assert policy.current.checks == [
        {"type": "metric", "metric": "exact_match", "bound": "lower", "minimum": 0.9, "dataset": "acme/dates"},
        {"type": "card"},
    ]
    page = client_of(cast.victor).get("/policies/").content.decode()
    assert "Lower bound of exact match on acme/dates at least 0.9" in page
    admin.post(f"/policies/{policy.pk}", {**RULES, "step-0-count": "2"})
    policy.refresh_from_db()
    assert (policy.current.number, policy.current.reviews["steps"][0]["count"]) == (2, 2)
    assert policy.versions.count() == 2
    admin.post(f"/policies/{policy.pk}/remove")
    policy.refresh_from_db()
    assert policy.removed_at
    assert list(AuditEvent.objects.filter(action__startswith="policy").order_by("id").values_list("action", flat=True)) == [
        "policy.created", "policy.changed", "policy.removed",
    ]  # fmt: skip


def test_a_policy_that_could_never_be_met_is_refused_at_its_form(cast, client_of):
    wrong = {
        "check-0-type": "metric",
        "check-0-bound": "lower",
        "check-0-metric": "exact_match",
        "check-0-demand": "between",
        "check-0-number": "0.9",
        "check-0-number2": "0.1",
    }
    page = client_of(cast.admin).post(
        "/policies/new", {"kind": "model", "pattern": "*", "stage": "production", **RULES, **wrong}
    )
    assert page.status_code == 422
    assert "nothing could ever pass" in page.content.decode()
    assert not Policy.objects.exists()


@pytest.mark.parametrize(
    ("name", "status"),
    [("alice", 403), ("bob", 403), ("dana", 403), ("carol", 403), ("victor", 403), ("mallory", 404), ("admin", 200)],
)
def test_who_changes_a_policy(cast, policy, client_of, api, name, status):
    user = getattr(cast, name)
    path = f"/api/v1/policies/{policy.pk}"
    assert api(user).put(path, {"checks": [], "reviews": {"count": 1, "role": "reviewer"}}).status_code == status
    assert client_of(user).post(f"/policies/{policy.pk}", RULES).status_code == {200: 302}.get(status, status)
    made = api(user).post("/api/v1/policies", {"team": "acme", **BODY, "stage": "staging"})
    assert made.status_code == {200: 201}.get(status, status)
    assert api(user).delete(path).status_code == {200: 204}.get(status, status)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"kind": "cat"}, "kind"), ({"stage": "moon"}, "stage"), ({"pattern": "acme/x"}, "pattern"), ({"checks": [{"type": "x"}]}, "checks[0].type"),
     ({"reviews": {"count": 0, "role": "reviewer"}}, "reviews.count"), ({"pattern": "*", "stage": "production"}, "pattern")],
)  # fmt: skip
def test_a_policy_that_makes_no_sense_is_refused_and_named(cast, policy, api, change, field):
    answer = api(cast.admin).post("/api/v1/policies", {"team": "acme", **BODY, "stage": "staging", **change})
    assert answer.status_code in (400, 409)
    assert field in answer.json()["errors"]
    assert Policy.objects.count() == 1
