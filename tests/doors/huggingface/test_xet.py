"""Clients with hf_xet installed, which is what `pip install huggingface_hub` gives: uploads without any setting."""

import io
import os
import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doors.huggingface.xet_formats import _TAG, MAX_CHUNK, MAX_CHUNKS, Malformed, Pack, files_of
from registry.models import Upload, Version

pytestmark = pytest.mark.django_db(transaction=True)


def test_large_files_go_up_and_come_back_with_the_default_client(hub, cast, tmp_path):
    said = hub(
        cast.alice,
        """
        import os, random, struct
        api.create_repo("acme/big")
        floats = b"".join(struct.pack("<f", random.gauss(0, 1)) for _ in range(300_000))
        data = os.urandom(3 << 20) + b"the same again " * 200_000 + floats
        first = api.upload_file(path_or_fileobj=data, path_in_repo="weights.bin", repo_id="acme/big")
        print(open(hf_hub_download("acme/big", "weights.bin"), "rb").read() == data)
        changed = data[: 2 << 20] + b"something new" + data[2 << 20 :]
        open("changed.bin", "wb").write(changed)
        api.upload_file(path_or_fileobj="changed.bin", path_in_repo="weights.bin", repo_id="acme/big")
        print(open(hf_hub_download("acme/big", "weights.bin"), "rb").read() == changed)
        print(open(hf_hub_download("acme/big", "weights.bin", revision=first.oid), "rb").read() == data)
        """,
        xet=True,
    ).splitlines()
    assert said == ["True"] * 3
    assert Version.objects.filter(asset__name="big").count() == 2
    sent = Upload.objects.filter(xorb__isnull=False)
    assert sum(upload.size for upload in sent) < 12 << 20  # the second time only what had changed


def test_a_whole_folder_with_the_default_client(hub, cast, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(12):
        (folder / f"part-{number}.bin").write_bytes(os.urandom(50_000))
    (folder / "config.json").write_text("{}")
    said = hub(
        cast.alice,
        f"""
        api.create_repo("acme/big")
        api.upload_folder(repo_id="acme/big", folder_path={str(folder)!r})
        print(len(api.list_repo_files("acme/big")))
        there = snapshot_download("acme/big")
        print(api.verify_repo_checksums("acme/big").checked_count)
        """,
        xet=True,
    ).splitlines()
    assert said[-2:] == ["13", "13"]


def test_a_token_is_for_one_repository_and_ends_with_the_key(api, cast, make_asset):
    from accounts.models import ApiKey

    make_asset("big")
    client, stranger = api(cast.alice), api(None)
    token = client.get("/hf/api/models/acme/big/xet-write-token/main").json()
    place = token["casUrl"].partition("/hf/")[2]
    headers = {"authorization": f"Bearer {token['accessToken']}"}
    xorb = f"/hf/{place}/v1/xorbs/default/{'ab' * 32}"
    assert stranger.post(xorb, b"x", headers={"authorization": "Bearer x"}).status_code == 401
    assert client.post(xorb, b"x").status_code == 401  # a key is no token
    assert stranger.post(xorb, b"x", content_type="application/octet-stream", headers=headers).status_code == 200
    assert api(cast.victor).get("/hf/api/models/acme/big/xet-write-token/main").status_code == 403
    assert api(cast.mallory).get("/hf/api/models/acme/big/xet-write-token/main").status_code == 404
    ApiKey.objects.update(revoked_at="2026-01-01T00:00:00Z")
    assert stranger.post(xorb, b"x", content_type="application/octet-stream", headers=headers).status_code == 401


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 2**32 - 1))
def test_a_malformed_shard_is_refused_or_tells_no_more_than_it_holds(noise, count):
    for body in (noise, _TAG + struct.pack("<QQ", 2, 0) + bytes(32) + struct.pack("<II", 1 << 30, count) + noise):
        found = []
        with suppress(Malformed):
            found = files_of(body)
        segments = [segment for made in found for segment in made.segments]
        assert len(found) + len(segments) <= len(body) // 48
        assert all(0 <= one.start < one.end <= MAX_CHUNKS for one in segments)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 2))
def test_a_malformed_pack_is_refused_or_unpacks_to_what_it_announced(noise, scheme):
    body = bytes([0]) + len(noise).to_bytes(3, "little") + bytes([scheme]) + (64).to_bytes(3, "little") + noise
    with suppress(Malformed):
        assert [len(chunk) for chunk in Pack(io.BytesIO(body), len(body)).chunks(0, 1)] == [64]
    chunks = []
    with suppress(Malformed):
        for chunk in Pack(io.BytesIO(noise), len(noise)).chunks(0, 3):
            chunks.append(chunk)  # what came before it was refused counts, too
    assert len(chunks) <= 3 and all(len(chunk) <= MAX_CHUNK for chunk in chunks)
