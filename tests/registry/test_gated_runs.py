"""Bytes of a gated version are no freer where a run left them; who is outside learns no more than that it is gated."""

import io

import pytest

from accounts.access import Actor
from accounts.errors import Conflict
from registry import actions
from registry.models import Asset, Version
from tracking import actions as tracking

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(cast):
    made = tracking.create_run(team=cast.team, name="Train", parameters={}, by=Actor(cast.alice))
    for path, content in (("model/weights.bin", b"quokka"), ("log.txt", b"open to all")):
        tracking.put_artifact(owner=made, path=path, stream=io.BytesIO(content), by=Actor(cast.alice))
    return made


@pytest.fixture
def version(cast, api, run):
    """Version 1 of acme/secret: gated, made of the run's folder 'model'."""
    by = Actor(cast.alice)
    actions.create_tagged(team=cast.team, kind="model", name="secret", tags={}, by=by)
    body = {"name": "secret", "source": f"runs:/{run.uuid}/model"}
    answer = api(cast.alice, team=cast.team).post("/api/2.0/mlflow/model-versions/create", body, format="json")
    assert answer.status_code == 200, answer.content
    actions.update_asset(asset=Asset.objects.get(name="secret"), gated=True, by=by)
    return Version.objects.get()


def test_a_runs_file_is_gated_once_a_gated_version_holds_it(cast, api, client_of, run, version):
    weights, log = (f"/api/v1/runs/{run.pk}/artifacts/{path}" for path in ("model/weights.bin", "log.txt"))
    assert api(cast.alice).get(weights).status_code == 200
    refused = api(cast.victor).get(weights)
    assert (refused.status_code, refused.json()["permission"]) == (403, "file.download")
    assert api(cast.victor).head(weights).status_code == 403
    assert api(cast.victor).get(log).status_code == 200
    page = client_of(cast.victor).get(f"/runs/{run.pk}/files?path=model/weights.bin")
    assert page.status_code == 200 and "quokka" not in page.text and "/models/acme/secret/access" in page.text
    assert "quokka" in client_of(cast.alice).get(f"/runs/{run.pk}/files?path=model/weights.bin").text


def test_the_mlflow_door_keeps_them_too(cast, api, run, version):
    from tracking import reads

    root = f"/api/2.0/mlflow-artifacts/artifacts/{reads.wire_id(run.experiment)}/{run.uuid}/artifacts"
    for person, status in ((cast.alice, 200), (cast.victor, 403)):
        client = api(person, team=cast.team)
        assert client.get(f"{root}/model/weights.bin").status_code == status
        assert client.get(f"{root}/log.txt").status_code == 200


def test_no_free_version_is_made_of_gated_bytes_by_who_may_not_have_them(cast, api, run, version):
    from accounts.actions import grant_role
    from accounts.roles import Role

    actions.create_tagged(team=cast.team, kind="model", name="free", tags={}, by=Actor(cast.alice))
    free = Asset.objects.get(name="free")
    grant_role(user=cast.victor, role=Role.CONTRIBUTOR, on=free, by=Actor(cast.admin))
    body = {"name": "free", "source": f"runs:/{run.uuid}/model"}
    answer = api(cast.victor, team=cast.team).post("/api/2.0/mlflow/model-versions/create", body, format="json")
    assert answer.status_code == 403 and free.versions.count() == 0


def test_head_of_a_gated_file_answers_as_get_does(cast, api, version):
    for path in (
        "/api/v1/models/acme/secret/versions/1/files/weights.bin",
        "/api/2.0/mlflow-artifacts/artifacts/models/acme/secret/1/weights.bin",
        "/hf/acme/secret/resolve/main/weights.bin",
    ):
        for person, status in ((cast.alice, 200), (cast.victor, 403)):
            client = api(person, team=cast.team)
            assert client.head(path).status_code == client.get(path).status_code == status, (path, person)


def test_who_is_outside_cannot_probe_revisions(cast, api, version):
    Asset.objects.update(visibility="site")
    client = api(cast.mallory)
    assert client.get("/hf/api/models/acme/secret").status_code == 200
    for revision in ("1", "2", "side", "nothing", version.commit):
        assert client.get(f"/hf/api/models/acme/secret/revision/{revision}").status_code == 403, revision
    assert api(cast.victor).get("/hf/api/models/acme/secret/revision/nothing").status_code == 404


def test_a_running_run_keeps_what_it_reads(cast, run):
    by = Actor(cast.alice)
    asset = actions.create_tagged(team=cast.team, kind="dataset", name="rows", tags={}, by=by)
    data = actions.register_elsewhere(asset=asset, source="s3://b/rows", tags={}, facts={}, by=by)
    tracking.log_inputs(run=run, datasets=[{"name": "rows", "digest": data.digest}], by=by)
    with pytest.raises(Conflict, match=f"run {run.pk}"):
        actions.delete_version(version=data, by=by)
    tracking.update_run(run=run, state="succeeded", by=by)
    actions.delete_version(version=data, by=by)


def test_a_version_that_came_from_a_run_says_so_over_mlflow(cast, api, run):
    by = Actor(cast.alice)
    asset = actions.create_tagged(team=cast.team, kind="model", name="native", tags={}, by=by)
    actions.create_version(asset=asset, source_run_id=run.pk, by=by)
    client = api(cast.alice, team=cast.team)
    got = client.get("/api/2.0/mlflow/model-versions/get", {"name": "native", "version": "1"}).json()
    assert got["model_version"]["run_id"] == run.uuid
    for said, names in ((f"run_id = '{run.uuid}'", ["native"]), (f"run_id != '{run.uuid}'", []), ("run_id = 'x'", [])):
        found = client.get("/api/2.0/mlflow/model-versions/search", {"filter": said}).json()
        assert [row["name"] for row in found.get("model_versions", [])] == names, said


def test_a_runs_file_is_uploaded_and_deleted_over_rest(cast, api, run):
    path = f"/api/v1/runs/{run.pk}/artifacts/plots/a.txt"
    alice = api(cast.alice)
    put = alice.put(path, b"hello", content_type="application/octet-stream")
    assert put.status_code == 200 and put.json()["path"] == "plots/a.txt"
    assert b"".join(alice.get(path).streaming_content) == b"hello"
    wrong = alice.put(path, b"hello", content_type="application/octet-stream", HTTP_X_CONTENT_SHA256="0" * 64)
    assert wrong.status_code == 400
    assert api(cast.victor).put(path, b"x", content_type="application/octet-stream").status_code == 403
    assert (
        alice.put(f"/api/v1/runs/{run.pk}/artifacts/plots/a.txt/b", b"x", content_type="text/plain").status_code == 409
    )
    assert alice.delete(path).status_code == 204
    assert alice.get(path).status_code == 404
