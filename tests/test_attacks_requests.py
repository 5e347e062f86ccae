"""What somebody tries who wants a change past its reviewers: rights lost since, ways around a guard, and two decisions at once."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.access import Actor
from accounts.actions import change_role, create_role, create_user, grant_role, revoke_role, set_active
from accounts.errors import Conflict, Forbidden, Problem
from accounts.models import Grant, Team
from accounts.roles import Role
from governance import actions, policies
from governance.actions.requests import keeping
from governance.models import ApprovalRequest, Policy
from governance.policies.subject import incumbent_of
from governance.rules import parse
from home import approvals
from prompts.models import Label
from registry.models import Alias
from tests.conftest import PASSWORD, make_cast
from tests.test_attacks import add_version, approve, ask, make_model

WHY = "Customers get wrong dates since noon."


@pytest.fixture
def model(cast, settings, tmp_path):
    settings.STORAGE = tmp_path / "storage"
    return make_model(cast.team, Actor(cast.alice))[0]


def guard(team, by, pattern, kind="role", stage="", **rules):
    return actions.create_policy(
        team=team, kind=kind, pattern=pattern, stage=stage, by=by, **{"checks": [], "reviews": {"count": 1}, **rules}
    )


def away(cast, who, to):
    now = timezone.now()
    return actions.delegate(
        to=to, team=cast.team, starts_at=now - timedelta(days=1), ends_at=now + timedelta(days=1), by=Actor(who)
    )


def production(model):
    row = Alias.objects.filter(asset=model, name="production").select_related("version").first()
    return row.version.number if row else None


def test_an_approved_request_gives_no_role_that_its_requester_could_not_give(cast):
    """Carol manages people by a role of the team's own; a reviewer who nods does not make her an administrator."""
    admin = Actor(cast.admin)
    create_role(team=cast.team, slug="people", permissions=["team.view", "team.manage"], by=admin)
    grant_role(user=cast.carol, role="people", on=cast.team, by=admin)
    guard(cast.team, admin, "admin")
    with pytest.raises(Problem):
        asked = approvals.open_role(team=cast.team, person=cast.victor, role="admin", reason="", by=Actor(cast.carol))
        approve(asked, Actor(cast.bob))
    assert not Grant.objects.filter(user=cast.victor, role="admin").exists()


def test_a_guarded_role_by_another_name_is_guarded_too(cast):
    """What only guarded roles give is not given by a role made for the purpose."""
    admin = Actor(cast.admin)
    guard(cast.team, admin, "admin")
    create_role(team=cast.team, slug="boss", permissions=["team.view", "team.manage", "policy.edit"], by=admin)
    with pytest.raises(Conflict, match=r"'boss' includes policy\.edit, team\.manage"):
        grant_role(user=cast.victor, role="boss", on=cast.team, by=admin)
    helper = create_role(team=cast.team, slug="helper", permissions=["team.view"], by=admin)
    grant_role(user=cast.victor, role="helper", on=cast.team, by=admin)
    with pytest.raises(Conflict, match=r"'helper' .*team\.manage"):
        change_role(role=helper, permissions=["team.view", "team.manage"], by=admin)
    helper.refresh_from_db()
    assert helper.permissions == ["team.view"]
    assert not Grant.objects.filter(user=cast.victor, role="boss").exists()
    guard(cast.team, admin, "boss")
    asked = approvals.open_role(team=cast.team, person=cast.victor, role="boss", reason="", by=admin)
    assert approve(asked, Actor(cast.bob)).state == "applied"


def schedule(model, by):
    return approvals.open_request(
        kind="model", asset=str(model), version=1, alias="production", reason="", by=by,
        apply_at=timezone.now() + timedelta(hours=1),
    )  # fmt: skip


def left(cast):
    set_active(user=cast.alice, active=False, by=Actor(cast.admin))


def lost_the_role(cast):
    revoke_role(user=cast.alice, role=Role.CONTRIBUTOR, on=cast.team, by=Actor(cast.admin))


def lost_production(cast):
    admin = Actor(cast.admin)
    create_role(team=cast.team, slug="asker", permissions=["asset.view", "request.create"], by=admin)
    grant_role(user=cast.alice, role="asker", on=cast.team, by=admin)
    lost_the_role(cast)


