"""Policies: what is refused, what a draft would have done, and policies that guard policies."""

import pytest

from accounts.access import Actor
from accounts.actions import grant_role
from accounts.errors import ApprovalRequired, Conflict, Invalid
from accounts.models import Group, GroupMember
from accounts.roles import Role
from governance import actions, policies
from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest, Policy, Review
from governance.policies.matching import is_protected
from governance.rules import InvalidRules, parse

ONE = {"count": 1, "role": "reviewer"}
EXACT = {"type": "metric", "metric": "exact_match", "bound": "lower", "minimum": 0.9, "dataset": "acme/dates"}


@pytest.fixture
def create(cast):
    def make(by=None, *, kind="model", pattern="*", stage="production", checks=(), reviews=ONE, **more):
        return actions.create_policy(
            team=cast.team, kind=kind, pattern=pattern, stage=stage, checks=list(checks), reviews=reviews,
            by=Actor(by or cast.admin), **more,
        )  # fmt: skip

    return make


@pytest.mark.parametrize(
    ("fields", "field", "why"),
    [
        ({"checks": [EXACT, {**EXACT, "minimum": None, "maximum": 0.5}]}, "checks[1]", "contradicts"),
        ({"checks": [{**EXACT, "bound": "lower"}, {**EXACT, "bound": "upper", "minimum": None, "maximum": 0.8}]}, "checks[1]", "contradicts"),
        ({"checks": [EXACT, EXACT]}, "checks[1]", "once more"),
        ({"checks": [{"type": "scan"}, {"type": "scan"}]}, "checks[1]", "already"),
        ({"reviews": {"count": 2, "role": "reviewer"}}, "reviews.count", "Only one person"),
        ({"reviews": {"count": 1, "role": "king"}}, "reviews.role", "There is no role 'king'"),
        ({"reviews": {"count": 1, "group": "legal"}}, "reviews.group", "There is no group 'legal'"),
        ({"reviews": {"count": 1, "role": "auditor"}}, "reviews.role", "may review"),
        ({"reviews": {"steps": [ONE, ONE]}}, "reviews.steps", "no one counts twice"),
        ({"terms": {"escalate_after_h": 24, "escalate_to": "group:safety"}}, "terms.escalate_to", "no group"),
        ({"pattern": "Date*"}, "pattern", "match nothing"),
        ({"pattern": "-*"}, "pattern", "matches none"),
        ({"pattern": "a/b"}, "pattern", "without its team"),
        ({"kind": "prompt", "pattern": "support//reply"}, "pattern", "with its folders"),
        ({"kind": "prompt", "pattern": "[a-z]*"}, "pattern", "with its folders"),
        ({"kind": "role", "stage": "", "pattern": "king"}, "pattern", "matches none of"),
        ({"kind": "role"}, "stage", "no stage"),
        ({"kind": "house"}, "kind", "Use one of"),
        ({"stage": "moon"}, "stage", "Use one of"),
        ({"kind": "prompt", "checks": [{"type": "licence", "allow": ["MIT"]}]}, "checks[0].type", "no licence"),
        ({"kind": "dataset", "checks": [EXACT]}, "checks[0].type", "no metrics"),
        ({"kind": "deployment", "checks": [{"type": "scan"}]}, "checks[0].type", "policy of the model"),
    ],
)  # fmt: skip
def test_a_policy_that_makes_no_sense_here_is_refused_and_says_why(create, fields, field, why):
    with pytest.raises((InvalidRules, Invalid)) as refused:
        create(**fields)
    assert why in " ".join(refused.value.errors[field])
    assert not Policy.objects.exists()


def test_a_policy_holds_for_a_folder_of_prompts(create, cast):
    create(kind="prompt", pattern="Kundschaft/*", stage="staging")
    assert is_protected(cast.team, "prompt", "acme/Kundschaft/Antworten/erste", "staging")
    assert not is_protected(cast.team, "prompt", "acme/extract", "staging")


def test_contrary_bounds_that_an_interval_can_meet_are_fine(create):
    create(checks=[{**EXACT, "bound": "upper"}, {**EXACT, "bound": "lower", "minimum": None, "maximum": 0.5}])
    assert Policy.objects.count() == 1


def test_a_group_may_be_asked_once_it_has_members(create, cast):
    group = Group.objects.create(team=cast.team, slug="legal", title="Legal")
    two = {"steps": [ONE, {"count": 1, "group": "legal"}], "ordered": True}
    with pytest.raises(InvalidRules, match="Nobody in acme is in the group legal"):
        create(reviews=two)
    GroupMember.objects.create(group=group, user=cast.dana)
    assert create(reviews=two).current.reviews == {
        "steps": [{"count": 1, "role": "reviewer"}, {"count": 1, "group": "legal"}], "ordered": True,
    }  # fmt: skip


