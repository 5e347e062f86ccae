"""Uploads in parts: any order, again, at once; and whose bytes a hash opens."""

import hashlib
import io
import os
import threading
import time
import urllib.request
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.errors import Conflict, Invalid, NotFound
from registry import actions, storage, tasks
from registry.actions import uploads
from registry.models import Asset, Blob, File, Upload
from tests.registry.conftest import S3_SERVERS
from tests.registry.stores import kept_bytes

CONTENT = os.urandom(2_500)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True, params=["folder", *S3_SERVERS])
def anywhere(request, storage_root):
    """Every test here holds for a folder and for a bucket of each server."""
    if request.param != "folder":
        request.getfixturevalue("make_bucket")(request.param)
    return request.param


# rclone streams parts on as they come, and takes none again with other bytes (501): whoever changed a file begins anew.
REPLACES_PARTS = pytest.mark.parametrize("anywhere", ["folder", "moto"], indirect=True)


@pytest.fixture
def begin(cast, actor):
    def begin(content=CONTENT, part_size=1_000, by=None, **more):
        return uploads.begin(team=cast.team, size=len(content), part_size=part_size, by=by or actor(cast.alice), **more)

    return begin


def put(upload, *numbers, content=CONTENT):
    for number in numbers:
        offset, size = upload.part(number)
        uploads.put_part(upload=upload, number=number, stream=io.BytesIO(content[offset : offset + size]))


@REPLACES_PARTS
def test_parts_in_any_order_and_again_make_the_whole(begin, storage_root, make_asset, make_draft, cast, actor):
    upload = begin(sha256=SHA256.upper())
    put(upload, 3, 1, content=bytes(2_500))
    put(upload, 2, 1)
    assert uploads.parts_there(upload) == {1: 1_000, 2: 1_000, 3: 500}
    put(upload, 3, 3)
    assert uploads.complete(upload=upload).sha256 == SHA256
    assert uploads.complete(upload=upload).sha256 == SHA256
    assert storage.open_blob(SHA256).read() == CONTENT and kept_bytes() == 2_500
    draft = make_draft(make_asset())
    file, created = actions.add_upload(version=draft, path="big.txt", upload=upload, by=actor(cast.alice))
    assert created and file.blob_id == SHA256
    # The version keeps what the upload no longer holds.
    uploads.give_up(upload=upload)
    uploads.give_up(upload=upload)
    assert storage.exists(SHA256)


@pytest.mark.django_db(transaction=True)
def test_missing_parts_are_named_and_nothing_is_stored(begin, storage_root):
    upload = begin()
    put(upload, 2)
    with pytest.raises(Conflict, match="2 of 3 parts are not there yet: 1, 3"):
        uploads.complete(upload=upload)
    assert not Blob.objects.exists()
    uploads.give_up(upload=upload)
    assert kept_bytes() == 0


@pytest.mark.parametrize(
    ("number", "content", "words"),
    [
        (0, b"", "parts 1 to 3"),
        (4, b"", "parts 1 to 3"),
        (1, bytes(999), "1000 bytes were announced, 999 arrived"),
        (1, bytes(1_001), "Part 1 has 1000 bytes in this upload; more were sent"),
        (3, bytes(1_000), "Part 3 has 500 bytes"),
    ],
)
def test_a_part_that_does_not_fit_is_refused_and_spoils_no_other(begin, number, content, words):
    upload = begin()
    put(upload, 1, 2, 3)
    with pytest.raises(Invalid, match=words):
        uploads.put_part(upload=upload, number=number, stream=io.BytesIO(content))
    if number in (1, 3):
        # Where parts are one file, its place is spoiled; a bucket keeps the part that was there.
        assert (number in uploads.parts_there(upload)) == (not storage.store().mendable)
        put(upload, number)
    assert uploads.complete(upload=upload).sha256 == SHA256


def test_a_part_with_the_wrong_checksum_is_not_there(begin):
    upload = begin()
    with pytest.raises(Invalid, match="not 0000"):
        uploads.put_part(upload=upload, number=1, stream=io.BytesIO(CONTENT[:1_000]), sha256="0" * 64)
    assert uploads.parts_there(upload) == {}