@pytest.mark.parametrize("happens", [left, lost_the_role, lost_production])
def test_nothing_is_applied_later_for_somebody_who_may_not_ask_any_more(cast, model, happens):
    asked = approve(schedule(model, Actor(cast.alice)), Actor(cast.bob))
    assert asked.state == "approved"
    happens(cast)
    ApprovalRequest.objects.filter(pk=asked.pk).update(apply_at=timezone.now() - timedelta(seconds=1))
    assert approvals.apply_due() == 0
    asked.refresh_from_db()
    assert (asked.state, production(model)) == ("open", None)


def test_nobody_approves_what_its_requester_may_not_ask_for_any_more(cast, model):
    asked = ask(model, Actor(cast.alice))
    lost_the_role(cast)
    with pytest.raises(Conflict, match="may not do it any more"):
        approve(asked, Actor(cast.bob))
    assert production(model) is None


def test_a_renewal_is_asked_for_by_somebody_who_may(cast, model):
    first = approve(ask(model, Actor(cast.alice)), Actor(cast.bob))
    lost_production(cast)
    assert keeping.lapse(first.pk, "its time has passed")
    renewal = ApprovalRequest.objects.get(renews=first)
    assert renewal.requested_by == cast.admin
    assert approve(renewal, Actor(cast.bob)).state == "applied"


def test_a_delegate_who_left_the_team_speaks_for_nobody(cast, model):
    admin = Actor(cast.admin)
    grant_role(user=cast.dana, role=Role.REVIEWER, on=cast.team, by=admin)
    guard(cast.team, admin, "*", kind="model", stage="production", reviews={"count": 2, "role": "reviewer"})
    away(cast, cast.bob, cast.victor)
    asked = approvals.decide(
        request=ask(model, Actor(cast.alice)), verdict="approve", comment="", by=Actor(cast.victor), on_behalf_of=cast.bob
    )  # fmt: skip
    assert len(policies.evaluate(asked).steps[0].counted) == 1
    revoke_role(user=cast.victor, role=Role.VIEWER, on=cast.team, by=admin)
    assert approve(asked, Actor(cast.dana)).state == "open"
    assert "Victor is not in the team any more" in policies.evaluate(asked).steps[0].detail
    assert production(model) is None


def smash(model, number, by):
    return approvals.break_glass(
        kind="model", asset=str(model), version=number, alias="production", reason=WHY, by=by
    )  # fmt: skip


def test_what_was_asked_for_against_bytes_that_were_rolled_back_is_not_applied(cast, model):
    """Version 3 was better than 2, which is not in production any more: whether it is better than 1 nobody has looked."""
    alice, admin = Actor(cast.alice), Actor(cast.admin)
    add_version(model, alice, **{"extra.txt": b"2"})
    add_version(model, alice, **{"extra.txt": b"3"})
    approve(ask(model, alice, 1), Actor(cast.bob))
    broken = smash(model, 2, admin)
    asked = ask(model, alice, 3)
    assert asked.previous_number == 2
    approvals.settle_glass(request=broken, verdict="roll_back", comment="worse", by=Actor(cast.bob))
    assert production(model) == 1
    with pytest.raises(Conflict, match="What is there has changed"):
        approve(asked, Actor(cast.bob))
    assert production(model) == 1


def test_what_stands_in_production_is_what_is_there(cast, model):
    """A glass that was rolled back and the renewal of an old approval put nothing into production."""
    alice, bob, admin = Actor(cast.alice), Actor(cast.bob), Actor(cast.admin)
    for text in (b"2", b"3"):
        add_version(model, alice, **{"extra.txt": text})
    old = approve(ask(model, alice, 1), bob)
    approve(ask(model, alice, 2), bob)
    approvals.settle_glass(request=smash(model, 3, admin), verdict="roll_back", comment="worse", by=bob)
    assert approve(approvals.renew(request=old, by=alice), bob).state == "applied"
    assert production(model) == 2
    against = {"type": "metric", "metric": "em", "bound": "lower", "against": "production", "better": "higher"}
    staging = guard(cast.team, admin, "*", kind="model", stage="staging", checks=[against])
    asked = approvals.open_request(kind="model", asset=str(model), version=3, alias="staging", reason="", by=alice)
    found = incumbent_of(asked, None)
    assert found is not None
    assert found.name == "version 2"
    removal = approvals.open_removal(kind="model", asset=str(model), alias="production", reason="", by=alice)
    assert approve(removal, bob).state == "applied"
    assert incumbent_of(asked, None) is None
    rules = parse(staging.current.checks, staging.current.reviews, staging.current.terms)
    run = policies.dry_run(team=cast.team, kind="model", pattern="*", stage="staging", rules=rules)
    assert [outcome.request for outcome in run.outcomes] == [asked]


