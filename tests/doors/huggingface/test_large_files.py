"""Large files: sent by signed addresses, deduplicated inside of what the team holds, resumed, refused where they are not what they say."""

import hashlib
import io
import json
from pathlib import Path

import pytest

from registry.models import Asset, Blob, Upload
from tests.registry.conftest import safetensors

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def small_pieces(monkeypatch):
    """Several parts without gigabytes."""
    from doors.huggingface import lfs

    monkeypatch.setattr(lfs, "ONE_PIECE", 1 << 20)
    monkeypatch.setattr(lfs, "PART", 1 << 20)


def test_a_large_file_goes_by_lfs_and_comes_back(hub, cast, small_pieces):
    said = hub(
        cast.alice,
        """
        import hashlib, os
        api.create_repo("acme/big")
        data = os.urandom(5 << 20)
        first = api.upload_file(path_or_fileobj=data, path_in_repo="weights.bin", repo_id="acme/big")
        back = open(hf_hub_download("acme/big", "weights.bin"), "rb").read()
        print(back == data)
        info = api.model_info("acme/big", files_metadata=True).siblings[0]
        print(info.lfs.sha256 == hashlib.sha256(data).hexdigest(), info.size)
        meta = get_hf_file_metadata(hf_hub_url("acme/big", "weights.bin"))
        print(meta.etag == info.lfs.sha256, meta.commit_hash == first.oid, meta.size)
        api.create_repo("acme/copy")
        api.create_commit("acme/copy", [CommitOperationAdd("same.bin", data)], commit_message="same bytes")
        print(api.file_exists("acme/copy", "same.bin"))
        api.create_commit("acme/big", [CommitOperationCopy("weights.bin", "again.bin")], commit_message="copy")
        print(sorted(api.list_repo_files("acme/big")))
        """,
    ).splitlines()
    assert said == ["True", f"True {5 << 20}", f"True True {5 << 20}", "True", "['again.bin', 'weights.bin']"]
    assert Blob.objects.filter(size=5 << 20).count() == 1


def test_a_broken_off_download_goes_on_where_it_stopped(hub, cast):
    said = hub(
        cast.alice,
        """
        import os, pathlib
        api.create_repo("acme/big")
        data = os.urandom(3 << 20)
        api.upload_file(path_or_fileobj=data, path_in_repo="weights.bin", repo_id="acme/big")
        meta = get_hf_file_metadata(hf_hub_url("acme/big", "weights.bin"))
        part = pathlib.Path("out/.cache/huggingface/download")
        from huggingface_hub import file_download
        seen = []
        real = file_download.http_get
        def watched(url, temp_file, *args, **kwargs):
            seen.append(kwargs.get("resume_size"))
            return real(url, temp_file, *args, **kwargs)
        file_download.http_get = watched
        from huggingface_hub._local_folder import get_local_download_paths
        there = get_local_download_paths(pathlib.Path("out"), "weights.bin").incomplete_path(meta.etag)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(data[: 1 << 20])
        print(open(hf_hub_download("acme/big", "weights.bin", local_dir="out"), "rb").read() == data, seen)
        """,
    )
    assert said.startswith("True")


def begin(client, data, name="big", team="acme"):
    oid = hashlib.sha256(data).hexdigest()
    body = {"operation": "upload", "transfers": ["basic"], "objects": [{"oid": oid, "size": len(data)}]}
    found = client.post(f"/hf/{team}/{name}.git/info/lfs/objects/batch", body).json()["objects"][0]
    return oid, found.get("actions", {}).get("upload", {}).get("href", "").partition("/hf/")[2]


def lines(*operations):
    header = {"key": "header", "value": {"summary": "x"}}
    return "\n".join(json.dumps(row) for row in (header, *operations)).encode()


def pointer(oid, path="w.bin"):
    return {"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": oid, "size": 1}}


@pytest.fixture
def big(make_asset):
    return make_asset("big")


def test_other_bytes_than_announced_are_refused_and_not_kept(api, cast, big, storage_root):
    client = api(cast.alice)
    _, href = begin(client, b"a" * 1000)
    assert client.put(f"/hf/{href}", b"b" * 1000).status_code == 400
    assert not Upload.objects.exists()
    assert not [path for path in Path(storage_root).rglob("*") if path.is_file()]


