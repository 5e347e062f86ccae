"""What somebody tries who wants past governance itself: roles just taken, groups left behind, addresses made up."""

import pytest

from accounts.access import Actor, can
from accounts.actions import add_member, create_group, create_user, grant_role, revoke_role
from accounts.errors import Forbidden, Problem
from accounts.groups import groups_of
from accounts.models import Grant, User
from accounts.roles import Permission, Role
from governance.ledger import sealer
from governance.ledger.models import AuditEvent, EventText
from governance.models import ApprovalRequest
from registry.models import Alias
from tests.conftest import PASSWORD, make_cast
from tests.test_attacks import approve, ask, make_model


@pytest.fixture
def model(cast, settings, tmp_path):
    settings.STORAGE = tmp_path / "storage"
    return make_model(cast.team, Actor(cast.alice))[0]


def test_a_role_taken_while_the_reviewer_waits_for_the_lock_counts_no_more(cast, model):
    """The page read Bob's grants; then they went; then his click got its turn."""
    request = ask(model, Actor(cast.alice))
    bob = Actor(cast.bob)
    assert can(bob, Permission.REQUEST_REVIEW, model), "his grants are in memory now"
    revoke_role(user=cast.bob, role=Role.REVIEWER, on=cast.team, by=Actor(cast.admin))
    with pytest.raises(Problem):
        approve(request, bob)
    request.refresh_from_db()
    assert request.state == ApprovalRequest.State.OPEN
    assert not Alias.objects.exists()


def test_who_has_left_the_team_is_in_none_of_its_groups(cast):
    admin = Actor(cast.admin)
    group = create_group(team=cast.team, slug="legal", by=admin)
    add_member(group=group, user=cast.bob, by=admin)
    assert groups_of(cast.bob.pk, cast.team.pk) == {"legal"}
    revoke_role(user=cast.bob, role=Role.REVIEWER, on=cast.team, by=admin)
    assert groups_of(cast.bob.pk, cast.team.pk) == set()


def test_a_made_up_address_stands_in_no_event(cast, api):
    made_up = {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7", "X-Real-Ip": "203.0.113.7", "Client-Ip": "203.0.113.7"}  # fmt: skip
    answer = api(cast.alice).post("/api/v1/prompts", {"team": "acme", "name": "p"}, headers=made_up)
    assert answer.status_code == 201
    assert AuditEvent.objects.get(action="prompt.created").address == "127.0.0.1"


def test_a_made_up_address_opens_no_network(cast, api):
    client = api(cast.alice, networks=["203.0.113.0/24"])
    assert client.get("/api/v1/me", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 403
    asked = client.get("/api/v1/models/acme/x/aliases/production", headers={"X-Forwarded-For": "203.0.113.7"})
    assert asked.status_code == 403


def test_what_anchors_the_ledger_is_for_those_who_read_it(cast, api):
    assert api(cast.carol).get("/api/v1/ledger/status").status_code == 200
    assert api(cast.admin).get("/api/v1/ledger/status").status_code == 200
    for who in (cast.alice, cast.mallory):
        assert api(who).get("/api/v1/ledger/status").status_code == 403


def test_a_narrow_administrator_widens_nothing(cast, model):
    """Admin of one asset, or of names that begin with 'm': neither gives roles on the team, nor on other assets."""
    other, _ = make_model(cast.team, Actor(cast.alice), name="other")
    admin = Actor(cast.admin)
    grant_role(user=cast.victor, role=Role.ADMIN, on=model, by=admin)
    grant_role(user=cast.dana, role=Role.ADMIN, on=cast.team, prefix="m", by=admin)
    before = Grant.objects.count()
    for person in (cast.victor, cast.dana):
        for on in (cast.team, other):
            with pytest.raises(Forbidden):
                grant_role(user=person, role=Role.ADMIN, on=on, by=Actor(person))
    assert Grant.objects.count() == before


def test_an_expired_grant_is_none_whoever_asks(cast, api, superuser_connection):
    from datetime import timedelta

    from django.utils import timezone

    client = api(cast.alice)
    Grant.objects.filter(user=cast.alice).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get("/api/v1/models").json()["results"] == []
    assert client.get("/api/v1/teams/acme/members").status_code == 404
    assert client.post("/api/v1/prompts", {"team": "acme", "name": "p"}).status_code == 404


def erase(api, cast, **body):
    sealer.seal()
    return api(cast.admin).post("/api/v1/ledger/erasures", {"reason": "asked for", **body})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "part", ["com", "@example.com", "example.com", "%@%", "bob@example.c", ".*@.*", "b_b@example.com"]
)
def test_a_part_of_an_address_erases_nobody(part, api):
    cast = make_cast()
    answer = erase(api, cast, email=part)
    assert answer.status_code in (400, 409), answer.json()
    assert not EventText.objects.filter(target_label=None).exists()


@pytest.mark.django_db(transaction=True)
def test_an_erasure_leaves_alone_whose_address_only_ends_or_begins_alike(api):
    cast = make_cast()
    by = Actor(cast.admin)
    for email in ("b.bob@example.com", "bob@example.com.au"):
        create_user(email=email, name="Another", password=PASSWORD, by=by)
    create_user(email="told@example.com", name="of\nbob@example.com", password=PASSWORD, by=by)
    client = api(cast.admin)
    sealer.seal()
    answer = client.post("/api/v1/ledger/erasures", {"email": "bob@example.com", "reason": "asked for"})
    assert answer.status_code == 201, answer.json()
    events = AuditEvent.objects.filter(action="user.created")
    left = {event.target_label for event in events}
    assert {"b.bob@example.com", "bob@example.com.au"} <= left
    assert "bob@example.com" not in left
    assert events.get(target_id=str(User.objects.get(email="told@example.com").pk)).after is None, "it named him"


@pytest.mark.django_db(transaction=True)
def test_nobody_erases_their_own_trace(api):
    cast = make_cast()
    client = api(cast.admin)
    sealer.seal()
    for body in ({"email": "admin@example.com"}, {"email": "x@example.com", "user_id": cast.admin.pk}):
        answer = client.post("/api/v1/ledger/erasures", {"reason": "no trace", **body})
        assert answer.status_code == 409, answer.json()
    assert AuditEvent.objects.filter(actor_id=cast.admin.pk).first().actor_email == "admin@example.com"
