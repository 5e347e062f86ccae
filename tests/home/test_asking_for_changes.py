"""Roles and deployments that a policy guards are asked for on the pages where they are given and made."""

import base64
import json

import pytest

from accounts.access import Actor
from accounts.actions import grant_role
from accounts.models import Grant
from accounts.roles import Role
from governance.actions import ask_for_policy, create_policy
from governance.models import ApprovalRequest, Attestation
from home import approvals
from serving.models import Deployment
from tests.serving.conftest import make_version

RULES = {"checks": [], "reviews": {"count": 1, "role": "reviewer"}}


@pytest.fixture
def guard(cast):
    def make(**about):
        return create_policy(team=cast.team, by=Actor(cast.admin), **{"stage": "", **RULES, **about})

    return make


def test_a_guarded_role_is_asked_for_where_it_would_be_given(cast, client_of, guard):
    guard(kind="role", pattern="deployer")
    admin = client_of(cast.admin)
    form = {"person": "victor@example.com", "role": "deployer", "on": "", "kind": "", "stage": "staging", "ends": "7"}
    refused = admin.post("/settings/team/acme/members", form | {"reason": "Stands in."})
    assert refused.status_code == 302
    assert refused.url.startswith("/requests/new/role/acme?person=victor%40example.com&role=deployer")
    page = admin.get(refused.url)
    assert 'value="victor@example.com"' in page.content.decode()
    asked = admin.post("/requests/new/role/acme", form | {"reason": "Stands in."})
    request = ApprovalRequest.objects.get()
    assert asked.url == f"/requests/{request.pk}"
    assert (request.kind, request.change["stage"]) == ("role", "staging")
    assert request.author_ids == [cast.victor.pk]  # who gains by it does not review it
    approvals.decide(request=request, verdict="approve", comment="", by=Actor(cast.bob))
    assert Role.DEPLOYER in {grant.role for grant in Grant.objects.filter(user=cast.victor)}


def test_a_guarded_deployment_is_asked_for_where_it_would_be_made(cast, client_of, guard):
    guard(kind="deployment", pattern="*", stage="staging")
    version = make_version(cast)
    dana = client_of(cast.dana)
    address = f"/deployments/new?model={version.asset}&stage=staging"
    form = {"version": version.number, "name": "early", "replicas": 1, "num_gpus": 0, "engine": "transformers"}
    refused = dana.post(address, form)
    assert refused.status_code == 422
    assert "Ask for this deployment" in refused.content.decode()
    asked = dana.post(address, form | {"ask": "1", "reason": "To try it."})
    request = ApprovalRequest.objects.get()
    assert (asked.url, request.kind, request.reason) == (f"/requests/{request.pk}", "deployment", "To try it.")
    approvals.decide(request=request, verdict="approve", comment="", by=Actor(cast.bob))
    made = Deployment.objects.get(name="early")
    assert made.stage == "staging"
    changed = {
        "version": version.number,
        "engine": "transformers",
        "num_gpus": 0,
        "engine_options": '{"max_model_len": 64}',
    }
    assert "Ask for this change" in dana.post("/deployments/acme/early/revisions", changed).content.decode()
    assert dana.post("/deployments/acme/early/revisions", changed | {"ask": "1"}).url.startswith("/requests/")


@pytest.mark.parametrize("kind,leads", [("deployment", "/deployments/new"), ("policy", "/policies/")])
def test_a_link_to_ask_leads_to_the_page_of_its_kind(cast, client_of, kind, leads):
    assert client_of(cast.alice).get(f"/requests/new?kind={kind}&asset=acme/none").url == leads


def test_the_statement_of_a_change_to_the_guarding_policy_itself_says_who_approved_it(cast, guard):
    grant_role(user=cast.dana, role=Role.REVIEWER, on=cast.team, by=Actor(cast.admin))
    policy = guard(kind="policy", pattern="*")
    asked = ask_for_policy(
        team=cast.team, policy=policy, action="update", checks=[], reviews={"count": 2, "role": "reviewer"},
        reason="Two from now on.", by=Actor(cast.admin),
    )  # fmt: skip
    done = approvals.decide(request=asked, verdict="approve", comment="", by=Actor(cast.bob))
    assert done.state == "applied"
    statement = json.loads(base64.b64decode(Attestation.objects.get(request=done).envelope["payload"]))
    assert [row["by"] for row in statement["predicate"]["approvals"]] == ["bob@example.com"]