def test_a_whole_with_the_wrong_checksum_is_refused_and_can_be_mended(begin, storage_root):
    upload = begin(sha256=SHA256)
    put(upload, 1, 2, 3, content=bytes(2_500))
    with pytest.raises(Invalid, match="have the SHA-256") as caught:
        uploads.complete(upload=upload)
    assert caught.value.code == "checksum_mismatch" and not Blob.objects.exists()
    put(upload, 1, 2, 3)
    assert uploads.complete(upload=upload).sha256 == SHA256


@pytest.mark.django_db(transaction=True)
def test_a_client_that_vanishes_leaves_a_part_that_is_not_there(begin, storage_root):
    class Breaks(io.BytesIO):
        def read(self, size):
            if self.tell():
                raise ConnectionResetError
            return super().read(10)

    upload = begin()
    with pytest.raises(ConnectionResetError):
        uploads.put_part(upload=upload, number=1, stream=Breaks(CONTENT))
    assert uploads.parts_there(upload) == {}
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    tasks.sweep_uploads()
    assert kept_bytes() == 0 and not Upload.objects.exists()


def test_an_empty_file_is_an_upload_without_parts(begin):
    upload = begin(b"", sha256=None)
    assert upload.part_count == 0
    assert uploads.complete(upload=upload).sha256 == hashlib.sha256(b"").hexdigest()


@pytest.mark.django_db(transaction=True)
def test_an_expired_upload_is_not_found_and_swept_with_its_bytes(begin, cast, actor, storage_root):
    upload = begin()
    put(upload, 1, 2, 3)
    uploads.complete(upload=upload)
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(NotFound):
        uploads.get_upload(actor(cast.alice), upload.pk)
    assert not uploads.holds(cast.team, SHA256, by=actor(cast.alice))
    tasks.sweep_uploads()
    tasks.sweep_uploads()
    assert kept_bytes() == 0 and not Blob.objects.exists()


def test_bytes_of_a_live_upload_are_not_swept(begin, storage_root):
    waiting, done = begin(), begin(CONTENT[:100])
    put(waiting, 1)
    put(done, 1)
    uploads.complete(upload=done)
    for path in storage_root.rglob("*"):
        os.utime(path, (time.time() - 2 * tasks.STALE_S,) * 2)
    tasks.sweep_uploads()
    put(waiting, 2, 3)
    assert uploads.complete(upload=waiting).sha256 == SHA256 and storage.exists(done.blob_id)


@pytest.mark.django_db(transaction=True)
@REPLACES_PARTS
def test_racing_writers_of_one_part_leave_one_of_them_whole(begin):
    """Two bodies of one part at once: what is there afterwards is one or the other, never a mixture."""
    size = 3 << 20
    bodies = [bytes([letter]) * size for letter in b"ab"]
    upload = begin(bodies[0], part_size=size)
    started, refused = threading.Barrier(2), []

    class Slow(io.BytesIO):
        def read(self, size):
            time.sleep(0.002)
            return super().read(min(size, 100_000))

    def write(body):
        started.wait()
        try:
            uploads.put_part(upload=upload, number=1, stream=Slow(body))
        except Exception as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(getattr(error, "code", "") == "part_in_flight" for error in refused) and len(refused) < 2
    blob = uploads.complete(upload=upload)
    assert blob.sha256 in {hashlib.sha256(body).hexdigest() for body in bodies}


@pytest.mark.django_db(transaction=True)
def test_parts_sent_while_it_is_completed_change_nothing(begin):
    upload = begin()
    put(upload, 1, 2, 3)
    outcomes = []

    def late():
        for _ in range(20):
            try:
                uploads.put_part(upload=upload, number=1, stream=io.BytesIO(bytes(1_000)))
            except (Conflict, NotFound) as error:
                outcomes.append(error)
        connection.close()

    thread = threading.Thread(target=late)
    blob = uploads.complete(upload=upload)
    thread.start()
    thread.join()
    assert len(outcomes) == 20
    assert hashlib.sha256(storage.open_blob(blob.sha256).read()).hexdigest() == blob.sha256


def test_a_hash_that_the_team_holds_completes_at_once(begin, cast, actor, make_asset, make_draft):
    draft = make_draft(make_asset(), {"notes.txt": CONTENT})
    again = begin(sha256=SHA256)
    assert again.is_complete and uploads.parts_there(again) == {1: 1_000, 2: 1_000, 3: 500}
    with pytest.raises(Invalid, match="are 2500, not 3"):
        uploads.begin(team=cast.team, size=3, sha256=SHA256, by=actor(cast.alice))
    file, _ = actions.link_file(version=draft, path="copy.txt", sha256=SHA256, by=actor(cast.alice))
    assert file.blob_id == SHA256