def test_an_upload_address_opens_one_upload_and_nothing_else(api, cast, big):
    client, stranger = api(cast.alice), api(None)
    _, href = begin(client, b"a" * 1000)
    path, _, signature = href.partition("?")
    assert stranger.put(f"/hf/{path}?signature=x", b"a" * 1000).status_code == 404
    assert stranger.put(f"/hf/{path.replace('/1', '/2')}?{signature}", b"a" * 1000).status_code == 404
    assert stranger.put(f"/hf/{href}", b"a" * 1000).status_code == 200
    Upload.objects.update(expires_at="2020-01-01T00:00:00Z")
    assert stranger.put(f"/hf/{href}", b"a" * 1000).status_code == 404


def test_a_hash_of_another_teams_bytes_opens_nothing(api, cast, big, actor):
    from accounts.actions import create_team, grant_role
    from accounts.roles import Role
    from registry import actions

    client = api(cast.alice)
    data = safetensors()
    oid, href = begin(client, data)
    assert client.put(f"/hf/{href}", data).status_code == 200
    done = client.post("/hf/api/models/acme/big/commit/main", lines(pointer(oid)), content_type="application/x-ndjson")
    assert done.status_code == 200
    other = create_team(name="rivals", title="Rivals", by=actor(cast.admin))
    grant_role(user=cast.mallory, role=Role.CONTRIBUTOR, on=other, by=actor(cast.admin))
    actions.create_asset(team=other, kind="model", name="thief", by=actor(cast.mallory))
    thief = api(cast.mallory)
    refused = thief.post(
        "/hf/api/models/rivals/thief/commit/main", lines(pointer(oid)), content_type="application/x-ndjson"
    )
    unknown = thief.post(
        "/hf/api/models/rivals/thief/commit/main", lines(pointer("ab" * 32)), content_type="application/x-ndjson"
    )
    assert refused.status_code == unknown.status_code == 400
    assert refused.json()["error"].replace(oid[:12], "") == unknown.json()["error"].replace("abababababab", "")
    assert begin(thief, data, "thief", "rivals")[1]  # the bytes have to be sent, though somebody has them
    assert not Asset.objects.get(name="thief").versions.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        b'{"key": "header"}',
        lines({"key": "magic", "value": {}}),
        lines({"key": "file", "value": {"path": "../x", "content": "eA==", "encoding": "base64"}}),
        lines({"key": "file", "value": {"path": "x", "content": "!", "encoding": "base64"}}),
        lines({"key": "lfsFile", "value": {"path": "x", "oid": "ab"}}),
        lines({"key": "deletedFile", "value": {"path": "none"}}),
        lines(
            {"key": "file", "value": {"path": "a", "content": ""}},
            {"key": "file", "value": {"path": "a/b", "content": ""}},
        ),
        lines({"key": "file", "value": {"path": "config.json", "content": "{", "encoding": "utf-8"}}),
    ],
)
def test_a_commit_that_is_not_in_order_leaves_nothing(api, cast, big, storage_root, body):
    done = api(cast.alice).post("/hf/api/models/acme/big/commit/main", body, content_type="application/x-ndjson")
    assert done.status_code == 400, done.content
    assert done.json()["error"]
    assert not big.versions.exists()
    assert not Blob.objects.exists()
    assert not [path for path in Path(storage_root).rglob("*") if path.is_file()]


def test_a_commit_whose_client_vanishes_between_two_lines_leaves_nothing(api, cast, big, storage_root):
    lines = [
        {"key": "header", "value": {"summary": "half"}},
        {"key": "file", "value": {"content": "eHg=", "path": "first.txt", "encoding": "base64"}},
    ]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    came = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body) + 100)}
    done = api(cast.alice).post(
        "/hf/api/models/acme/big/commit/main", body, content_type="application/x-ndjson", **came
    )
    assert done.status_code == 400 and "broke off" in done.json()["error"]
    assert not big.versions.exists() and not Blob.objects.exists()
    assert not [path for path in Path(storage_root).rglob("*") if path.is_file()]
