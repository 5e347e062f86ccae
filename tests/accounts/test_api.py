"""The REST doors of accounts: what they answer, and who gets past them."""

from typing import Any

import pytest

from accounts.models import ApiKey, Team, User
from governance.ledger.models import AuditEvent


@pytest.fixture
def bodies() -> dict[str, Any]:
    return {
        "teams": {"name": "beta", "title": "Beta"},
        "people": {"email": "erin@example.com", "name": "Erin", "password": "a-long-first-password"},
    }


def test_me_names_teams_roles_and_key(cast: Any, api: Any) -> None:
    me = api(cast.alice).get("/api/v1/me").json()
    assert me["email"] == "alice@example.com"
    assert me["teams"] == [{"name": "acme", "title": "Acme", "roles": ["contributor"]}]
    assert me["key"]["state"] == "active"
    assert "secret" not in str(me)


def test_administrator_makes_team_and_person(cast: Any, api: Any, bodies: dict[str, Any]) -> None:
    admin = api(cast.admin)
    made = admin.post("/api/v1/teams", bodies["teams"])
    assert made.status_code == 201
    assert made.json()["name"] == "beta"
    person = admin.post("/api/v1/people", bodies["people"])
    assert person.status_code == 201
    assert "password" not in person.json()
    assert User.objects.get(email="erin@example.com").check_password("a-long-first-password")
    assert [team["name"] for team in admin.get("/api/v1/teams").json()["results"]] == ["acme", "beta"]


@pytest.mark.parametrize("who", ["mallory", "victor", "alice", "bob", "dana", "carol"])
@pytest.mark.parametrize("path", ["teams", "people"])
def test_only_a_site_administrator_makes_teams_and_people(
    cast: Any, api: Any, bodies: dict[str, Any], who: str, path: str
) -> None:
    answer = api(getattr(cast, who)).post(f"/api/v1/{path}", bodies[path])
    assert answer.status_code == 403
    assert answer.json()["permission"] == "site.manage"
    assert Team.objects.count() == 1
    assert not User.objects.filter(email="erin@example.com").exists()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "teams"),
        ("post", "people"),
        ("post", "teams/acme/members"),
        ("post", "teams/acme/service-accounts"),
        ("delete", "teams/acme/members/bob@example.com/reviewer"),
        ("post", "keys"),
        ("delete", "keys/cskabc"),
    ],
)
def test_a_stranger_is_asked_to_sign_in(cast: Any, api: Any, method: str, path: str) -> None:
    answer = getattr(api(None), method)(f"/api/v1/{path}")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("put", "teams"), ("delete", "people"), ("put", "teams/acme/members"), ("get", "teams/acme/service-accounts"),
        ("post", "teams/acme/members/bob@example.com/reviewer"), ("patch", "keys"), ("put", "keys/cskabc"), ("post", "me"),
    ],
)  # fmt: skip
def test_wrong_method(cast: Any, api: Any, method: str, path: str) -> None:
    answer = getattr(api(cast.admin), method)(f"/api/v1/{path}")
    assert answer.status_code == 405
    assert answer.json()["status"] == 405


@pytest.mark.parametrize(
    ("who", "status"),
    [("mallory", 404), ("victor", 403), ("alice", 403), ("bob", 403), ("dana", 403), ("carol", 403), ("admin", 201)],
)
def test_who_may_hand_out_roles(cast: Any, api: Any, who: str, status: int) -> None:
    client = api(getattr(cast, who))
    answer = client.post("/api/v1/teams/acme/members", {"person": "mallory@example.com", "role": "viewer"})
    assert answer.status_code == status
    if status == 201:
        body = answer.json()
        assert body.pop("grant")["role"] == "viewer"
        assert body == {
            "email": "mallory@example.com", "name": "Mallory", "kind": "person", "roles": ["viewer"],
        }  # fmt: skip
        event = AuditEvent.objects.latest("id")
        assert (event.action, event.after) == ("role.granted", {"role": "viewer", "on": "acme"})
    else:
        assert not AuditEvent.objects.filter(action="role.granted", text__target_label="mallory@example.com").exists()


