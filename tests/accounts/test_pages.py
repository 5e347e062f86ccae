"""The pages of settings and sign-in: what they show and who may press what."""

import re

import pytest

from accounts.access import Actor
from accounts.actions import create_key, create_service_account
from accounts.models import ApiKey, Team, User
from accounts.roles import Role
from governance.ledger.models import AuditEvent

pytestmark = pytest.mark.django_db
ALL = ["mallory", "victor", "alice", "bob", "dana", "carol", "admin"]


def test_signing_in_and_out_is_written_down(cast, client):
    page = client.get("/accounts/login/").content.decode()
    assert 'name="login"' in page
    assert "Sign up" not in page
    answer = client.post("/accounts/login/", {"login": "alice@example.com", "password": cast.password})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert AuditEvent.objects.latest("id").action == "user.signed_in"
    client.post("/accounts/logout/")
    assert client.get("/").status_code == 302


def test_a_wrong_password_says_so_and_changes_nothing(cast, client):
    answer = client.post("/accounts/login/", {"login": "alice@example.com", "password": "wrong"})
    assert "not correct" in answer.content.decode()
    assert AuditEvent.objects.latest("id").action == "user.sign_in_failed"


def test_nobody_signs_up_alone(cast, client):
    client.post("/accounts/signup/", {"email": "new@example.com", "password1": "a-long-new-password"})
    assert not User.objects.filter(email="new@example.com").exists()


@pytest.mark.parametrize("who", ALL)
@pytest.mark.parametrize(
    ("path", "needs"),
    [
        ("/settings/", None), ("/settings/keys/", None), ("/accounts/2fa/", None), ("/accounts/password/change/", None),
        ("/settings/people/", "site"), ("/settings/people/new", "site"), ("/settings/teams/new", "site"),
    ],
)  # fmt: skip
def test_who_sees_which_page(cast, client_of, who, path, needs):
    answer = client_of(getattr(cast, who)).get(path)
    assert answer.status_code == (403 if needs and who != "admin" else 200)


@pytest.mark.parametrize("who", ALL)
def test_the_teams_page(cast, client_of, who):
    answer = client_of(getattr(cast, who)).get("/settings/team/")
    if who == "mallory":
        assert answer.status_code == 302
        return
    page = answer.content.decode()
    assert "alice@example.com" in page
    assert "deployment.manage" in page  # the table of roles
    assert ("Give somebody a role" in page) == (who == "admin")


DOORS = [
    ("/settings/team/acme/members", {"person": "mallory@example.com", "role": "viewer"}),
    ("/settings/team/acme/members/bob@example.com/reviewer/revoke", {}),
    ("/settings/team/acme/service-accounts", {"service-name": "ci", "service-role": "viewer"}),
    ("/settings/team/acme/service-accounts/robot+acme@service.invalid/keys", {}),
]


@pytest.mark.parametrize(("path", "body"), DOORS)
@pytest.mark.parametrize("who", ALL)
def test_who_may_manage_the_team(cast, client_of, who, path, body):
    create_service_account(name="robot", team=cast.team, role=Role.VIEWER, by=Actor(cast.admin))
    events = AuditEvent.objects.exclude(action="access.refused").count()
    answer = client_of(getattr(cast, who)).post(path, body)
    if who == "admin":
        assert answer.status_code in (200, 302)
        assert AuditEvent.objects.exclude(action="access.refused").count() > events
    else:
        assert answer.status_code == (404 if who == "mallory" else 403)
        assert AuditEvent.objects.exclude(action="access.refused").count() == events


@pytest.mark.parametrize(("path", "body"), DOORS)
def test_managing_doors_want_post_and_an_account(cast, client_of, client, path, body):
    assert client_of(cast.admin).get(path).status_code == 405
    assert client.post(path, body)["Location"].startswith("/accounts/login/")


SITE_DOORS = [
    ("/settings/people/new", {"name": "Erin", "email": "erin@example.com", "password": "a-long-first-password"}),
    ("/settings/teams/new", {"name": "beta"}),
    ("/settings/people/{bob}/activate", {"active": "0"}),
]


@pytest.mark.parametrize(("path", "body"), SITE_DOORS)
@pytest.mark.parametrize("who", ALL)
def test_who_may_manage_the_site(cast, client_of, who, path, body):
    events = AuditEvent.objects.exclude(action="access.refused").count()
    answer = client_of(getattr(cast, who)).post(path.format(bob=cast.bob.pk), body)
    if who == "admin":
        assert answer.status_code == 302
        assert AuditEvent.objects.exclude(action="access.refused").count() > events
    else:
        assert answer.status_code == 403
        assert AuditEvent.objects.exclude(action="access.refused").count() == events


