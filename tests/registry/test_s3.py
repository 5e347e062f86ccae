"""A bucket keeps the same promises as a folder: whole, verified bytes under their hash, or nothing."""

import hashlib
import io
import os
import time
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

from accounts.errors import Invalid, TooLarge, Unavailable
from registry import blobs, storage, tasks
from registry.models import Blob
from tests.registry.conftest import model_files, safetensors
from tests.registry.stores import kept_bytes

pytestmark = pytest.mark.usefixtures("bucket")
MIB = 1 << 20


def put(content):
    incoming = storage.receive(io.BytesIO(content), limit=10**9, expected_size=len(content))
    incoming.place()
    incoming.discard()
    return incoming


@pytest.mark.parametrize("size", [0, 5, 16 * MIB, 33 * MIB + 7])
def test_what_comes_in_goes_out(size, bucket):
    content = os.urandom(size)
    incoming = put(content)
    assert incoming.sha256 == hashlib.sha256(content).hexdigest() and incoming.beginning == content[:16]
    with storage.open_blob(incoming.sha256) as stream:
        assert stream.read() == content
    assert bucket.size(incoming.sha256) == size == kept_bytes()
    storage.delete(incoming.sha256)
    storage.delete(incoming.sha256)
    assert not storage.exists(incoming.sha256) and kept_bytes() == 0
    with pytest.raises(FileNotFoundError):
        storage.open_blob(incoming.sha256)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"expected_size": 18 * MIB}, Invalid),
        ({"expected_sha256": "0" * 64}, Invalid),
        ({"limit": 17 * MIB - 1}, TooLarge),
    ],
)
def test_wrong_bytes_leave_nothing(given, error):
    with pytest.raises(error):
        storage.receive(io.BytesIO(bytes(17 * MIB)), **{"limit": 10**9, **given})
    assert kept_bytes() == 0


def test_a_stream_that_breaks_leaves_nothing():
    class Breaks:
        left = 20

        def read(self, size):
            self.left -= 1
            if not self.left:
                raise ConnectionResetError
            return bytes(size)

    with pytest.raises(ConnectionResetError):
        storage.receive(Breaks(), limit=10**9)
    assert kept_bytes() == 0


def test_jumping_about_reads_ranges_and_not_the_whole(bucket):
    content = os.urandom(8 * MIB)
    sha256 = put(content).sha256
    asked = []
    events = bucket.client.meta.events
    events.register("before-call.s3.GetObject", lambda params, **_: asked.append(params["headers"]["Range"]))
    with storage.open_blob(sha256) as stream:
        for place in (7 * MIB, 3, 5 * MIB):
            stream.seek(place)
            assert stream.read(100) == content[place : place + 100]
        assert stream.seek(-5, os.SEEK_END) == 8 * MIB - 5 and stream.read() == content[-5:]
        stream.seek(0)
        assert stream.read() == content
    spans = [one.removeprefix("bytes=").split("-") for one in asked]
    sizes = [int(end) - int(start) + 1 for start, end in spans]
    assert max(sizes[:4]) <= 256 * 1024 and len(asked) < 12


def test_an_object_that_changed_after_it_was_hashed_gets_no_name(bucket):
    incoming = storage.receive(io.BytesIO(b"good"), limit=10)
    bucket.client.put_object(Bucket=bucket.bucket, Key=incoming.key, Body=b"evil")
    with pytest.raises((Unavailable, ClientError)):
        incoming.place()
    assert not storage.exists(incoming.sha256)


def test_sweeping_takes_what_nobody_owns_and_leaves_the_rest(bucket, make_asset, make_draft):
    draft = make_draft(make_asset(), {"notes.txt": b"kept"})
    storage.receive(io.BytesIO(b"broken off"), limit=100)
    orphan = put(b"orphan")
    live, dead = bucket.begin(10), bucket.begin(10)
    time.sleep(1.1)
    assert bucket.sweep(1, lambda handle: handle == live) == 2
    assert set(bucket.blobs(1)) == {orphan.sha256, draft.files.get().blob_id}
    assert tasks._sweep(list(bucket.blobs(1))) == 1
    assert kept_bytes() == 4 and Blob.objects.count() == 1
    bucket.abort(live)
    bucket.abort(dead)