def test_granting_twice_is_once(cast: Any, api: Any) -> None:
    admin = api(cast.admin)
    body = {"person": "alice@example.com", "role": "contributor"}
    before = AuditEvent.objects.filter(action="role.granted").count()
    assert admin.post("/api/v1/teams/acme/members", body).status_code == 200
    assert AuditEvent.objects.filter(action="role.granted").count() == before


@pytest.mark.parametrize(("who", "status"), [("mallory", 404), ("victor", 403), ("alice", 403), ("admin", 204)])
def test_who_may_take_roles_away(cast: Any, api: Any, who: str, status: int) -> None:
    answer = api(getattr(cast, who)).delete("/api/v1/teams/acme/members/bob@example.com/reviewer")
    assert answer.status_code == status
    members = api(cast.admin).get("/api/v1/teams/acme/members").json()["results"]
    assert ("bob@example.com" in {member["email"] for member in members}) == (status != 204)


def test_taking_a_role_that_is_not_held_writes_no_event(cast: Any, api: Any) -> None:
    assert api(cast.admin).delete("/api/v1/teams/acme/members/bob@example.com/deployer").status_code == 204
    assert not AuditEvent.objects.filter(action="role.revoked").exists()


@pytest.mark.parametrize(("who", "status"), [("mallory", 404), ("victor", 403), ("alice", 403), ("admin", 201)])
def test_who_may_make_service_accounts(cast: Any, api: Any, who: str, status: int) -> None:
    answer = api(getattr(cast, who)).post("/api/v1/teams/acme/service-accounts", {"name": "ci.bot", "role": "deployer"})
    assert answer.status_code == status
    assert User.objects.filter(kind="service").count() == (1 if status == 201 else 0)


def test_a_service_account_has_keys_and_no_password(cast: Any, api: Any, client_of: Any) -> None:
    made = api(cast.admin).post("/api/v1/teams/acme/service-accounts", {"name": "ci", "role": "viewer"}).json()
    assert api(cast.admin).post("/api/v1/teams/acme/service-accounts", {"name": "ci"}).json()["errors"]["name"]
    assert not User.objects.get(email=made["email"]).has_usable_password()
    session = client_of(cast.admin)
    key = session.post(
        "/api/v1/keys",
        {"name": "pipeline", "team": "acme", "service_account": made["email"]},
        content_type="application/json",
    ).json()
    me = session.get("/api/v1/me", headers={"authorization": f"Bearer {key['key']}"}).json()
    assert (me["email"], me["kind"], me["teams"][0]["roles"]) == (made["email"], "service", ["viewer"])


def test_a_key_is_shown_once_and_revoked_for_good(cast: Any, client_of: Any, client: Any) -> None:
    session = client_of(cast.alice)
    made = session.post(
        "/api/v1/keys", {"name": "laptop", "team": "acme", "scopes": ["read"]}, content_type="application/json"
    )
    assert made.status_code == 201
    whole = made.json()["key"]
    assert whole not in session.get("/api/v1/keys").content.decode()
    headers = {"authorization": f"Bearer {whole}"}
    assert client.get("/api/v1/me", headers=headers).status_code == 200
    assert session.delete(f"/api/v1/keys/{made.json()['id']}").status_code == 204
    refused = client.get("/api/v1/me", headers=headers)
    assert refused.status_code == 401
    assert "revoked" in refused.json()["detail"]


def test_a_key_makes_no_keys(cast: Any, api: Any) -> None:
    answer = api(cast.alice).post("/api/v1/keys", {"name": "another"})
    assert answer.status_code == 403
    assert ApiKey.objects.filter(name="another").count() == 0


def test_nobody_revokes_or_finds_somebody_elses_key(cast: Any, api: Any) -> None:
    alice = api(cast.alice)
    key_id = alice.get("/api/v1/me").json()["key"]["id"]
    for who in (cast.mallory, cast.victor, cast.bob):
        assert api(who).delete(f"/api/v1/keys/{key_id}").status_code == 404
    assert alice.get("/api/v1/me").status_code == 200