def test_a_hash_of_other_peoples_bytes_opens_nothing(begin, cast, actor, make_asset, make_draft):
    """Another team's, a gated asset's, a restricted one's, another person's upload, a deleted version's: as if they were not there."""
    mine = make_draft(make_asset("mine"), {})
    refused = {}

    def link(name):
        with pytest.raises(Invalid) as caught:
            actions.link_file(version=mine, path="x.txt", sha256=SHA256, by=actor(cast.alice))
        assert not begin(sha256=SHA256).is_complete
        refused[name] = caught.value.detail

    link("nobody's")
    other = make_draft(make_asset("other"), {"notes.txt": CONTENT})
    asset = Asset.objects.filter(pk=other.asset_id)
    asset.update(restricted=True)
    link("restricted")
    from accounts.models import Team

    asset.update(restricted=False, team=Team.objects.create(name="elsewhere"))
    link("another team's")
    asset.update(team=cast.team, deleted_at=timezone.now())
    link("deleted")
    File.objects.filter(version=other).delete()
    Upload.objects.create(
        team=cast.team, size=2_500, part_size=1_000, state="complete", blob_id=SHA256, created_by=cast.bob,
        expires_at=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    link("another person's upload")
    assert len(set(refused.values())) == 1


def test_a_gated_asset_gives_its_bytes_to_those_who_may_download(cast, actor, make_asset, make_draft):
    other = make_draft(make_asset("other"), {"notes.txt": CONTENT})
    Asset.objects.filter(pk=other.asset_id).update(gated=True)
    assert uploads.holds(cast.team, SHA256, by=actor(cast.alice))
    assert not uploads.holds(cast.team, SHA256, by=actor(cast.victor))


def test_restricted_bytes_stay_usable_within_their_own_asset(cast, actor, make_asset, make_draft):
    draft = make_draft(make_asset("other", restricted=True), {"notes.txt": CONTENT})
    assert uploads.holds(cast.team, SHA256, by=actor(cast.alice), asset=draft.asset)
    assert not uploads.holds(cast.team, SHA256, by=actor(cast.alice))


@pytest.mark.parametrize("anywhere", ["folder"], indirect=True)
def test_rest_end_to_end_with_signed_parts(cast, api, client, make_asset, make_draft):
    draft = make_draft(make_asset(), {})
    alice = api(cast.alice)
    body = {"team": "acme", "size": 2_500, "part_size": 1_000, "sha256": SHA256}
    made = alice.post("/api/v1/uploads", body)
    assert made.status_code == 201, made.content
    upload = made.json()
    assert [part["size"] for part in upload["parts"]] == [1_000, 1_000, 500]
    # A key is not needed at a signed address; a wrong signature, or one of another part, opens nothing.
    for part in upload["parts"]:
        at = (part["number"] - 1) * 1_000
        address = part["url"].split("/api/v1", 1)[1]
        sent = CONTENT[at : at + part["size"]]
        other = address.replace(f"parts/{part['number']}?", f"parts/{part['number'] % 3 + 1}?")
        assert client.put(f"/api/v1{other}", sent, content_type="application/octet-stream").status_code == 404
        assert client.put(f"/api/v1{address}", sent, content_type="application/octet-stream").status_code == 200
    assert api(cast.bob).get(f"/api/v1/uploads/{upload['id']}").status_code == 404
    there = alice.get(f"/api/v1/uploads/{upload['id']}").json()
    assert all(part["there"] and "url" not in part for part in there["parts"])
    done = alice.post(f"/api/v1/uploads/{upload['id']}/complete")
    assert done.status_code == 200 and done.json()["state"] == "complete" and done.json()["sha256"] == SHA256
    base = f"/api/v1{draft.get_absolute_url()}/files"
    assert alice.post(base, {"path": "one.txt", "upload": upload["id"]}).status_code == 201
    assert alice.post(base, {"path": "two.txt", "sha256": SHA256}).status_code == 201
    neither = alice.post(base, {"path": "three.txt"})
    assert neither.status_code == 400 and "upload" in neither.json()["errors"]
    third = alice.put(f"{base}/three.txt", b"", content_type="application/octet-stream", HTTP_X_UPLOAD=upload["id"])
    assert third.status_code == 201
    assert alice.delete(f"/api/v1/uploads/{upload['id']}").status_code == 204
    assert draft.files.count() == 3


def test_rest_refuses_in_words(cast, api, storage_root, settings):
    alice = api(cast.alice)
    settings.MAX_FILE_BYTES = 1_000
    large = alice.post("/api/v1/uploads", {"team": "acme", "size": 1_001})
    assert large.status_code == 413
    many = alice.post("/api/v1/uploads", {"team": "acme", "size": 0, "part_size": 2**40})
    assert many.status_code == 400 and "part_size" in many.json()["errors"]
    settings.MAX_FILE_BYTES = 10**9
    many = alice.post("/api/v1/uploads", {"team": "acme", "size": 10**6, "part_size": 99})
    assert many.status_code == 400 and "at least 100 bytes" in many.json()["detail"]
    bad = alice.post("/api/v1/uploads", {"team": "acme", "size": 1, "sha256": "x" * 64})
    assert bad.status_code == 400 and "sha256" in bad.json()["errors"]
    assert api(cast.victor).post("/api/v1/uploads", {"team": "acme", "size": 1}).status_code == 403
    assert api(cast.mallory).post("/api/v1/uploads", {"team": "acme", "size": 1}).status_code == 404


@pytest.mark.parametrize("anywhere", list(S3_SERVERS), indirect=True)
def test_parts_go_to_the_bucket_by_themselves_and_are_hashed_before_they_count(cast, api, make_asset, make_draft):
    """By the addresses alone, without a key; the whole is read and hashed by the site before it has a name."""
    alice, draft = api(cast.alice), make_draft(make_asset(), {})
    for sent, status in ((bytes(2_500), 400), (CONTENT, 200)):
        upload = alice.post(
            "/api/v1/uploads", {"team": "acme", "size": 2_500, "part_size": 1_000, "sha256": SHA256}
        ).json()
        for part in reversed(upload["parts"]):
            at = (part["number"] - 1) * 1_000
            assert "X-Amz-Signature" in part["url"] and "content-length" in part["url"]
            request = urllib.request.Request(
                part["url"],
                sent[at : at + part["size"]],
                method="PUT",
                headers={"Content-Type": "application/octet-stream"},
            )
            assert urllib.request.urlopen(request).status == 200
        assert all(part["there"] for part in alice.get(f"/api/v1/uploads/{upload['id']}").json()["parts"])
        assert alice.post(f"/api/v1/uploads/{upload['id']}/complete").status_code == status
        assert Blob.objects.filter(pk=SHA256).exists() == (status == 200)
    # The refused one begins anew under its id: no part is there, and nothing of it takes room.
    assert kept_bytes() == 2_500
    base = f"/api/v1{draft.get_absolute_url()}/files"
    assert alice.post(base, {"path": "one.txt", "upload": upload["id"]}).status_code == 201


@pytest.mark.parametrize("anywhere", list(S3_SERVERS), indirect=True)
def test_a_completion_that_was_cut_short_is_taken_up_again(begin):
    upload = begin(sha256=SHA256)
    put(upload, 1, 2, 3)
    with storage.store().collect(upload.handle, size=2_500, sha256=SHA256):
        pass  # the parts are one object now, and nobody wrote down whose
    assert len(uploads.parts_there(upload)) == 3
    assert uploads.complete(upload=upload).sha256 == SHA256


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("anywhere", ["folder", "moto"], indirect=True)
def test_who_asks_while_it_is_hashed_waits_and_nothing_is_hashed_twice(begin, monkeypatch):
    upload = begin(sha256=SHA256)
    put(upload, 1, 2, 3)
    hashing, go_on, real, done = threading.Event(), threading.Event(), uploads._put_together, []

    def slow(*given):
        done.append("hashed")
        hashing.set()
        assert go_on.wait(30)
        return real(*given)

    def first():
        uploads.complete(upload=Upload.objects.get())
        connection.close()

    monkeypatch.setattr(uploads, "_put_together", slow)
    thread = threading.Thread(target=first)
    thread.start()
    assert hashing.wait(30)
    monkeypatch.setattr(uploads, "PATIENCE_S", 0.1)
    with pytest.raises(Conflict, match="being put together") as caught:
        uploads.complete(upload=upload)
    assert caught.value.code == "part_in_flight"
    monkeypatch.setattr(uploads, "PATIENCE_S", 30.0)
    threading.Timer(0.5, go_on.set).start()
    assert uploads.complete(upload=upload).sha256 == SHA256 and done == ["hashed"]
    thread.join()