def test_a_deactivated_person_is_out_at_once(cast, client_of, api):
    bob, key = client_of(cast.bob), api(cast.bob)
    assert bob.get("/").status_code == 200
    client_of(cast.admin).post(f"/settings/people/{cast.bob.pk}/activate", {"active": "0"})
    assert bob.get("/").status_code == 302
    assert key.get("/api/v1/me").status_code == 401
    client_of(cast.admin).post(f"/settings/people/{cast.bob.pk}/activate", {"active": "1"})
    assert key.get("/api/v1/me").status_code == 200
    assert list(AuditEvent.objects.filter(action__in=["user.deactivated", "user.reactivated"]).values_list("action", flat=True)) == [
        "user.reactivated", "user.deactivated",
    ]  # fmt: skip


def test_nobody_deactivates_themselves(cast, client_of):
    answer = client_of(cast.admin).post(f"/settings/people/{cast.admin.pk}/activate", {"active": "0"})
    assert answer.status_code == 409
    assert User.objects.get(pk=cast.admin.pk).is_active


def test_a_new_key_is_shown_in_one_answer_alone(cast, client_of, client):
    alice = client_of(cast.alice)
    answer = alice.post("/settings/keys/", {"name": "laptop", "team": "acme", "scopes": ["read"], "lifetime": "30"})
    whole = re.search(r"cs_csk[\w-]+", answer.content.decode())[0]
    assert "no-store" in answer["Cache-Control"]
    assert client.get("/api/v1/me", headers={"authorization": f"Bearer {whole}"}).status_code == 200
    later = alice.get("/settings/keys/").content.decode()
    assert whole not in later
    key = ApiKey.objects.get()
    assert key.key_id in later
    assert key.scopes == ["read"]
    assert 29 <= (key.expires_at - key.created_at).days <= 30


def test_a_key_without_a_name_is_refused_beside_the_field(cast, client_of):
    answer = client_of(cast.alice).post("/settings/keys/", {"name": " ", "team": "acme"})
    assert answer.status_code == 422
    assert "field-errors" in answer.content.decode()
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(("who", "status"), [("mallory", 404), ("bob", 404), ("alice", 302), ("admin", 302)])
def test_who_may_revoke_a_key(cast, client_of, who, status):
    key, _ = create_key(name="laptop", team=cast.team, by=Actor(cast.alice))
    assert client_of(getattr(cast, who)).post(f"/settings/keys/{key.key_id}/revoke").status_code == status
    key.refresh_from_db()
    assert (key.revoked_at is not None) == (status == 302)
    assert client_of(cast.alice).get(f"/settings/keys/{key.key_id}/revoke").status_code == 405


def test_changing_ones_name(cast, client_of):
    alice = client_of(cast.alice)
    assert alice.post("/settings/", {"name": "Alice Moreau"}).status_code == 302
    event = AuditEvent.objects.latest("id")
    assert (event.action, event.before, event.after) == (
        "user.updated", {"name": "Alice"}, {"name": "Alice Moreau"},
    )  # fmt: skip
    assert alice.post("/settings/", {"name": ""}).status_code == 422


def test_bad_input_shows_beside_its_field(cast, client_of):
    admin = client_of(cast.admin)
    for path, body, text in [
        ("/settings/teams/new", {"name": "acme"}, "taken"),
        ("/settings/teams/new", {"name": "No Good"}, "lower-case letters"),
        ("/settings/people/new", {"name": "A", "email": "alice@example.com", "password": "a-long-password-x"}, "taken"),
        ("/settings/people/new", {"name": "A", "email": "a@example.com", "password": "1234"}, "too short"),
        ("/settings/team/acme/members", {"person": "ghost@example.com", "role": "viewer"}, "no account"),
        ("/settings/team/acme/service-accounts", {"service-name": "No Good", "service-role": "viewer"}, "lower-case"),
    ]:
        answer = admin.post(path, body)
        assert answer.status_code == 422, path
        assert text in answer.content.decode(), path
    assert Team.objects.count() == 1


def test_forms_want_the_csrf_token(cast):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.admin, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert client.post("/settings/teams/new", {"name": "beta"}).status_code == 403
    assert not Team.objects.filter(name="beta").exists()


@pytest.mark.parametrize("path", ["/settings/keys/", "/settings/team/", "/settings/people/"])
def test_lists_cost_the_same_with_many(cast, client_of, path, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from accounts.actions import grant_role

    admin = client_of(cast.admin)
    create_key(name="first", by=Actor(cast.admin))
    admin.get(path)
    with CaptureQueriesContext(connection) as few:
        admin.get(path)
    for number in range(30):
        user = User.objects.create_user(f"p{number}@example.com", name=f"P {number}")
        grant_role(user=user, role=Role.VIEWER, on=cast.team, by=Actor(cast.admin))
        create_key(name=f"k{number}", by=Actor(cast.admin), team=cast.team)
    with django_assert_num_queries(len(few)):
        page = admin.get(path).content.decode()
    assert page.count("<tr>") > 20