def test_the_teams_administrator_lists_and_revokes_its_keys(cast: Any, api: Any) -> None:
    alice = api(cast.alice, team=cast.team)
    admin = api(cast.admin)
    listed = admin.get("/api/v1/keys?team=acme").json()["results"]
    assert [key["owner"] for key in listed] == ["alice@example.com"]
    assert api(cast.alice).get("/api/v1/keys?team=acme").status_code == 403
    assert admin.delete(f"/api/v1/keys/{listed[0]['id']}").status_code == 204
    assert alice.get("/api/v1/me").status_code == 401


def test_a_scope_narrows_what_a_key_may_do(cast: Any, api: Any) -> None:
    narrow = api(cast.admin, scopes=["read"])
    answer = narrow.post("/api/v1/teams/acme/members", {"person": "mallory@example.com", "role": "viewer"})
    assert answer.status_code == 403
    assert "scopes" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("teams", {}, "name"),
        ("teams", {"name": "Not A Name"}, "name"),
        ("teams", {"name": "acme"}, "name"),
        ("people", {"email": "nobody", "name": "N", "password": "a-long-first-password"}, "email"),
        ("people", {"email": "alice@example.com", "name": "A", "password": "a-long-first-password"}, "email"),
        ("people", {"email": "erin@example.com", "name": "Erin", "password": "1234"}, "password"),
        ("teams/acme/members", {"person": "ghost@example.com", "role": "viewer"}, "person"),
        ("teams/acme/members", {"person": "bob@example.com", "role": "king"}, "role"),
    ],
)
def test_bad_input_names_the_field(cast: Any, api: Any, path: str, body: dict[str, Any], field: str) -> None:
    events = AuditEvent.objects.exclude(action="access.refused").count()
    client = api(cast.admin)
    answer = client.post(f"/api/v1/{path}", body)
    assert answer.status_code in (400, 409)
    assert answer.json()["errors"][field]
    assert AuditEvent.objects.exclude(action="access.refused").count() == events + 1  # the test's own key


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "k", "scopes": ["everything"]}, "scopes"),
        ({"name": "k", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "k", "expires_at": "tomorrow"}, "expires_at"),
        ({"name": "k", "team": "nowhere"}, "team"),
    ],
)
def test_a_bad_key_names_the_field(cast: Any, client_of: Any, body: dict[str, Any], field: str) -> None:
    answer = client_of(cast.alice).post("/api/v1/keys", body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["errors"][field]
    assert not ApiKey.objects.exists()


def test_a_body_that_is_not_json(cast: Any, api: Any) -> None:
    answer = api(cast.admin).generic("POST", "/api/v1/teams", "{name: acme", content_type="application/json")
    assert answer.status_code == 400
    assert "JSON" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["teams", "people", "keys", "teams/acme/members"])
def test_lists_cost_the_same_with_many(cast: Any, api: Any, path: str, django_assert_num_queries: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from accounts.access import Actor
    from accounts.actions import create_key, grant_role
    from accounts.roles import Role

    client = api(cast.admin)
    client.get(f"/api/v1/{path}")
    with CaptureQueriesContext(connection) as few:
        client.get(f"/api/v1/{path}")
    for number in range(30):
        Team.objects.create(name=f"team-{number}")
        user = User.objects.create_user(f"p{number}@example.com", name=f"P {number}")
        grant_role(user=user, role=Role.VIEWER, on=cast.team, by=Actor(cast.admin))
        create_key(name=f"k{number}", by=Actor(cast.admin))
    with django_assert_num_queries(len(few)):
        answer = client.get(f"/api/v1/{path}").json()
    assert len(answer["results"]) > 20


def test_paging_visits_everybody_once(cast: Any, api: Any) -> None:
    client = api(cast.admin)
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/api/v1/people?limit=2&cursor={cursor}").json()
        seen += [person["email"] for person in page["results"]]
        cursor = page["next"]
    assert len(seen) == len(set(seen)) == User.objects.count()


def test_people_see_only_those_of_their_teams(cast: Any, api: Any) -> None:
    assert [person["name"] for person in api(cast.mallory).get("/api/v1/people").json()["results"]] == ["Mallory"]
    assert "Mallory" not in [person["name"] for person in api(cast.alice).get("/api/v1/people").json()["results"]]