def test_a_model_is_registered_inspected_and_downloaded_from_the_bucket(cast, api, make_asset, make_version):
    weights = safetensors({"weight": [1024, 2048]})
    version = make_version(make_asset(), model_files(**{"model.safetensors": weights}))
    assert version.facts["parameters"] == 1024 * 2048
    base = f"/api/v1{version.get_absolute_url()}/files"
    small = api(cast.victor).get(f"{base}/config.json")
    assert small.status_code == 200 and b"".join(small.streaming_content).startswith(b"{")
    large = api(cast.victor).get(f"{base}/model.safetensors", HTTP_RANGE="bytes=8-")
    assert large.status_code == 302 and large["Cache-Control"] == "no-store"
    request = urllib.request.Request(large["Location"], headers={"Range": "bytes=8-"})
    answer = urllib.request.urlopen(request)
    # rclone says 200 and sends the range all the same.
    assert answer.headers["Content-Range"] == f"bytes 8-{len(weights) - 1}/{len(weights)}"
    assert answer.status in (200, 206) and answer.read() == weights[8:]
    assert 'filename="model.safetensors"' in answer.headers["Content-Disposition"]
    assert api(cast.victor).head(f"{base}/model.safetensors").status_code == 200


def test_a_restricted_redirect_is_an_event(cast, api, make_asset, make_version):
    from governance.ledger.models import AuditEvent

    weights = safetensors({"weight": [1024, 2048]})
    version = make_version(make_asset(restricted=True), model_files(**{"model.safetensors": weights}))
    answer = api(cast.alice).get(f"/api/v1{version.get_absolute_url()}/files/model.safetensors")
    assert answer.status_code == 302 and AuditEvent.objects.filter(action="file.downloaded").count() == 1


def test_where_clients_cannot_reach_the_bucket_all_passes_through(cast, api, settings, make_asset, make_version):
    settings.STORAGE_URL += "&direct=no"
    weights = safetensors({"weight": [1024, 2048]})
    version = make_version(make_asset(), model_files(**{"model.safetensors": weights}))
    answer = api(cast.alice).get(f"/api/v1{version.get_absolute_url()}/files/model.safetensors")
    assert answer.status_code == 200 and b"".join(answer.streaming_content) == weights
    upload = api(cast.alice).post("/api/v1/uploads", {"team": "acme", "size": 5}).json()
    assert "/api/v1/uploads/" in upload["parts"][0]["url"]


@pytest.mark.parametrize("bucket", ["rclone"], indirect=True)
def test_a_forged_address_opens_nothing(bucket):
    """Of the server that checks signatures: what a client may read or write is what was signed, to the byte."""
    incoming, handle = put(b"secret"), bucket.begin(5)
    read = bucket.address(incoming.sha256, disposition="attachment", content_type="text/plain")
    write = bucket.part_address(handle, 1, size=5, valid_s=60)
    assert urllib.request.urlopen(read).read() == b"secret"
    for address, body in (
        (read.replace(incoming.sha256, "0" * 64), None),
        (read.split("?")[0], None),
        (write, b"longer"),
        (write.replace("partNumber=1", "partNumber=2"), b"12345"),
    ):
        request = urllib.request.Request(address, body, {"Content-Type": "text/plain"}, method="PUT" if body else "GET")
        with pytest.raises(urllib.error.HTTPError, match=r"40[03]"):
            urllib.request.urlopen(request)
    assert bucket.parts(handle, {}) == {}


def test_an_unreachable_store_is_said(settings):
    settings.STORAGE_URL = "s3://nowhere/x?endpoint=http://127.0.0.1:9"
    with pytest.raises(Unavailable, match="can't be reached"):
        storage.exists("0" * 64)


def test_bytes_that_were_there_are_replaced(bucket, db):
    incoming = put(b"right")
    bucket.client.put_object(Bucket=bucket.bucket, Key=bucket.key(incoming.sha256), Body=b"rotten")
    put(b"right")
    assert storage.open_blob(incoming.sha256).read() == b"right"
    assert blobs.release(incoming.sha256) and kept_bytes() == 0
