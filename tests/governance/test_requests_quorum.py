"""Steps in order, groups, delegates, escalation, changes asked for, and approvals that count no more."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.access import Actor
from accounts.actions import add_member, create_group, grant_role, remove_member, revoke_role, set_active
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.roles import Role
from governance import actions, policies
from governance.actions.requests import keeping
from governance.candidates import candidates
from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest, Review
from governance.transitions import State
from home import approvals

pytestmark = pytest.mark.django_db
ORDERED = {"steps": [{"count": 1, "role": "reviewer"}, {"count": 1, "group": "legal"}], "ordered": True}


@pytest.fixture
def legal(cast):
    """Victor, a viewer, is of the group 'legal'."""
    group = create_group(team=cast.team, slug="legal", title="Legal", by=Actor(cast.admin))
    add_member(group=group, user=cast.victor, by=Actor(cast.admin))
    return group


@pytest.fixture
def dana_reviews(cast):
    grant_role(user=cast.dana, role=Role.REVIEWER, on=cast.team, by=Actor(cast.admin))
    return cast.dana


def away(cast, who, to, *, days=5, start=-1):
    begin = timezone.now() + timedelta(days=start)
    return actions.delegate(to=to, team=cast.team, starts_at=begin, ends_at=begin + timedelta(days=days), by=Actor(who))


def said(action):
    return [event.reason for event in AuditEvent.objects.filter(action=action).order_by("id")]


def test_the_second_step_waits_for_the_first(governance, cast, legal):
    governance.policy(checks=[], reviews=ORDERED)
    asked = governance.request()
    assert asked.waits_for == ["role:reviewer"]
    with pytest.raises(Conflict, match="not your turn yet: now it waits for a reviewer"):
        governance.review(asked, cast.victor)
    asked = governance.review(asked, cast.bob)
    assert (asked.state, asked.waits_for) == (State.OPEN, ["group:legal"])
    assert approvals.counts(Actor(cast.victor))["inbox"] == 1
    assert approvals.counts(Actor(cast.bob))["inbox"] == 0
    assert governance.review(asked, cast.victor).state == State.APPROVED


def test_without_an_order_either_begins(governance, cast, legal):
    governance.policy(checks=[], reviews={**ORDERED, "ordered": False})
    asked = governance.request()
    assert governance.review(asked, cast.victor).waits_for == ["role:reviewer"]
    assert governance.review(asked, cast.bob).state == State.APPROVED


def test_one_person_in_both_steps_counts_for_one(governance, cast, legal, dana_reviews):
    add_member(group=legal, user=cast.bob, by=Actor(cast.admin))
    governance.policy(checks=[], reviews={**ORDERED, "ordered": False})
    asked = governance.review(governance.request(), cast.bob)
    assert asked.state == State.OPEN
    # Bob is moved to the group's step, so that Dana's word finds its place.
    assert governance.review(asked, cast.dana).state == State.APPROVED


def test_an_approval_by_somebody_whose_role_was_taken_a_moment_ago_counts_no_more(governance, cast):
    governance.policy(count=2, checks=[])
    asked = governance.review(governance.request(), cast.bob)
    revoke_role(user=cast.bob, role=Role.REVIEWER, on=cast.team, by=Actor(cast.admin))
    step = policies.evaluate(asked).steps[0]
    assert step.counted == []
    assert step.stale[0][1] == "Bob is not a reviewer any more"
    assert "Bob (Bob is not a reviewer any more)" in step.detail
    assert governance.review(asked, cast.dana).state == State.OPEN


def test_who_left_the_group_counts_no_more(governance, cast, legal):
    governance.policy(checks=[], reviews={**ORDERED, "ordered": False})
    asked = governance.review(governance.request(), cast.victor)
    add_member(group=legal, user=cast.carol, by=Actor(cast.admin))
    remove_member(group=legal, user=cast.victor, by=Actor(cast.admin))
    assert policies.evaluate(asked).steps[1].stale[0][1] == "Victor is not in the group legal any more"
    assert governance.review(asked, cast.bob).state == State.OPEN


def test_going_stale_is_told_once_with_the_reason_and_its_giver_may_decide_again(governance, cast):
    policy = governance.policy(count=2, checks=[])
    asked = governance.review(governance.request(), cast.bob)
    actions.update_policy(
        policy=policy, checks=[{"type": "card"}], reviews={"count": 2, "role": "reviewer"}, by=Actor(cast.admin)
    )
    governance.card()
    keeping.look_again(asked.pk)
    keeping.look_again(asked.pk)
    assert said("review.stale") == ["the policy changed to version 2"]
    assert approvals.inbox(Actor(cast.bob)).get() == asked
    governance.review(asked, cast.bob)
    assert [review.replaced_at is None for review in asked.reviews.order_by("id")] == [False, True]
    assert governance.review(asked, cast.dana).state == State.APPROVED


def test_new_evidence_is_named(governance, cast):
    governance.policy(count=2)
    governance.card()
    governance.evaluation()
    asked = governance.review(governance.request(), cast.bob)
    governance.evaluation(lower=0.93)
    assert policies.evaluate(asked).steps[0].stale[0][1] == "new evidence: Evaluation of version 2"


def test_who_may_meet_the_quorum_is_known_and_nobody_is_said(governance, cast):
    asked = governance.request()
    assert [user.name for user in candidates(asked, policies.evaluate(asked))[0].people] == ["Bob"]
    set_active(user=cast.bob, active=False, by=Actor(cast.admin))
    assert "nobody is there" in candidates(asked, policies.evaluate(asked))[0].problem


def test_changes_wait_for_an_answer(governance, cast, dana_reviews):
    asked = governance.review(governance.request(), cast.bob, "changes", "Name the limits, @alice@example.com!")
    assert (asked.state, asked.waits_for) == (State.OPEN, [])
    assert asked.reviews.get().mentions == [cast.alice.pk]
    with pytest.raises(Conflict, match="Bob asked for changes"):
        governance.review(asked, cast.dana)
    with pytest.raises(Forbidden):
        actions.answer_changes(request=asked, reason="done", by=Actor(cast.bob))
    answered = actions.answer_changes(request=asked, reason="They are named now.", by=Actor(cast.alice))
    assert answered.waits_for == ["role:reviewer"]
    assert said("request.answered") == ["They are named now."]
    with pytest.raises(Conflict, match="Nobody asked for changes"):
        actions.answer_changes(request=asked, reason="again", by=Actor(cast.alice))
    assert governance.review(asked, cast.bob).state == State.APPROVED


def test_changes_say_which(governance, cast):
    with pytest.raises(Invalid, match="which changes"):
        governance.review(governance.request(), cast.bob, "changes")


def test_only_people_of_the_team_are_mentioned(governance, cast):
    asked = governance.review(
        governance.request(),
        cast.bob,
        "comment",
        "@mallory@example.com @carol@example.com @nobody@x.y carol@example.com",
    )
    assert asked.reviews.get().mentions == [cast.carol.pk]


def test_a_delegate_decides_with_the_delegators_role_and_both_are_named(governance, cast):
    away(cast, cast.bob, cast.victor)
    asked = governance.request()
    with pytest.raises(Forbidden):
        governance.review(asked, cast.victor)
    assert approvals.inbox(Actor(cast.victor)).get() == asked
    done = governance.review(asked, cast.victor, on_behalf_of=cast.bob)
    assert done.state == State.APPROVED
    review = done.reviews.get()
    assert (review.reviewer, review.on_behalf_of, review.roles) == (cast.victor, cast.bob, ["reviewer"])
    event = AuditEvent.objects.get(action="request.reviewed")
    assert event.after["on_behalf_of"] == "bob@example.com"
    assert f"user:{cast.bob.pk}" in event.subjects


@pytest.mark.parametrize(("start", "days"), [(-5, 3), (2, 3)])
def test_a_delegation_holds_in_its_time_only(governance, cast, start, days):
    away(cast, cast.bob, cast.victor)
    delegation = cast.bob.delegations_given.get()
    begin = timezone.now() + timedelta(days=start)
    type(delegation).objects.update(starts_at=begin, ends_at=begin + timedelta(days=days))
    with pytest.raises(Forbidden, match="has not handed you"):
        governance.review(governance.request(), cast.victor, on_behalf_of=cast.bob)


def test_delegate_and_delegator_are_one_person(governance, cast, dana_reviews):
    governance.policy(count=2, checks=[])
    away(cast, cast.bob, cast.victor)
    asked = governance.review(governance.request(), cast.victor, on_behalf_of=cast.bob)
    asked = governance.review(asked, cast.bob)
    step = policies.evaluate(asked).steps[0]
    assert (asked.state, len(step.counted)) == (State.OPEN, 1)
    assert "speak for the same person" in step.stale[0][1]
    assert governance.review(asked, cast.dana).state == State.APPROVED


@pytest.mark.parametrize("whose", ["delegate", "delegator"])
def test_what_binds_either_binds_both(governance, cast, whose):
    away(cast, cast.bob, cast.victor)
    asked = governance.request(author=cast.victor if whose == "delegate" else cast.bob)
    with pytest.raises(Forbidden, match="made this version"):
        governance.review(asked, cast.victor, on_behalf_of=cast.bob)


def test_what_was_handed_over_is_not_handed_on(governance, cast, dana_reviews):
    away(cast, cast.bob, cast.dana)
    away(cast, cast.dana, cast.victor)
    asked = governance.request()
    with pytest.raises(Forbidden, match="Bob has not handed you"):
        governance.review(asked, cast.victor, on_behalf_of=cast.bob)


def test_a_circle_of_delegations_is_refused(cast, dana_reviews):
    away(cast, cast.bob, cast.dana)
    with pytest.raises(Conflict, match="A circle"):
        away(cast, cast.dana, cast.bob)
    away(cast, cast.dana, cast.bob, start=20)  # another time
    with pytest.raises(Conflict, match="already"):
        away(cast, cast.bob, cast.dana, start=1)


@pytest.mark.parametrize(
    ("to", "start", "days", "field"),
    [("bob", 0, 3, "to"), ("mallory", 0, 3, "to"), ("dana", -9, 3, "ends_at"), ("dana", 0, 0, "ends_at"), ("dana", 0, 999, "ends_at")],
)  # fmt: skip
def test_a_delegation_that_makes_no_sense_is_refused(cast, to, start, days, field):
    with pytest.raises(Invalid) as refused:
        away(cast, cast.bob, getattr(cast, to), start=start, days=days)
    assert list(refused.value.errors) == [field]
    assert not AuditEvent.objects.filter(action="delegation.created").exists()


@pytest.mark.parametrize("name", ["alice", "victor", "carol", "mallory"])
def test_who_reviews_nothing_hands_over_nothing(cast, name):
    with pytest.raises(Forbidden):
        away(cast, getattr(cast, name), cast.dana)


def test_an_ended_delegation_is_over_and_an_approval_given_in_time_stays(governance, cast):
    governance.policy(count=2, checks=[])
    row = away(cast, cast.bob, cast.victor)
    asked = governance.review(governance.request(), cast.victor, on_behalf_of=cast.bob)
    actions.end_delegation(delegation=row, by=Actor(cast.bob))
    actions.end_delegation(delegation=row, by=Actor(cast.bob))
    assert AuditEvent.objects.filter(action="delegation.ended").count() == 1
    assert len(policies.evaluate(asked).steps[0].counted) == 1
    with pytest.raises(Forbidden):
        governance.review(governance.request(3), cast.victor, on_behalf_of=cast.bob)


def test_unanswered_it_goes_to_whom_the_policy_names(governance, cast):
    governance.policy(checks=[], terms={"escalate_after_h": 4, "escalate_to": "role:admin"})
    asked = governance.request(by=cast.dana, author=cast.alice)
    with pytest.raises(Forbidden):
        governance.review(asked, cast.admin)
    ApprovalRequest.objects.update(created_at=timezone.now() - timedelta(hours=5))
    keeping.look_again(asked.pk)
    keeping.look_again(asked.pk)
    assert said("request.escalated") == ["Nobody has decided for 4 hours. From now on each admin decides too."]
    asked.refresh_from_db()
    assert asked.waits_for == ["role:reviewer", "escalated:role:admin"]
    assert approvals.inbox(Actor(cast.admin)).get() == asked
    assert governance.review(asked, cast.admin).state == State.APPROVED


def test_time_runs_out(governance, cast):
    asked = governance.request()
    assert timedelta(days=29) < asked.expires_at - timezone.now() < timedelta(days=31)
    ApprovalRequest.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    with pytest.raises(Conflict, match="has run out"):
        governance.review(asked, cast.bob)
    assert keeping.expired_requests() == [asked.pk]
    assert keeping.expire(asked.pk)
    assert not keeping.expire(asked.pk)
    asked.refresh_from_db()
    assert asked.state == State.EXPIRED
    assert len(said("request.expired")) == 1
    assert not Review.objects.exists()
