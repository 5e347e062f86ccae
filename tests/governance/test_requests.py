import base64
import json
import threading

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.db import connections

from accounts.access import Actor
from accounts.actions import grant_role
from accounts.errors import ApprovalRequired, Conflict, Forbidden, Invalid
from accounts.roles import Role
from governance import actions, attestations, gate, policies
from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest, Review
from governance.moves import Pointer
from governance.transitions import TRANSITIONS, State, advance

pytestmark = pytest.mark.django_db


def test_a_protected_alias_does_not_move_without_a_request(governance):
    with pytest.raises(ApprovalRequired) as refused:
        gate.require_move(governance.move(), request=None)
    assert refused.value.link.startswith("/requests/new?kind=model&asset=acme%2Fdate-normaliser")


def test_an_unprotected_alias_is_free(governance):
    gate.require_move(governance.move(slot="challenger"), request=None)
    with pytest.raises(Invalid):
        governance.request(slot="challenger")


def test_a_policy_protects_a_stage_that_is_free_otherwise(governance, cast):
    move = governance.move(slot="staging")
    gate.require_move(move, request=None)
    actions.create_policy(
        team=cast.team,
        kind="model",
        pattern="date-*",
        stage="staging",
        checks=[],
        reviews={"count": 1, "role": "reviewer"},
        by=Actor(cast.admin),
    )
    with pytest.raises(ApprovalRequired):
        gate.require_move(move, request=None)


def test_the_last_approval_approves_and_the_gate_opens_for_exactly_that(governance, cast):
    governance.policy()
    governance.evaluation()
    governance.card()
    asked = governance.request()
    done = governance.review(asked, cast.bob, comment="Looks right.")
    assert done.state == State.APPROVED
    gate.require_move(governance.move(), request=done)
    with pytest.raises(ApprovalRequired):
        gate.require_move(governance.move(3), request=done)
    with pytest.raises(ApprovalRequired):
        gate.require_move(
            governance.move(slot="production", number=2, author=cast.dana).__class__(
                **{**governance.move().__dict__, "asset_id": 99}
            ),
            request=done,
        )
    actions.mark_applied(request=done, by=Actor(cast.bob))
    done.refresh_from_db()
    with pytest.raises(ApprovalRequired):
        gate.require_move(governance.move(), request=done)  # an approval is applied once


def test_a_failed_check_is_named_and_nobody_can_approve(governance, cast):
    governance.policy()
    governance.evaluation(1, lower=0.41, value=0.47)
    governance.card(1, missing=["limits"])
    asked = governance.request(1)
    lines = {line.title: line for line in policies.evaluate(asked).checks}
    assert lines["Lower bound of exact match on acme/dates at least 0.9"].state == "failed"
    assert "0.41" in lines["Lower bound of exact match on acme/dates at least 0.9"].detail
    assert lines["Card complete"].detail == "Missing: limits."
    with pytest.raises(Conflict, match=r"exact match.*0\.41"):
        governance.review(asked, cast.bob)
    asked.refresh_from_db()
    assert asked.state == State.OPEN
    assert not Review.objects.exists()


def test_missing_evidence_waits_and_blocks(governance, cast):
    governance.policy()
    governance.card()
    governance.evaluation(dataset="acme/other")
    asked = governance.request()
    assert policies.evaluate(asked).checks[0].state == "waiting"
    with pytest.raises(Conflict, match="No evaluation on acme/dates"):
        governance.review(asked, cast.bob)


def test_author_cannot_approve_own_version(governance, cast):
    grant_role(user=cast.alice, role=Role.REVIEWER, on=cast.team, by=Actor(cast.admin))
    asked = governance.request(by=cast.victor)
    with pytest.raises(Forbidden, match="You made this version"):
        governance.review(asked, cast.alice)


def test_requester_cannot_approve_own_request(governance, cast):
    grant_role(user=cast.dana, role=Role.REVIEWER, on=cast.team, by=Actor(cast.admin))
    asked = governance.request(by=cast.dana)
    with pytest.raises(Forbidden, match="You asked for this"):
        governance.review(asked, cast.dana)


@pytest.mark.parametrize("name", ["alice", "dana", "carol", "victor", "mallory", "admin"])
def test_only_a_reviewer_decides(governance, cast, name):
    asked = governance.request(by=cast.victor, author=cast.victor)
    for verdict in ("approve", "reject"):
        with pytest.raises(Forbidden):
            governance.review(asked, getattr(cast, name), verdict)


def test_the_role_that_the_policy_asks_for_counts(governance, cast):
    grant_role(user=cast.carol, role=Role.REVIEWER, on=cast.team, by=Actor(cast.admin))
    actions.create_policy(
        team=cast.team,
        kind="model",
        pattern="*",
        stage="production",
        checks=[],
        reviews={"count": 1, "role": "auditor"},
        by=Actor(cast.admin),
    )
    asked = governance.request()
    with pytest.raises(Forbidden, match="asks for an auditor"):
        governance.review(asked, cast.bob)


def test_one_person_counts_once(governance, cast):
    governance.policy(count=2, checks=[])
    asked = governance.request()
    assert governance.review(asked, cast.bob).state == State.OPEN
    with pytest.raises(Conflict, match="decided on this request already"):
        governance.review(asked, cast.bob)


def test_two_reviews_make_the_quorum(governance, cast):
    governance.policy(count=2, checks=[])
    grant_role(user=cast.dana, role=Role.REVIEWER, on=cast.team, by=Actor(cast.admin))
    asked = governance.request()
    governance.review(asked, cast.bob)
    assert governance.review(asked, cast.dana).state == State.APPROVED


