"""Requests that are more than 'approve and move': broken glass, a time, an evaluation, shelf life, removals, roles, deployments and
policies; through the doors, to what really changes."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

import serving.actions
from accounts.access import Actor
from accounts.actions import grant_role, revoke_role
from accounts.errors import ApprovalRequired, Conflict, Forbidden, Invalid
from accounts.models import Grant
from accounts.roles import Role
from evaluation.models import Evaluation
from governance import actions as governance
from governance import gate, policies
from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest, Attestation, Evidence, Policy
from governance.renewals import renewal_evidence
from governance.tasks import keep_requests, lapse_approvals
from home import approvals
from registry.models import Alias
from tests.home.test_requests import story  # noqa: F401  the fixture

pytestmark = pytest.mark.django_db
WHY = "Customers get wrong dates since noon."


def ask(story, version=2, by=None, **fields):  # noqa: F811
    return approvals.open_request(
        kind="model", asset="acme/dates", version=version, alias="production", reason="", by=Actor(by or story.cast.alice),
        **fields,
    )  # fmt: skip


def approve(story, request, by=None, **fields):  # noqa: F811
    return approvals.decide(request=request, verdict="approve", comment="", by=Actor(by or story.cast.bob), **fields)


def production(story):  # noqa: F811
    alias = Alias.objects.filter(asset=story.asset, name="production").select_related("version").first()
    return alias.version.number if alias else None


def smash(story, version=2, by=None, reason=WHY):  # noqa: F811
    return approvals.break_glass(
        kind="model", asset="acme/dates", version=version, alias="production", reason=reason,
        by=Actor(by or story.cast.admin),
    )  # fmt: skip


def settle(story, request, verdict, by=None):  # noqa: F811
    return approvals.settle_glass(request=request, verdict=verdict, comment="looked", by=Actor(by or story.cast.bob))


def predicate(request):
    import base64

    envelope = Attestation.objects.get(request=request).envelope
    return json.loads(base64.b64decode(envelope["payload"]))["predicate"]


def events(action):
    return list(AuditEvent.objects.filter(action=action).order_by("id"))


# Breaking the glass.


def test_a_broken_glass_moves_at_once_and_says_what_did_not_pass(story):  # noqa: F811
    request = smash(story, version=1)
    assert (request.state, request.afterwards, production(story)) == ("applied", "pending", 1)
    assert request.waits_for == ["role:reviewer"]
    event = events("request.glass_broken")[0]
    assert event.reason == WHY
    assert "0.4" in event.after["not_passed"][0]
    assert predicate(request)["glassBroken"] is True
    assert predicate(request)["checks"][0]["state"] == "failed"
    assert approvals.counts(Actor(story.cast.bob)) == {"inbox": 1, "mine": 0, "glass": 1, "renewals": 0}


@pytest.mark.parametrize("name", ["alice", "bob", "dana", "carol", "victor"])
def test_only_who_may_breaks_it(story, name):  # noqa: F811
    with pytest.raises(Forbidden):
        smash(story, by=getattr(story.cast, name))
    assert production(story) is None
    assert not ApprovalRequest.objects.exists()


def test_it_needs_a_reason_and_a_policy_that_allows_it(story):  # noqa: F811
    with pytest.raises(Invalid, match="at least 20"):
        smash(story, reason="quick, please")
    policy = Policy.objects.get()
    governance.update_policy(
        policy=policy, checks=[], reviews={"count": 1}, terms={"break_glass": False}, by=Actor(story.cast.admin)
    )
    with pytest.raises(Conflict, match="no breaking of the glass"):
        smash(story)


def test_confirmed_afterwards_the_statement_says_so(story):  # noqa: F811
    request = smash(story)
    with pytest.raises(Forbidden, match="You asked for this"):
        grant_role(user=story.cast.admin, role=Role.REVIEWER, on=story.cast.team, by=Actor(story.cast.admin))
        settle(story, request, "confirm", by=story.cast.admin)
    settled = settle(story, request, "confirm")
    assert (settled.afterwards, production(story)) == ("confirmed", 2)
    assert policies.evaluate(settled).steps[0].detail == "1 of 1: Bob"
    said = predicate(request)
    assert said["glass"]["afterwards"] == "confirmed"
    assert [row["by"] for row in said["approvals"]] == ["bob@example.com"]
    with pytest.raises(Conflict):
        settle(story, request, "roll_back")


def test_rolled_back_it_points_where_it_did_and_is_approved_no_more(story):  # noqa: F811
    approve(story, ask(story, 2))
    broken = smash(story, version=1)
    assert production(story) == 1
    settle(story, broken, "roll_back")
    assert production(story) == 2
    about = {"team": story.cast.team, "kind": "model", "asset_id": story.asset.pk, "stage": "production"}
    assert gate.stage_approval(**about, digest=story.v1.digest) is None
    assert gate.stage_approval(**about, digest=story.v2.digest) is not None
    assert len(events("request.glass_rolled_back")) == 1


def test_rolled_back_where_nothing_was_it_is_empty_again(story):  # noqa: F811
    settle(story, smash(story), "roll_back")
    assert production(story) is None


def test_there_is_no_way_back_to_what_is_not_approved_any_more(story):  # noqa: F811
    first = approve(story, ask(story, 2))
    broken = smash(story, version=1)
    ApprovalRequest.objects.filter(pk=first.pk).update(valid_until=timezone.now() - timedelta(days=1))
    with pytest.raises(Conflict, match="is not approved"):
        settle(story, broken, "roll_back")
    assert production(story) == 1
    broken.refresh_from_db()
    assert broken.afterwards == "pending"
    assert not broken.reviews.exists()


def test_an_open_request_for_the_same_gives_way_to_the_broken_glass(story):  # noqa: F811
    asked = ask(story)
    smash(story)
    asked.refresh_from_db()
    assert asked.state == "superseded"


def test_an_overdue_glass_is_told_daily(story):  # noqa: F811
    request = smash(story)
    keep_requests()
    assert events("request.escalated") == []
    ApprovalRequest.objects.update(afterwards_due_at=timezone.now() - timedelta(hours=1))
    keep_requests()
    keep_requests()
    assert len(events("request.escalated")) == 1
    ApprovalRequest.objects.filter(pk=request.pk).update(escalated_at=timezone.now() - timedelta(hours=25))
    keep_requests()
    assert len(events("request.escalated")) == 2


# At a time, or when an evaluation ends.


def test_approved_for_a_time_it_is_applied_then_and_once(story):  # noqa: F811
    asked = ask(story, apply_at=timezone.now() + timedelta(hours=2))
    assert approve(story, asked).state == "approved"
    assert (approvals.apply_due(), production(story)) == (0, None)
    ApprovalRequest.objects.update(apply_at=timezone.now() - timedelta(seconds=1))
    assert (approvals.apply_due(), approvals.apply_due(), production(story)) == (1, 0, 2)
    assert len(events("request.applied")) == 1


def test_what_is_no_longer_covered_at_its_time_goes_back_with_the_reason(story):  # noqa: F811
    asked = approve(story, ask(story, apply_at=timezone.now() + timedelta(hours=2)))
    revoke_role(user=story.cast.bob, role=Role.REVIEWER, on=story.cast.team, by=Actor(story.cast.admin))
    ApprovalRequest.objects.update(apply_at=timezone.now() - timedelta(seconds=1))
    assert approvals.apply_due() == 0
    asked.refresh_from_db()
    assert (asked.state, production(story)) == ("open", None)
    assert "Bob is not a reviewer any more" in events("request.reopened")[0].reason


@pytest.mark.parametrize("past", [timedelta(hours=-1), timedelta(days=500)])
def test_a_time_that_has_passed_or_is_far_off_is_refused(story, past):  # noqa: F811
    with pytest.raises(Invalid) as refused:
        ask(story, apply_at=timezone.now() + past)
    assert list(refused.value.errors) == ["apply_at"]


@pytest.fixture
def run(story):  # noqa: F811
    return Evaluation.objects.create(
        team=story.cast.team, model=story.asset, version=story.v1, dataset=story.asset, dataset_version=story.v1, total=1,
        rows=1, created_by=story.cast.alice,
    )  # fmt: skip


def finish(story, run, lower):  # noqa: F811
    state = "failed" if lower is None else "succeeded"
    Evaluation.objects.filter(pk=run.pk).update(state=state, finished_at=timezone.now(), done=0 if lower is None else 1)
    if lower is not None:
        figures = {"value": lower, "lower": lower, "upper": 1.0, "n": 9}
        governance.deposit_evidence(
            team=story.cast.team, kind="evaluation", subject_digest=story.v1.digest, label=f"Evaluation {run.pk}",
            payload={"metrics": {"exact_match": figures}, "dataset": {"label": "acme/d"}, "evaluation": run.pk},
            by=Actor(story.cast.alice),
        )  # fmt: skip


def test_it_is_approved_before_the_evaluation_ends_and_applied_when_it_ends_green(story, run):  # noqa: F811
    asked = approve(story, ask(story, 1, apply_after_evaluation=run.pk))
    assert (asked.state, approvals.apply_due(), production(story)) == ("approved", 0, None)
    finish(story, run, 0.95)
    assert (approvals.apply_due(), production(story)) == (1, 1)


@pytest.mark.parametrize(("lower", "why"), [(None, "has failed"), (0.2, "The policy is not satisfied any more")])
def test_an_evaluation_that_does_not_end_green_sends_it_back(story, run, lower, why):  # noqa: F811
    asked = approve(story, ask(story, 1, apply_after_evaluation=run.pk))
    finish(story, run, lower)
    assert (approvals.apply_due(), production(story)) == (0, None)
    asked.refresh_from_db()
    assert asked.state == "open"
    assert why in events("request.reopened")[0].reason


def test_an_evaluation_of_other_bytes_is_refused(story, run):  # noqa: F811
    with pytest.raises(Invalid, match="not of these bytes"):
        ask(story, 2, apply_after_evaluation=run.pk)


# Shelf life.


@pytest.fixture
def shelf_life(story):  # noqa: F811
    checks = [{"type": "metric", "metric": "exact_match", "bound": "lower", "minimum": 0.9}]
    governance.update_policy(
        policy=Policy.objects.get(), checks=checks, reviews={"count": 1}, terms={"shelf_life_days": 30},
        by=Actor(story.cast.admin),
    )  # fmt: skip


def test_an_approval_lapses_by_date_and_comes_back_as_a_renewal(story, shelf_life):  # noqa: F811
    done = approve(story, ask(story))
    assert timedelta(days=29) < done.valid_until - timezone.now() <= timedelta(days=30)
    ApprovalRequest.objects.update(valid_until=timezone.now() - timedelta(minutes=1))
    lapse_approvals()
    lapse_approvals()
    done.refresh_from_db()
    renewal = ApprovalRequest.objects.get(renews=done)
    assert (done.lapse_reason, renewal.digest, renewal.requested_by) == (
        "its time has passed",
        done.digest,
        story.cast.alice,
    )
    assert len(events("approval.lapsed")) == 1
    with pytest.raises(ApprovalRequired, match="has lapsed"):
        gate.require_stage(
            team=story.cast.team, kind="model", asset_id=story.asset.pk, asset_label="acme/dates", version_number=2,
            digest=done.digest, stage="production",
        )  # fmt: skip
    assert production(story) == 2  # what is there stays
    assert approve(story, renewal).state == "applied"
    about = {"team": story.cast.team, "kind": "model", "asset_id": story.asset.pk, "stage": "production"}
    assert gate.stage_approval(**about, digest=done.digest) == renewal
    assert predicate(renewal)["renews"] == done.pk


def test_an_approval_lapses_when_its_dataset_is_superseded(story, shelf_life):  # noqa: F811
    Evidence.objects.filter(kind="evaluation", subject_digest=story.v2.digest).update(
        payload={
            "metrics": {"exact_match": {"value": 0.97, "lower": 0.95, "upper": 1.0, "n": 9}},
            "dataset": {"label": "acme/d", "version": 1},
        }
    )
    done = approve(story, ask(story))
    lapse_approvals()
    done.refresh_from_db()
    assert done.lapsed_at is None
    governance.deposit_evidence(
        team=story.cast.team, kind="dataset", subject_digest="sha256:d2", label="acme/d",
        payload={"label": "acme/d", "version": 2, "digest": "sha256:d2"}, by=Actor(story.cast.alice),
    )  # fmt: skip
    lapse_approvals()
    done.refresh_from_db()
    assert done.lapse_reason == "it was measured on acme/d version 1, and there is version 2 now"
    renewal = ApprovalRequest.objects.get(renews=done)
    pairs = {pair.title: pair for pair in renewal_evidence(renewal)}
    assert pairs["Evaluation on acme/d"].old is not None
    assert not pairs["Evaluation on acme/d"].changed


def test_what_somebody_else_took_the_place_of_is_not_renewed(story, shelf_life):  # noqa: F811
    done = approve(story, ask(story))
    smash(story, version=1)
    ApprovalRequest.objects.filter(pk=done.pk).update(valid_until=timezone.now() - timedelta(minutes=1))
    lapse_approvals()
    assert not ApprovalRequest.objects.filter(renews=done).exists()


# Changes that are no moves.


def test_a_protected_alias_is_emptied_by_an_approved_request(story, api):  # noqa: F811
    approve(story, ask(story))
    asked = api(story.cast.alice).post(
        "/api/v1/requests/removals",
        {"kind": "model", "asset": "acme/dates", "alias": "production", "reason": "retired"},
    )
    assert asked.status_code == 201
    assert asked.json()["change"] == {"action": "remove"}
    done = api(story.cast.bob).post(f"/api/v1/requests/{asked.json()['id']}/reviews", {"verdict": "approve"})
    assert (done.json()["state"], production(story)) == ("applied", None)


def test_a_removal_of_what_has_moved_on_is_not_applied(story):  # noqa: F811
    approve(story, ask(story))
    removal = approvals.open_removal(
        kind="model", asset="acme/dates", alias="production", reason="", by=Actor(story.cast.alice)
    )
    Alias.objects.update(version=story.v1)  # as if by another door
    with pytest.raises(Conflict, match="has changed since"):
        approve(story, removal)
    assert production(story) == 1


@pytest.fixture
def guarded_roles(story):  # noqa: F811
    governance.create_policy(
        team=story.cast.team, kind="role", pattern="deployer", stage="", checks=[], reviews={"count": 1},
        by=Actor(story.cast.admin),
    )  # fmt: skip


def test_a_guarded_role_is_given_by_an_approved_request_only(story, api, guarded_roles):  # noqa: F811
    cast = story.cast
    cast.team.refresh_from_db()
    with pytest.raises(ApprovalRequired):
        grant_role(user=cast.victor, role=Role.DEPLOYER, on=cast.team, by=Actor(cast.admin))
    asked = api(cast.admin).post(
        "/api/v1/requests/roles",
        {"team": "acme", "person": "victor@example.com", "role": "deployer", "reason": "on call"},
    )
    assert asked.status_code == 201, asked.json()
    done = api(cast.bob).post(f"/api/v1/requests/{asked.json()['id']}/reviews", {"verdict": "approve"})
    assert done.json()["state"] == "applied"
    row = Grant.objects.get(user=cast.victor, role="deployer")
    assert (row.request_id, row.granted_by) == (asked.json()["id"], cast.admin)


def test_who_gains_a_role_does_not_approve_it(story, guarded_roles):  # noqa: F811
    asked = approvals.open_role(
        team=story.cast.team, person=story.cast.bob, role="deployer", reason="", by=Actor(story.cast.admin)
    )
    with pytest.raises(Forbidden, match="You gain by this change"):
        approve(story, asked)


def test_a_role_is_not_given_by_somebody_who_lost_the_right_to(story, guarded_roles):  # noqa: F811
    cast = story.cast
    grant_role(user=cast.carol, role=Role.ADMIN, on=cast.team, by=Actor(cast.admin))
    asked = approvals.open_role(team=cast.team, person=cast.victor, role="deployer", reason="", by=Actor(cast.carol))
    revoke_role(user=cast.carol, role=Role.ADMIN, on=cast.team, by=Actor(cast.admin))
    with pytest.raises(Conflict, match="may not do it any more"):
        approve(story, asked)
    assert not Grant.objects.filter(user=cast.victor, role="deployer").exists()


def test_policies_are_governed_by_policies(story):  # noqa: F811
    cast = story.cast
    by = Actor(cast.admin)
    governance.create_policy(
        team=cast.team, kind="policy", pattern="*", stage="", checks=[], reviews={"count": 1}, by=by
    )
    policy = Policy.objects.get(kind="model")
    rules = {"checks": [], "reviews": {"steps": [{"count": 1, "role": "reviewer"}], "ordered": False}}
    with pytest.raises(ApprovalRequired):
        governance.update_policy(policy=policy, by=by, **rules)
    from governance.actions.policies import change_of, draft, label_of, state_of

    found = draft(team=cast.team, kind="model", pattern="*", stage="production", **rules)
    asked = approvals.open_change(
        team=cast.team, kind="policy", label=label_of(cast.team, "model"), asset_id=policy.pk, slot="rules", stage="",
        change=change_of("update", found, policy), previous=state_of(policy), author_ids=[], reason="simpler", by=by,
    )  # fmt: skip
    assert approve(story, asked).state == "applied"
    policy.refresh_from_db()
    assert (policy.current.number, policy.current.checks) == (2, [])


def test_a_policy_guards_deployments_of_a_stage(story, api):  # noqa: F811
    cast = story.cast
    governance.create_policy(
        team=cast.team, kind="deployment", pattern="*", stage="staging", checks=[], reviews={"count": 1},
        by=Actor(cast.admin),
    )  # fmt: skip
    with pytest.raises(ApprovalRequired, match="A policy guards this change"):
        serving.actions.create_deployment(
            team=cast.team, name="dates", version=story.v2, stage="staging", by=Actor(cast.dana)
        )
    asked = api(cast.dana).post(
        "/api/v1/requests/deployments",
        {"team": "acme", "name": "dates", "model": "acme/dates", "version": 2, "stage": "staging"},
    )
    assert asked.status_code == 201, asked.json()
    done = api(cast.bob).post(f"/api/v1/requests/{asked.json()['id']}/reviews", {"verdict": "approve"})
    assert done.json()["state"] == "applied", done.json()
    deployment = cast.team.deployments.get(name="dates")
    assert (deployment.revision.version, deployment.created_by) == (story.v2, cast.dana)
    serving.actions.scale_deployment(deployment=deployment, replicas=2, by=Actor(cast.dana))  # that stays free
    update = {"deployment": deployment, "version": story.v1, "by": Actor(cast.dana)}
    with pytest.raises(ApprovalRequired):
        serving.actions.update_deployment(**update)
    change = serving.actions.request_update(**update)
    assert approve(story, change).state == "applied"
    deployment.refresh_from_db()
    assert deployment.revision.version == story.v1


def test_asking_for_what_nothing_guards_is_refused(story):  # noqa: F811
    with pytest.raises(Invalid, match="No policy guards this"):
        approvals.open_role(
            team=story.cast.team, person=story.cast.victor, role="deployer", reason="", by=Actor(story.cast.admin)
        )


def test_on_behalf_of_somebody_through_rest(story, api):  # noqa: F811
    cast = story.cast
    now = timezone.now()
    governance.delegate(
        to=cast.victor, team=cast.team, starts_at=now, ends_at=now + timedelta(days=2), by=Actor(cast.bob)
    )
    asked = ask(story)
    path = f"/api/v1/requests/{asked.pk}/reviews"
    wrong = api(cast.victor).post(path, {"verdict": "approve", "on_behalf_of": "dana@example.com"})
    assert (wrong.status_code, list(wrong.json()["errors"])) == (400, ["on_behalf_of"])
    done = api(cast.victor).post(path, {"verdict": "approve", "on_behalf_of": "bob@example.com"})
    assert done.json()["state"] == "applied"
    assert predicate(asked)["delegations"] == [{"delegator": "bob@example.com", "delegate": "victor@example.com"}]
    seen = api(cast.victor).get("/api/v1/delegations?in_force=1").json()["results"]
    assert [(row["delegator"], row["delegate"]) for row in seen] == [("bob@example.com", "victor@example.com")]
    assert api(cast.carol).get("/api/v1/delegations").json()["results"] == []
