"""The graph around a version: what it is made of, what came of it, and only what the reader may see."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from home import approvals
from home.lineage import MAX_NODES, lineage_of
from registry import actions
from registry.models import Link
from tests.registry.conftest import make_asset, make_draft, make_version, storage_root  # noqa: F401  fixtures


@pytest.fixture
def by(cast, actor):
    return actor(cast.alice)


@pytest.fixture
def family(make_asset, make_version, by, cast):  # noqa: F811
    """data and base -> model -> child; the model is evaluated, asked for and deployed."""
    from evaluation.models import Evaluation
    from serving.models import Deployment, Revision

    data = make_version(make_asset("pairs", kind="dataset"))
    base, model, child = (make_version(make_asset(name)) for name in ("base", "dates", "child"))
    actions.link_versions(version=model, relation="trained_on", origin=data, by=by)
    actions.link_versions(version=model, relation="derived_from", origin=base, by=by)
    actions.link_versions(version=model, relation="trained_on", origin_name="squad", by=by)
    actions.link_versions(version=child, relation="adapter_of", origin=model, by=by)
    evaluation = Evaluation.objects.create(
        team=cast.team, model=model.asset, version=model, dataset=data.asset, dataset_version=data, total=1, rows=1,
        created_by=cast.alice,
    )  # fmt: skip
    request = approvals.open_request(
        kind="model", asset="acme/dates", version=1, alias="production", reason="please", by=by
    )
    deployment = Deployment.objects.create(team=cast.team, name="dep", stage="development")
    deployment.revision = Revision.objects.create(deployment=deployment, number=1, version=model, digest=model.digest)
    deployment.save()
    return {
        "data": data, "base": base, "model": model, "child": child, "evaluation": evaluation, "request": request,
        "deployment": deployment,
    }  # fmt: skip


def edges(graph):
    return {(graph.nodes[e.origin].label, e.relation, graph.nodes[e.target].label) for e in graph.edges.values()}


def test_the_graph_goes_up_and_down_across_the_apps(family, by):
    graph = lineage_of(family["model"], by)
    request, evaluation = f"Request {family['request'].pk}: production", f"Evaluation {family['evaluation'].pk}"
    assert edges(graph) == {
        ("acme/pairs version 1", "trained on", "acme/dates version 1"),
        ("acme/base version 1", "derived from", "acme/dates version 1"),
        ("squad", "trained on", "acme/dates version 1"),
        ("acme/dates version 1", "adapter of", "acme/child version 1"),
        ("acme/dates version 1", "evaluated by", evaluation),
        ("acme/pairs version 1", "data of", evaluation),
        ("acme/dates version 1", "asked for by", request),
        ("acme/dates version 1", "served by", "acme/dep"),
    }
    assert graph.hidden == 0 and not graph.cut_off
    assert all(node.href for node in graph.nodes.values() if node.kind != "outside")


def test_from_the_data_everything_that_came_of_it_is_reached(family, by):
    labels = {node.label for node in lineage_of(family["data"], by).nodes.values()}
    assert {"acme/dates version 1", "acme/child version 1", "acme/dep"} <= labels


def test_the_depth_is_kept_and_said(family, by):
    graph = lineage_of(family["data"], by, depth=1)
    assert "acme/child version 1" not in {node.label for node in graph.nodes.values()} and graph.cut_off


def test_a_run_that_made_a_version_is_in_it_with_what_it_read(make_asset, make_version, family, by, cast):  # noqa: F811
    from tracking.actions import create_run
    from tracking.models import RunInput

    run = create_run(team=cast.team, name="night", by=by)
    RunInput.objects.create(run=run, name="pairs", digest=family["data"].digest)
    version = actions.create_version(asset=family["model"].asset, source_run_id=run.pk, by=by)
    assert edges(lineage_of(version, by)) == {
        ("acme/pairs version 1", "read by", "night"),
        ("night", "made", "acme/dates version 2"),
    }


def test_what_may_not_be_seen_is_counted_and_not_named(family, by, cast, actor):
    from accounts.actions import create_team, grant_role
    from accounts.roles import Role

    admin = actor(cast.admin)
    secret = create_team(name="secret", title="Secret", by=admin)
    grant_role(user=cast.admin, role=Role.ADMIN, on=secret, by=admin)
    admin = actor(cast.admin)
    asset = actions.create_asset(team=secret, kind="model", name="hush", by=admin)
    hidden = actions.create_version(asset=asset, by=admin)
    Link.objects.create(version=hidden, relation="derived_from", origin=family["model"])
    Link.objects.create(version=family["model"], relation="derived_from", origin=hidden)
    Link.objects.create(version=family["model"], relation="trained_on", origin_asset=asset)
    graph = lineage_of(family["model"], by)
    assert graph.hidden == 3 and "hush" not in str(graph.as_json())
    assert lineage_of(family["model"], actor(cast.admin)).hidden == 0


def test_the_number_of_queries_does_not_follow_the_number_of_nodes(family, make_asset, by):  # noqa: F811
    def cost():
        with CaptureQueriesContext(connection) as captured:
            lineage_of(family["model"], by, depth=1)
        return len(captured)

    cost()
    few = cost()
    asset = make_asset("many")
    for _ in range(20):
        version = actions.create_version(asset=asset, by=by)
        Link.objects.create(version=version, relation="derived_from", origin=family["model"])
        Link.objects.create(version=family["model"], relation="trained_on", origin=version)
    assert cost() <= few <= 22


def test_a_large_graph_is_cut_off_and_says_so(family, make_asset, by, client_of, cast):  # noqa: F811
    from registry.models import Version

    asset = make_asset("many")
    rows = Version.objects.bulk_create(
        Version(asset=asset, number=n, created_by=cast.alice) for n in range(1, MAX_NODES + 50)
    )
    Link.objects.bulk_create(Link(version=row, relation="derived_from", origin=family["model"]) for row in rows)
    graph = lineage_of(family["model"], by)
    assert len(graph.nodes) == MAX_NODES and graph.cut_off
    answer = client_of(cast.alice).get("/models/acme/dates/lineage")
    assert answer.status_code == 200 and b"There is more than fits here" in answer.content


def test_rest_gives_nodes_and_edges(family, api, cast):
    client = api(cast.alice)
    body = client.get("/api/v1/models/acme/dates/versions/1/lineage?depth=1").json()
    assert body["start"] == f"version:{family['model'].pk}"
    assert {"from": f"version:{family['base'].pk}", "to": body["start"], "relation": "derived from"} in body["edges"]
    node = next(node for node in body["nodes"] if node["id"] == f"version:{family['data'].pk}")
    assert (node["kind"], node["href"]) == ("version", "/datasets/acme/pairs/versions/1")
    for depth in ("0", "4", "x"):
        assert client.get(f"/api/v1/models/acme/dates/versions/1/lineage?depth={depth}").status_code == 400
    assert api(cast.mallory).get("/api/v1/models/acme/dates/versions/1/lineage").status_code == 404


def test_the_page_says_the_same_as_a_list(family, client_of, cast):
    text = client_of(cast.victor).get("/models/acme/dates/lineage?version=1").content.decode()
    assert "<svg" in text and text.count("acme/child version 1") >= 2
    assert client_of(cast.victor).get("/datasets/acme/pairs/lineage").status_code == 200
    assert client_of(cast.mallory).get("/models/acme/dates/lineage").status_code == 404
    assert client_of(cast.victor).get("/models/acme/dates/lineage?version=x").status_code == 404