def test_new_evidence_makes_an_earlier_approval_stale(governance, cast):
    governance.policy(count=2)
    governance.evaluation()
    governance.card()
    grant_role(user=cast.dana, role=Role.REVIEWER, on=cast.team, by=Actor(cast.admin))
    asked = governance.request()
    governance.review(asked, cast.bob)
    governance.evaluation(lower=0.93)
    assert governance.review(asked, cast.dana).state == State.OPEN
    assert "no longer counted" in policies.evaluate(asked).steps[0].detail


def test_a_changed_policy_makes_an_earlier_approval_stale(governance, cast):
    policy = governance.policy(count=2, checks=[])
    asked = governance.request()
    governance.review(asked, cast.bob)
    actions.update_policy(policy=policy, checks=[], reviews={"count": 1, "role": "reviewer"}, by=Actor(cast.admin))
    assert not policies.evaluate(asked).passed


def test_a_reviewer_decides_on_what_was_shown(governance, cast):
    governance.policy()
    governance.evaluation()
    governance.card()
    asked = governance.request()
    shown = actions.seal(asked, policies.evaluate(asked))
    governance.evaluation(lower=0.91)
    with pytest.raises(Conflict, match="changed since you opened"):
        governance.review(asked, cast.bob, shown=shown)


def test_reject_closes_and_comment_does_not(governance, cast):
    asked = governance.request()
    assert governance.review(asked, cast.alice, "comment", "please hurry").state == State.OPEN
    assert governance.review(asked, cast.bob, "reject", "no").state == State.REJECTED
    with pytest.raises(Conflict):
        governance.review(asked, cast.bob)


@pytest.mark.parametrize("name", ["carol", "victor", "mallory"])
def test_who_can_change_nothing_cannot_even_comment(governance, cast, name):
    with pytest.raises(Forbidden):
        governance.review(governance.request(), getattr(cast, name), "comment", "hm")


def test_only_the_requester_withdraws(governance, cast):
    asked = governance.request()
    with pytest.raises(Forbidden):
        actions.withdraw(request=asked, by=Actor(cast.bob))
    assert actions.withdraw(request=asked, by=Actor(cast.alice)).state == State.WITHDRAWN


def test_the_same_request_twice_names_the_first(governance):
    first = governance.request()
    with pytest.raises(Conflict) as refused:
        governance.request()
    assert refused.value.link == f"/requests/{first.pk}"


def test_what_is_there_already_is_not_asked_for(governance):
    with pytest.raises(Conflict, match="points at version 2 already"):
        governance.request(previous=Pointer(2, 2, f"sha256:{2:064x}"))


def test_applying_supersedes_rivals_and_signs(governance, cast):
    first, rival = governance.request(2), governance.request(3)
    done = governance.review(first, cast.bob, comment="yes")
    attestation = actions.mark_applied(request=done, by=Actor(cast.bob))
    rival.refresh_from_db()
    assert rival.state == State.SUPERSEDED
    key = load_pem_public_key(attestations.public_key_pem().encode())
    statement = attestations.verify(attestation.envelope, key)
    assert statement["subject"] == [{"name": "model:acme/date-normaliser", "digest": {"sha256": f"{2:064x}"}}]
    assert statement["predicate"]["approvals"][0]["by"] == "bob@example.com"
    forged = dict(attestation.envelope)
    statement["subject"][0]["digest"]["sha256"] = "0" * 64
    forged["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    assert attestations.verify(forged, key) is None


def test_the_stage_is_free_for_an_applied_digest_alone(governance, cast):
    about = {
        "team": cast.team,
        "kind": "model",
        "asset_id": 1,
        "asset_label": "acme/date-normaliser",
        "stage": "production",
    }
    done = governance.review(governance.request(), cast.bob)
    with pytest.raises(ApprovalRequired):
        gate.require_stage(**about, version_number=2, digest=done.digest)
    actions.mark_applied(request=done, by=Actor(cast.bob))
    assert gate.require_stage(**about, version_number=2, digest=done.digest).pk == done.pk
    with pytest.raises(ApprovalRequired, match="Version 1 of acme/date-normaliser is not approved"):
        gate.require_stage(**about, version_number=1, digest="sha256:1")
    assert gate.require_stage(**{**about, "stage": "development"}, version_number=1, digest="sha256:1") is None


def test_the_table_of_transitions_is_total():
    assert set(TRANSITIONS) == set(State)
    assert all(set(targets) <= set(State) for targets in TRANSITIONS.values())


@pytest.mark.parametrize("start", list(State))
@pytest.mark.parametrize("end", list(State))
def test_only_the_tables_transitions_happen(governance, start, end):
    asked = governance.request()
    glass = (start, end) == (State.OPEN, State.APPLIED)
    closed = None if start in (State.OPEN, State.APPROVED) else asked.created_at
    ApprovalRequest.objects.filter(pk=asked.pk).update(
        state=start, closed_at=closed, glass_broken=glass, afterwards="pending" if glass else ""
    )
    asked.refresh_from_db()
    if end in TRANSITIONS[start]:
        advance(asked, end)
        assert asked.state == end
    else:
        with pytest.raises(Conflict):
            advance(asked, end)


@pytest.mark.django_db(transaction=True)
def test_two_reviewers_at_once_give_one_application(governance, cast):
    grant_role(user=cast.dana, role=Role.REVIEWER, on=cast.team, by=Actor(cast.admin))
    asked = governance.request()
    barrier, results = threading.Barrier(2), []

    def press(user):
        barrier.wait()
        try:
            results.append(governance.review(asked, user).state)
        except Conflict as refused:
            results.append(refused)
        finally:
            connections["default"].close()

    threads = [threading.Thread(target=press, args=(user,)) for user in (cast.bob, cast.dana)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result == State.APPROVED for result in results if isinstance(result, str)) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 1
    assert AuditEvent.objects.filter(action="request.approved").count() == 1
