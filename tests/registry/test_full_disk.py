"""The disk fills up in the middle: said in words, nothing half stored, nothing left over, and it works again once there is room.

The kernel itself refuses the write: no file of this process may grow beyond a limit (RLIMIT_FSIZE), as on a full disk.
"""

import base64
import hashlib
import io
import json
import os
import resource
from contextlib import contextmanager

import pytest

from registry import storage
from registry.actions import uploads
from registry.models import Artifact, Blob
from registry.storage import StorageFull
from tests.registry.stores import kept_bytes

MIB = 1 << 20


@contextmanager
def full_beyond(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_upload_that_does_not_fit_leaves_nothing(cast, api, make_asset, make_draft, storage_root):
    draft = make_draft(make_asset(), {})
    address = f"/api/v1{draft.get_absolute_url()}/files/big.txt"
    with full_beyond(2 * MIB):
        refused = api(cast.alice).put(address, bytes(5 * MIB), content_type="application/octet-stream")
    assert refused.status_code == 507, refused.content
    problem = refused.json()
    assert problem["type"].endswith(":storage_full") and "The storage is full" in problem["detail"]
    assert not draft.files.exists() and not Blob.objects.exists()
    assert [path for path in storage_root.rglob("*") if path.is_file()] == []
    assert api(cast.alice).put(address, bytes(5 * MIB), content_type="application/octet-stream").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_a_part_that_does_not_fit_is_not_there_and_can_be_sent_again(cast, actor, storage_root):
    content = os.urandom(3 * MIB)
    upload = uploads.begin(team=cast.team, size=len(content), part_size=MIB, by=actor(cast.alice))

    def put(number):
        uploads.put_part(upload=upload, number=number, stream=io.BytesIO(content[(number - 1) * MIB : number * MIB]))

    put(1)
    with full_beyond(2 * MIB + MIB // 2):
        put(2)
        with pytest.raises(StorageFull):
            put(3)
    assert set(uploads.parts_there(upload)) == {1, 2}
    put(3)
    assert uploads.complete(upload=upload).sha256 == hashlib.sha256(content).hexdigest()
    uploads.give_up(upload=upload)
    assert kept_bytes() == 0


def test_an_upload_without_room_is_refused_before_a_byte_is_sent(cast, actor, storage_root, monkeypatch, settings):
    settings.MAX_FILE_BYTES = 2**62
    with pytest.raises(StorageFull, match="no room"):
        uploads.begin(team=cast.team, size=2**55, by=actor(cast.alice))
    with full_beyond(MIB), pytest.raises(StorageFull):
        uploads.begin(team=cast.team, size=2 * MIB, by=actor(cast.alice))
    assert [path for path in storage_root.rglob("*") if path.is_file()] == []
    assert storage.store().sweep(0, lambda handle: False) == 0


def test_the_doors_say_it_in_their_own_shapes(cast, api, make_asset, storage_root):
    """None of them says that it was the caller's mistake, and none answers what its client would try again for minutes."""
    alice, asset = api(cast.alice, team=cast.team), make_asset("big")
    mlflow = "/api/2.0/mlflow"
    run = alice.post(f"{mlflow}/runs/create", {"experiment_id": "0"}).json()["run"]["info"]["run_id"]
    artifact = f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/big.bin"
    content = base64.b64encode(bytes(3 * MIB)).decode()
    lines = [
        {"key": "header", "value": {"summary": "big"}},
        {"key": "file", "value": {"content": content, "path": "big.txt", "encoding": "base64"}},
    ]
    body = "\n".join(json.dumps(line) for line in lines).encode()

    def by_mlflow():
        return alice.put(artifact, bytes(5 * MIB))

    def by_the_hub():
        return alice.post(f"/hf/api/models/{asset}/commit/main", body, content_type="application/x-ndjson")

    with full_beyond(2 * MIB):
        told, said = by_mlflow(), by_the_hub()
    assert (told.status_code, told.json()["error_code"]) == (507, "INTERNAL_ERROR")
    assert "The storage is full" in told.json()["message"]
    assert said.status_code == 507 and "The storage is full" in said.json()["error"] == said["X-Error-Message"]
    assert not asset.versions.exists() and not Blob.objects.exists() and not Artifact.objects.exists()
    assert [path for path in storage_root.rglob("*") if path.is_file()] == []
    assert (by_mlflow().status_code, by_the_hub().status_code) == (200, 200)
