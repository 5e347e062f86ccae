"""Deployments over REST: the contract, its errors, and who may use which door."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.access import Actor
from governance.ledger.models import AuditEvent
from registry.models import Version
from serving import actions, cluster
from serving.models import Deployment
from tests.serving.conftest import make_version

pytestmark = pytest.mark.usefixtures("machine")
ALL = "/api/v1/deployments"
ONE = f"{ALL}/acme/dates"
BODY = {"team": "acme", "name": "dates", "model": "acme/date-normaliser", "version": 1, "stage": "production"}


@pytest.fixture
def deployment(approved: Version, dana: Actor) -> Deployment:
    return actions.create_deployment(
        team=approved.asset.team, name="dates", version=approved, stage="production", by=dana
    )


def test_life_over_rest(approved: Version, cast: SimpleNamespace, api: Any) -> None:
    client = api(cast.dana)
    made = client.post(ALL, BODY)
    assert made.status_code == 201, made.content
    body = made.json()
    assert (body["state"], body["served_model"], body["endpoint"]) == ("queued", "acme/dates", None)
    assert body["revision"]["digest"] == approved.digest
    assert body["revision"]["approval"] is not None
    assert client.get(ONE).json() == body
    assert [row["name"] for row in client.get(ALL).json()["results"]] == ["dates"]
    assert client.patch(ONE, {"replicas": 2}, content_type="application/json").json()["replicas"] == 2
    stopped = client.post(f"{ONE}/stop")
    assert (stopped.status_code, stopped.json()["desired"]) == (202, "stopped")
    assert client.post(f"{ONE}/start").json()["state"] == "queued"
    assert [row["number"] for row in client.get(f"{ONE}/revisions").json()["results"]] == [1]
    assert client.delete(ONE).status_code == 204
    assert client.get(ONE).status_code == 404
    assert AuditEvent.objects.filter(action__startswith="deployment.", via="api").count() == 5


def test_unapproved_version_is_refused_with_reason_and_link(version: Version, cast: SimpleNamespace, api: Any) -> None:
    answer = api(cast.dana).post(ALL, BODY)
    assert answer.status_code == 403
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "urn:countersign:problem:approval_required"
    assert "not approved for production" in problem["detail"]
    assert problem["link"].startswith("/requests/new?")


def test_stage_is_production_unless_said_otherwise(version: Version, cast: SimpleNamespace, api: Any) -> None:
    body = {name: value for name, value in BODY.items() if name != "stage"}
    assert api(cast.dana).post(ALL, body).status_code == 403
    assert api(cast.dana).post(ALL, body | {"stage": "development"}).status_code == 201


def test_alias_is_resolved_to_the_version_it_points_at(approved: Version, cast: SimpleNamespace, api: Any) -> None:
    from registry.models import Alias

    Alias.objects.create(asset=approved.asset, name="production", version=approved, updated_by=cast.alice)
    body = {name: value for name, value in BODY.items() if name != "version"} | {"alias": "production"}
    assert api(cast.dana).post(ALL, body).json()["version"] == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": 0}, "version"),
        ({"version": None}, "version"),
        ({"alias": "production"}, "version"),
        ({"replicas": 0}, "replicas"),
        ({"replicas": "two"}, "replicas"),
        ({"stage": "moon"}, "stage"),
        ({"engine": "llama.cpp"}, "engine"),
        ({"engine_options": {"dtype": "int3"}}, "engine_options"),
        ({"num_gpus": 1}, "num_gpus"),
        ({"name": "Dates!"}, "name"),
    ],
)
def test_bad_input_names_its_field(
    approved: Version, cast: SimpleNamespace, api: Any, change: dict[str, Any], field: str
) -> None:
    answer = api(cast.dana).post(ALL, BODY | change)
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["errors"]
    assert not Deployment.objects.exists()


def test_gpu_is_refused_with_what_the_cluster_has(approved: Version, cast: SimpleNamespace, api: Any) -> None:
    answer = api(cast.dana).post(ALL, BODY | {"num_gpus": 1})
    assert "The cluster has 2 CPUs, no GPU" in answer.json()["detail"]


def test_name_that_exists_and_unknown_version(deployment: Deployment, cast: SimpleNamespace, api: Any) -> None:
    client = api(cast.dana)
    taken = client.post(ALL, BODY)
    assert taken.status_code == 409
    assert "name" in taken.json()["errors"]
    assert client.post(ALL, BODY | {"name": "x", "version": 7}).status_code == 404
    assert client.post(ALL, BODY | {"name": "x", "version": 10**15}).status_code == 404
    assert client.post(ALL, BODY | {"name": "x", "model": "acme/none"}).status_code == 404


def test_fields_that_cannot_change_are_named(deployment: Deployment, cast: SimpleNamespace, api: Any) -> None:
    answer = api(cast.dana).patch(ONE, {"stage": "development"}, content_type="application/json")
    assert answer.status_code == 400
    assert "stage" in answer.json()["errors"]


def test_body_that_is_not_json(cast: SimpleNamespace, api: Any) -> None:
    answer = api(cast.dana).generic("POST", ALL, b"{not json", content_type="application/json")
    assert answer.status_code == 400
    assert "JSON" in answer.json()["detail"]


DOORS = [
    ("post", ALL, BODY | {"name": "other"}, 201),
    ("patch", ONE, {"replicas": 2}, 200),
    ("post", f"{ONE}/stop", {}, 202),
    ("post", f"{ONE}/start", {}, 202),
    ("delete", ONE, None, 204),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), DOORS)
def test_who_may_use_each_door(
    deployment: Deployment, cast: SimpleNamespace, api: Any, method: str, path: str, body: Any, status: int
) -> None:
    def knock(user: Any, **key: Any) -> int:
        return getattr(api(user, **key), method)(path, body, content_type="application/json").status_code  # type: ignore[no-any-return]

    before = AuditEvent.objects.filter(action__startswith="deployment.").count()
    assert knock(None) == 401
    assert knock(cast.mallory) == 404
    for name in ("victor", "alice", "bob", "carol"):
        assert knock(getattr(cast, name)) == 403, name
    assert knock(cast.dana, scopes=["read"]) == 403, "the key's scopes leave it out"
    assert AuditEvent.objects.filter(action__startswith="deployment.").count() == before
    assert knock(cast.dana) == status


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("put", ALL),
        ("delete", ALL),
        ("post", ONE),
        ("get", f"{ONE}/stop"),
        ("get", f"{ONE}/start"),
        ("post", f"{ONE}/logs"),
    ],
)
def test_wrong_method(deployment: Deployment, cast: SimpleNamespace, api: Any, method: str, path: str) -> None:
    assert getattr(api(cast.dana), method)(path).status_code == 405


def test_everybody_in_the_team_sees_deployments_and_nobody_else(
    deployment: Deployment, cast: SimpleNamespace, api: Any
) -> None:
    for name in ("alice", "bob", "dana", "carol", "victor", "admin"):
        assert api(getattr(cast, name)).get(ONE).status_code == 200, name
    assert api(cast.mallory).get(ONE).status_code == 404
    assert api(cast.mallory).get(ALL).json()["results"] == []
    assert api(cast.mallory).get(f"{ONE}/logs").status_code == 404


def test_evaluation_targets_are_nobodys_deployments(version: Version, cast: SimpleNamespace, api: Any) -> None:
    target = actions.hold_target(version=version, holder="evaluation:1", by=Actor(cast.alice))
    assert api(cast.admin).get(ALL).json()["results"] == []
    assert api(cast.admin).get(f"{ALL}/acme/{target.name}").status_code == 404
    assert api(cast.admin).post(f"{ALL}/acme/{target.name}/stop").status_code == 404


def test_list_costs_the_same_with_one_and_with_many(
    approved: Version, cast: SimpleNamespace, dana: Actor, api: Any
) -> None:
    client = api(cast.dana)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(ALL).status_code == 200
        return len(captured)

    for number in range(2):
        actions.create_deployment(
            team=cast.team,
            name=f"d{number}",
            version=approved,
            stage="production",
            engine_options={"num_cpus": 0.01},
            by=dana,
        )
    queries()  # the key's last use is written once
    few = queries()
    for number in range(2, 12):
        actions.create_deployment(
            team=cast.team, name=f"d{number}", version=make_version(cast, number=number), stage="development",
            engine_options={"num_cpus": 0.01}, by=dana,
        )  # fmt: skip
    assert queries() == few <= 6


def test_logs_are_text(
    deployment: Deployment, cast: SimpleNamespace, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = api(cast.victor)
    assert client.get(f"{ONE}/logs").content == b""
    replica = {"id": "r1", "node_id": "n", "worker_id": "w", "log": "serve/r1.log"}
    Deployment.objects.update(observed_replicas=[replica])
    monkeypatch.setattr(cluster, "log_files", lambda node, worker: ["worker-w.err"])
    monkeypatch.setattr(cluster, "log_tail", lambda node, name, lines: f":job_id:1\nfrom {name}")
    answer = client.get(f"{ONE}/logs", headers={"accept": "text/plain"})
    assert answer["Content-Type"].startswith("text/plain")
    assert answer.content.decode() == "==> replica r1 <==\nfrom serve/r1.log\nfrom worker-w.err\n"
    assert client.get(f"{ONE}/logs?replica=r2").status_code == 404
    assert client.get(f"{ONE}/logs?lines=many").status_code == 400


def test_cluster(cast: SimpleNamespace, api: Any, machine: SimpleNamespace) -> None:
    assert api(cast.victor).get("/api/v1/cluster").json()["cpus"] == 2
    machine.error = cluster.RayDown("Nothing answers at Ray's address.")
    assert api(cast.victor).get("/api/v1/cluster").status_code == 503
