"""Large artifacts by MLflow's own ways past the server: parts put into the bucket, presigned downloads."""

import json
import urllib.request

import pytest

from accounts.access import Actor
from governance.ledger.models import AuditEvent
from registry import storage
from registry.models import Artifact, Blob
from tests.registry.conftest import (  # noqa: F401
    make_asset,
    make_bucket,
    make_draft,
    make_version,
    s3_address,
    storage_root,
)
from tests.registry.stores import kept_bytes
from tracking import actions
from tracking.models import Run
from tracking.reads import wire_id

MIB = 1 << 20
FILES = "/api/2.0/mlflow-artifacts"


@pytest.fixture
def bucket(make_bucket):  # noqa: F811
    return make_bucket("rclone")


@pytest.fixture
def run(cast):
    return actions.create_run(team=cast.team, name="large", by=Actor(cast.alice))


@pytest.fixture
def ml(api, cast):
    return Caller(api(cast.alice, team=cast.team))


class Caller:
    """call('create', run, 'folder', path=…) -> (status, body)."""

    def __init__(self, client):
        self.client = client

    def __call__(self, verb, run, folder="", **body):
        address = f"{FILES}/mpu/{verb}/{address_of(run)}{folder}"
        answer = self.client.post(address, body)
        return answer.status_code, json.loads(answer.content)


def address_of(run):
    return f"{wire_id(run.experiment)}/{run.uuid}/artifacts"


def send(url, content):
    return urllib.request.urlopen(urllib.request.Request(url, content, {"Content-Type": "x/y"}, method="PUT")).status


@pytest.mark.django_db(transaction=True)
def test_the_client_puts_parts_and_fetches_ranges(mlflow, bucket):
    found = mlflow("track_large", 12 * MIB)
    assert (found["parts"], found["ranges"], found["same"], found["empty"]) == (7, 3, True, 0)
    assert "Failed to upload" in found["failed"]
    paths = dict(Artifact.objects.values_list("path", "blob_id"))
    assert set(paths) == {"deep/er/large.bin", "empty.bin"} and paths["deep/er/large.bin"] == found["sha256"]
    # Neither the second upload of the same bytes nor the broken one left anything.
    assert kept_bytes() == 12 * MIB


@pytest.mark.django_db(transaction=True)
def test_to_and_from_a_folder_the_client_takes_files_whole(mlflow):
    found = mlflow("track_large", 6 * MIB)
    assert (found["parts"], found["ranges"], found["same"], found["empty"]) == (0, 0, True, 0)


@pytest.mark.django_db
def test_what_the_server_says_of_itself_is_so(api, bucket, settings):
    told = api(None).get("/api/3.0/mlflow/server-info").json()
    assert told["multipart_uploads_enabled"] and told["multipart_downloads_enabled"]
    settings.STORAGE_URL += "&direct=no"
    told = api(None).get("/api/3.0/mlflow/server-info").json()
    assert not told["multipart_uploads_enabled"] and not told["multipart_downloads_enabled"]


@pytest.mark.django_db
def test_completing_twice_is_once_and_giving_up_leaves_nothing(ml, run, bucket):
    status, begun = ml("create", run, "/a", path="/home/ada/x.bin", num_parts=2)
    assert status == 200 and [one["part_number"] for one in begun["credentials"]] == [1, 2]
    for one, content in zip(begun["credentials"], (b"hello ", b"there"), strict=True):
        assert send(one["url"], content) == 200
    told = {"path": "x.bin", "upload_id": begun["upload_id"]}
    status, body = ml("complete", run, "/a", **told, parts=[{"part_number": 1, "etag": "x"}])
    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE") and not Artifact.objects.exists()
    both = [{"part_number": 1, "etag": "x"}, {"part_number": 2, "etag": "y"}]
    for _ in range(2):
        assert ml("complete", run, "/a", **told, parts=both) == (200, {})
    assert ml("abort", run, "/a", **told) == (200, {})
    assert (
        Artifact.objects.get().path == "a/x.bin" and storage.open_blob(Blob.objects.get().pk).read() == b"hello there"
    )
    other = ml("create", run, path="y.bin", num_parts=1)[1]
    send(other["credentials"][0]["url"], b"never")
    for _ in range(2):
        assert ml("abort", run, path="y.bin", upload_id=other["upload_id"]) == (200, {})
    status, body = ml("complete", run, path="y.bin", upload_id=other["upload_id"], parts=both[:1])
    assert status == 404 and kept_bytes() == len("hello there")


@pytest.mark.django_db
def test_an_id_opens_one_path_of_one_person(ml, run, bucket, api, cast, settings):
    begun = ml("create", run, path="x.bin", num_parts=1)[1]
    send(begun["credentials"][0]["url"], b"0123456789")
    told = {"upload_id": begun["upload_id"], "parts": [{"part_number": 1, "etag": "x"}]}
    assert ml("complete", run, path="other.bin", **told)[0] == 404
    assert ml("complete", run, path="x.bin", **{**told, "upload_id": begun["upload_id"] + "0"})[0] == 404
    bob, victor = (Caller(api(who, team=cast.team)) for who in (cast.bob, cast.victor))
    assert bob("complete", run, path="x.bin", **told)[0] in (403, 404)
    assert victor("create", run, path="x.bin", num_parts=1)[0] == 403
    assert ml("create", run, path="x.bin", num_parts=10_001)[0] == 400
    assert ml("create", run, "/..", path="x.bin", num_parts=1)[0] == 400
    settings.MAX_FILE_BYTES = 9
    assert ml("complete", run, path="x.bin", **told)[0] == 413
    assert not Artifact.objects.exists() and kept_bytes() == 0


@pytest.mark.django_db
def test_a_presigned_download_of_a_version_is_recorded_and_gated(ml, api, cast, bucket, make_asset, make_version):  # noqa: F811
    version = make_version(make_asset(restricted=True))
    address = f"{FILES}/presigned/models/acme/dates/{version.number}/config.json"
    told = ml.client.get(address).json()
    content = urllib.request.urlopen(told["url"]).read()
    assert len(content) == told["file_size"] and json.loads(content)["model_type"] == "llama"
    assert AuditEvent.objects.filter(action="file.downloaded").count() == 1
    assert ml.client.get(address.replace("config.json", "none.json")).status_code == 404
    assert ml.client.get(f"{FILES}/presigned/models/acme").status_code == 404
    assert AuditEvent.objects.filter(action="file.downloaded").count() == 1
    assert Run.objects.count() == 0