def at_once(pairs):
    """Each decides on their request at the same moment; what each saw."""
    barrier, outcomes = threading.Barrier(len(pairs)), []

    def decide(request, person):
        barrier.wait()
        try:
            outcomes.append(approve(request, Actor(person)).state)
        except Problem as problem:
            outcomes.append(str(problem.status))
        except Exception as error:
            outcomes.append(type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(outcomes)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["policy", "role"])
def test_two_rival_changes_decided_at_once_do_not_lock_each_other_out(what):
    cast = make_cast()
    admin = Actor(cast.admin)
    second = create_user(email="second@example.com", name="Second", password=PASSWORD, by=admin)
    grant_role(user=second, role=Role.REVIEWER, on=cast.team, by=admin)
    policy = guard(cast.team, admin, "*", kind="model", stage="staging")
    guard(cast.team, admin, "*", kind=what)
    for attempt in range(5):
        if what == "policy":
            requests = [
                actions.ask_for_policy(
                    team=cast.team, action="update", policy=Policy.objects.get(pk=policy.pk), reason="", by=admin,
                    checks=[], reviews={"count": 1}, terms={"open_days": 2 + 2 * attempt + which},
                )
                for which in (0, 1)
            ]  # fmt: skip
        else:
            requests = [
                approvals.open_role(
                    team=Team.objects.get(pk=cast.team.pk), person=cast.victor, role="deployer", reason="", by=admin,
                    prefix=f"p{attempt}{which}",
                )
                for which in (0, 1)
            ]  # fmt: skip
        assert at_once(list(zip(requests, (cast.bob, second), strict=True))) == ["409", "applied"]


@pytest.mark.parametrize(
    "scopes", [["read"], ["write"], ["deploy"], ["invoke"], ["admin"], ["read", "write", "deploy"]]
)
def test_a_key_without_the_scope_of_reviewing_decides_nothing(scopes, cast, model, api):
    admin = Actor(cast.admin)
    for role in (Role.ADMIN, Role.CONTRIBUTOR):
        grant_role(user=cast.bob, role=role, on=cast.team, by=admin)
    asked = ask(model, Actor(cast.alice))
    broken = smash(make_model(cast.team, Actor(cast.alice), name="other")[0], 1, admin)
    client = api(cast.bob, scopes=scopes)
    for request, door, body in (
        (asked, "reviews", {"verdict": "approve"}),
        (asked, "reviews", {"verdict": "reject", "comment": "no"}),
        (broken, "glass", {"verdict": "confirm", "comment": "fine"}),
        (broken, "glass", {"verdict": "roll_back", "comment": "no"}),
    ):
        answer = client.post(f"/api/v1/requests/{request.pk}/{door}", body)
        assert answer.status_code in (403, 404), (door, answer.json())
    assert production(model) is None


def test_what_the_body_says_beside_its_fields_is_not_heard(cast, model, api):
    body = {"kind": "model", "asset": "acme/m", "version": 1, "alias": "production"}
    more = {
        "state": "approved", "requested_by": cast.bob.pk, "author_ids": [], "policy_version": None, "renews": 1,
        "glass_broken": True, "afterwards": "confirmed", "digest": "sha256:0", "by": cast.bob.pk, "team": "other",
    }  # fmt: skip
    answer = api(cast.alice).post("/api/v1/requests", {**body, **more})
    if answer.status_code == 201:
        row = ApprovalRequest.objects.get()
        assert (row.state, row.requested_by, row.author_ids) == ("open", cast.alice, [cast.alice.pk])
        assert (row.glass_broken, row.renews_id, row.team) == (False, None, cast.team)
    else:
        assert answer.status_code == 400
        assert not ApprovalRequest.objects.exists()
    with pytest.raises(Forbidden):
        approve(
            ApprovalRequest.objects.get() if answer.status_code == 201 else ask(model, Actor(cast.alice)),
            Actor(cast.alice),
        )


def test_a_policy_is_not_changed_for_somebody_who_may_not_any_more(cast):
    admin = Actor(cast.admin)
    grant_role(user=cast.carol, role=Role.ADMIN, on=cast.team, by=admin)
    policy = guard(cast.team, admin, "*", kind="model", stage="production")
    guard(cast.team, admin, "*", kind="policy")
    asked = actions.ask_for_policy(team=cast.team, action="remove", policy=policy, reason="", by=Actor(cast.carol))
    revoke_role(user=cast.carol, role=Role.ADMIN, on=cast.team, by=admin)
    with pytest.raises(Conflict, match="may not do it any more"):
        approve(asked, Actor(cast.bob))
    policy.refresh_from_db()
    assert policy.removed_at is None