def test_a_policy_of_kind_policy_guards_creation_change_removal_and_itself(create, cast):
    guard = create(kind="policy", stage="", pattern="*")
    with pytest.raises(ApprovalRequired):
        create()
    with pytest.raises(ApprovalRequired):
        actions.update_policy(policy=guard, checks=[], reviews=ONE, terms={"open_days": 3}, by=Actor(cast.admin))
    with pytest.raises(ApprovalRequired):
        actions.remove_policy(policy=guard, by=Actor(cast.admin))
    assert Policy.objects.count() == 1


def test_an_approved_request_makes_exactly_the_policy_that_it_asked_for(create, cast):
    create(kind="policy", stage="", pattern="model")
    asked = actions.ask_for_policy(
        team=cast.team, action="create", kind="model", pattern="*", stage="production", checks=[EXACT], reviews=ONE,
        reason="", by=Actor(cast.admin),
    )  # fmt: skip
    actions.review(request=asked, verdict="approve", comment="", by=Actor(cast.bob), on=cast.team)
    asked.refresh_from_db()
    assert asked.state == "approved"
    with pytest.raises(ApprovalRequired, match="does not approve this"):
        create(checks=[{**EXACT, "minimum": 0.1}], request=asked)
    actions.apply_change(asked, Actor(cast.admin))
    made = Policy.objects.get(kind="model")
    assert made.current.checks == [EXACT]
    event = AuditEvent.objects.filter(action="policy.created").order_by("-id").first()
    assert f"request:{asked.pk}" in event.subjects


def test_an_approved_change_is_not_applied_over_a_newer_one(create, cast):
    policy = create()
    create(kind="policy", stage="", pattern="model")
    ask = {"team": cast.team, "policy": policy, "reason": "", "by": Actor(cast.admin)}
    first = actions.ask_for_policy(action="update", checks=[EXACT], reviews=ONE, **ask)
    second = actions.ask_for_policy(action="remove", **ask)
    for asked in (first, second):
        actions.review(request=asked, verdict="approve", comment="", by=Actor(cast.bob), on=cast.team)
        asked.refresh_from_db()
    actions.apply_change(first, Actor(cast.admin))
    with pytest.raises(Conflict, match="has changed since"):
        actions.apply_change(second, Actor(cast.admin))
    policy.refresh_from_db()
    assert policy.removed_at is None


def test_a_policy_of_kind_role_guards_the_granting_also_of_roles_made_later(create, cast):
    policy = create(kind="role", stage="", pattern="re*")
    cast.team.refresh_from_db()
    assert cast.team.guarded_roles == ["re*"]
    with pytest.raises(ApprovalRequired):
        grant_role(user=cast.victor, role=Role.REVIEWER, on=cast.team, by=Actor(cast.admin))
    actions.remove_policy(policy=policy, by=Actor(cast.admin))
    grant_role(user=cast.victor, role=Role.REVIEWER, on=cast.team, by=Actor(cast.admin))


@pytest.fixture
def past(governance):
    """Version 2 was applied on a value of 0.95; version 3 was rejected; version 4 is open."""
    for number, lower in ((2, 0.95), (3, 0.95), (4, 0.99)):
        governance.evaluation(number, lower=lower)
    applied, rejected, still_open = (governance.request(number) for number in (2, 3, 4))
    governance.review(applied, governance.cast.bob)
    ApprovalRequest.objects.filter(pk=applied.pk).update(state="applied", closed_at=applied_at())
    governance.review(rejected, governance.cast.bob, "reject", "no")
    return applied, rejected, still_open


def applied_at():
    from django.utils import timezone

    return timezone.now()


def run(cast, checks, reviews=ONE, **scope):
    where = {"kind": "model", "pattern": "*", "stage": "production"} | scope
    return policies.dry_run(team=cast.team, rules=parse(checks, reviews), **where)


def test_a_dry_run_says_what_would_have_been_blocked_and_by_what(cast, past):
    strict = run(cast, [{**EXACT, "minimum": 0.97}])
    assert (strict.newly_blocked, strict.newly_let_through, strict.same) == (1, 0, 2)
    first = strict.outcomes[0]
    assert first.request == past[0]
    assert first.changed
    assert "0.95" in first.lines[0].detail
    assert run(cast, [EXACT]).newly_blocked == 0


def test_a_dry_run_judges_by_the_evidence_and_reviews_of_the_day(cast, past, governance):
    governance.evaluation(2, lower=0.5)  # afterwards
    assert run(cast, [EXACT]).newly_blocked == 0
    assert run(cast, [], {"count": 1, "role": "auditor"}).newly_blocked == 1


def test_a_dry_run_stays_in_its_scope_and_writes_nothing(cast, past):
    before = (AuditEvent.objects.count(), Review.objects.count(), Policy.objects.count())
    assert not run(cast, [EXACT], pattern="other-*").outcomes
    assert not run(cast, [EXACT], kind="dataset").outcomes
    run(cast, [EXACT])
    assert (AuditEvent.objects.count(), Review.objects.count(), Policy.objects.count()) == before


def test_a_dry_run_costs_the_same_with_many_requests(cast, past, django_assert_max_num_queries):
    ApprovalRequest.objects.bulk_create(
        ApprovalRequest(
            team=cast.team, kind="model", asset_id=1, asset_label="acme/date-normaliser", version_id=n, version_number=n,
            digest=f"sha256:{n % 5:064x}", slot="production", stage="production", requested_by=cast.alice,
            state="withdrawn", closed_at=applied_at(),
        )
        for n in range(10, 310)
    )  # fmt: skip
    with django_assert_max_num_queries(12):
        assert len(run(cast, [EXACT, {"type": "card"}]).outcomes) == 303


def test_rest_dry_run_versions_and_difference(cast, past, create, api):
    policy = create(checks=[EXACT])
    actions.update_policy(policy=policy, checks=[{**EXACT, "minimum": 0.8}], reviews=ONE, by=Actor(cast.admin))
    admin = api(cast.admin)
    draft = {
        "team": "acme",
        "kind": "model",
        "stage": "production",
        "checks": [{**EXACT, "minimum": 0.97}],
        "reviews": ONE,
    }
    answer = admin.post("/api/v1/policies/dry-run", draft)
    assert answer.status_code == 200, answer.content
    assert answer.json()["newly_blocked"] == 1
    assert answer.json()["outcomes"][0]["lines"][0]["state"] == "failed"
    assert api(cast.victor).post("/api/v1/policies/dry-run", draft).status_code == 403
    assert [row["number"] for row in admin.get(f"/api/v1/policies/{policy.pk}/versions").json()["results"]] == [2, 1]
    change = admin.get(f"/api/v1/policies/{policy.pk}/diff?from=1&to=2").json()
    assert change["removed"] == ["Lower bound of exact match on acme/dates at least 0.9"]
    assert change["added"] == ["Lower bound of exact match on acme/dates at least 0.8"]
    assert admin.get(f"/api/v1/policies/{policy.pk}/diff?from=1&to=9").status_code == 404


def test_rest_asks_for_a_policy_where_policies_are_governed(cast, create, api):
    create(kind="policy", stage="", pattern="*")
    body = {"team": "acme", "kind": "model", "stage": "production", "checks": [], "reviews": ONE}
    refused = api(cast.admin).post("/api/v1/policies", body)
    assert refused.status_code == 403
    assert refused.json()["type"].endswith("approval_required")
    asked = api(cast.admin).post("/api/v1/policies/changes", {**body, "action": "create", "reason": "safer"})
    assert asked.status_code == 201, asked.content
    assert ApprovalRequest.objects.get(pk=asked.json()["request"]).change["stage"] == "production"


def test_evidence_is_read_by_those_who_see_the_assets(cast, governance, api):
    governance.card(2)
    address = f"/api/v1/evidence?digest=sha256:{2:064x}"
    assert [row["kind"] for row in api(cast.victor).get(address).json()["results"]] == ["card"]
    assert api(cast.mallory).get(address).json()["results"] == []
    assert api(cast.victor).get("/api/v1/evidence").status_code == 400


def test_the_editor_adds_moves_and_tries_lines_without_saving(cast, client_of, past):
    admin = client_of(cast.admin)
    form = {
        "kind": "model", "pattern": "*", "stage": "production", "step-0-count": "1", "step-0-party": "role:reviewer",
        "check-0-type": "scan", "check-1-type": "metric", "check-1-bound": "lower", "check-1-metric": "exact_match",
        "check-1-demand": "min", "check-1-number": "0.97",
    }  # fmt: skip
    added = admin.post("/policies/new", {**form, "do": "add-card"}).content.decode()
    assert 'name="check-2-type" value="card"' in added
    moved = admin.post("/policies/new", {**form, "do": "up-check-1"}).content.decode()
    assert 'name="check-0-type" value="metric"' in moved
    tried = admin.post("/policies/new", {**form, "do": "dry-run", "check-0-type": "card"}).content.decode()
    assert 'id="dry-run"' in tried
    assert "would have been blocked" in tried
    part = admin.post("/policies/new", {**form, "do": "save"}, headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert not Policy.objects.exists()