def test_a_comment_applies_nothing(cast, model):
    """What is due is applied for who asked for it, not in the name of who happens to say something."""
    asked = approve(schedule(model, Actor(cast.alice)), Actor(cast.bob))
    ApprovalRequest.objects.filter(pk=asked.pk).update(apply_at=timezone.now() - timedelta(seconds=1))
    said = approvals.decide(request=asked, verdict="comment", comment="Soon?", by=Actor(cast.bob))
    assert (said.state, production(model)) == ("approved", None)
    assert approvals.apply_due() == 1
    assert Alias.objects.get(asset=model).updated_by == cast.alice


def test_rolling_back_a_glass_undoes_nothing_that_was_approved_since(cast, model):
    alice, bob, admin = Actor(cast.alice), Actor(cast.bob), Actor(cast.admin)
    add_version(model, alice, **{"extra.txt": b"2"})
    approve(ask(model, alice, 1), bob)
    broken = smash(model, 2, admin)
    for number in (1, 2):
        approve(ask(model, alice, number), bob)
    assert production(model) == 2
    approvals.settle_glass(request=broken, verdict="roll_back", comment="too early", by=bob)
    assert production(model) == 2


def test_rolling_back_a_prompts_glass_undoes_nothing_that_was_approved_since(cast, api):
    alice, bob, admin = api(cast.alice), api(cast.bob), api(cast.admin)
    alice.post("/api/v1/prompts", {"team": "acme", "name": "p"})
    for text in ("x", "y"):
        alice.post("/api/v1/prompts/acme/p/versions", {"type": "text", "template": text})

    def put(number):
        body = {"kind": "prompt", "asset": "acme/p", "version": number, "alias": "production"}
        asked = alice.post("/api/v1/requests", body).json()
        assert bob.post(f"/api/v1/requests/{asked['id']}/reviews", {"verdict": "approve"}).json()["state"] == "applied"

    put(1)
    body = {"kind": "prompt", "asset": "acme/p", "version": 2, "alias": "production", "reason": WHY}
    broken = admin.post("/api/v1/requests/break-glass", body)
    assert broken.status_code == 201, broken.json()
    put(1)
    put(2)
    done = bob.post(f"/api/v1/requests/{broken.json()['id']}/glass", {"verdict": "roll_back", "comment": "too early"})
    assert done.status_code == 201, done.json()
    assert Label.objects.get(prompt__name="p", name="production").version.number == 2


def test_who_sees_no_requests_sees_none_by_a_dry_run(cast, model, api):
    """A role of the team's own that writes policies, and may not look at assets."""
    admin = Actor(cast.admin)
    ask(model, Actor(cast.alice))
    create_role(team=cast.team, slug="lawyer", permissions=["team.view", "policy.edit"], by=admin)
    grant_role(user=cast.mallory, role="lawyer", on=cast.team, by=admin)
    draft = {
        "team": "acme",
        "kind": "model",
        "pattern": "*",
        "stage": "production",
        "checks": [],
        "reviews": {"count": 1},
    }
    client = api(cast.mallory)
    assert client.get("/api/v1/requests").json()["results"] == []
    answer = client.post("/api/v1/policies/dry-run", draft)
    assert answer.status_code == 403
    assert "asset.view" in answer.json()["detail"]
    assert api(cast.admin).post("/api/v1/policies/dry-run", draft).status_code == 200


def test_a_renewal_is_no_way_past_settling_a_broken_glass(cast, model):
    """Renewed before it is settled, what is rolled back then would have an approval that nobody rolls back."""
    broken = smash(model, 1, Actor(cast.admin))
    with pytest.raises(Conflict, match="settle it first"):
        approvals.renew(request=broken, by=Actor(cast.alice))
    assert keeping.lapse(broken.pk, "its time has passed")
    assert not ApprovalRequest.objects.filter(renews=broken).exists()
    settled = approvals.settle_glass(request=broken, verdict="confirm", comment="right", by=Actor(cast.bob))
    assert approve(approvals.renew(request=settled, by=Actor(cast.alice)), Actor(cast.bob)).state == "applied"
