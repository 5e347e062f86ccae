"""Bytes that rot are found, told, refused and mended."""

import io
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.errors import Conflict
from governance.ledger.models import AuditEvent
from registry import actions, blobs, damage, scrubbing, storage, tasks
from registry.models import Blob, BlobCheck
from serving.actions import create_deployment
from tests.registry.conftest import model_files


@pytest.fixture
def version(make_asset, make_version):
    return make_version(make_asset())


@pytest.fixture(autouse=True)
def quickly(settings):
    settings.SCRUB_MIB_PER_S = 10_000


def rot(sha256):
    path = storage.blob_path(sha256)
    path.chmod(0o644)
    path.write_bytes(b"x" + path.read_bytes()[1:])
    BlobCheck.objects.update(checked_at=timezone.now() - timedelta(days=365))


def events(action):
    return list(AuditEvent.objects.filter(action=action))


def test_everything_is_checked_once_and_then_left_alone(version):
    count = Blob.objects.count()
    assert tasks.scrub_blobs() == count == BlobCheck.objects.filter(state="whole").count()
    assert tasks.scrub_blobs() == 0 and not events("blob.damaged")


def test_what_was_never_checked_comes_first_then_the_longest_ago(version, make_asset, make_draft):
    tasks.scrub_blobs()
    hashes = sorted(BlobCheck.objects.values_list("blob_id", flat=True))[:2]
    for days, sha256 in zip((40, 50), hashes, strict=True):
        BlobCheck.objects.filter(pk=sha256).update(checked_at=timezone.now() - timedelta(days=days))
    fresh = make_draft(make_asset("fresh"), {"notes.txt": b"never checked"}).files.get().blob_id
    assert scrubbing.due(10) == [fresh, hashes[1], hashes[0]]


@pytest.mark.parametrize("harm", ["rot", "lose"])
def test_damage_is_told_once_refused_and_mended_by_sending_it_again(version, cast, actor, make_asset, make_draft, harm):
    tasks.scrub_blobs()
    sha256 = version.files.get(path="config.json").blob_id
    rot(sha256)
    if harm == "lose":
        storage.delete(sha256)
    tasks.scrub_blobs()
    BlobCheck.objects.update(checked_at=timezone.now() - timedelta(days=365))
    tasks.scrub_blobs()
    event = events("blob.damaged")[0]
    assert len(events("blob.damaged")) == 1 and event.team == "acme" and f"version:{version.pk}" in event.subjects
    assert damage.files_of(version) == ["config.json"]
    alice, dana = actor(cast.alice), actor(cast.dana)
    with pytest.raises(Conflict, match=r"is damaged: the stored bytes of config\.json"):
        actions.move_alias(asset=version.asset, name="candidate", version=version, by=alice)
    with pytest.raises(Conflict, match="is damaged"):
        actions.request_move(version=version, slot="production", reason="now", by=alice)
    with pytest.raises(Conflict, match="is damaged"):
        create_deployment(team=cast.team, name="dep", version=version, stage="development", by=dana)
    draft = make_draft(make_asset("mender"), {})
    actions.add_file(version=draft, path="any.json", stream=io.BytesIO(model_files()["config.json"]), by=alice)
    assert damage.files_of(version) == [] and len(events("blob.mended")) == 1
    actions.move_alias(asset=version.asset, name="candidate", version=version, by=alice)


def test_bytes_put_right_by_hand_are_found_whole_again(version):
    tasks.scrub_blobs()
    sha256 = version.files.get(path="config.json").blob_id
    good = storage.open_blob(sha256).read()
    rot(sha256)
    tasks.scrub_blobs()
    storage.blob_path(sha256).write_bytes(good)
    assert tasks.scrub_blobs() == 0, "damaged ones are looked at each hour"
    BlobCheck.objects.filter(pk=sha256).update(checked_at=timezone.now() - timedelta(hours=2))
    assert tasks.scrub_blobs() == 1 and len(events("blob.mended")) == 1


def test_what_is_deleted_while_it_is_read_is_no_damage(make_asset, make_draft, cast, actor, monkeypatch):
    draft = make_draft(make_asset(), {"notes.txt": b"going"})
    sha256 = draft.files.get().blob_id
    look = scrubbing.look

    def gone(sha256, rate):
        draft.files.all().delete()
        blobs.release(sha256)
        monkeypatch.setattr(scrubbing, "look", look)
        return look(sha256, rate)

    monkeypatch.setattr(scrubbing, "look", gone)
    scrubbing.check(sha256, 0)
    assert not BlobCheck.objects.exists() and not events("blob.damaged")


def test_it_keeps_to_its_rate(version):
    import time

    began = time.monotonic()
    size = version.files.get(path="model.safetensors").blob.size
    scrubbing.look(version.files.get(path="model.safetensors").blob_id, size / 0.3)
    assert time.monotonic() - began >= 0.3


def test_it_can_be_switched_off(version, settings):
    settings.SCRUB_EVERY_DAYS = 0
    assert tasks.scrub_blobs() == 0


def test_pages_say_what_is_damaged(version, client_of, api, cast):
    tasks.scrub_blobs()
    rot(version.files.get(path="config.json").blob_id)
    tasks.scrub_blobs()
    page = client_of(cast.alice).get(version.get_absolute_url()).content.decode()
    assert "Damaged." in page and "config.json are not what was registered" in page
    page = client_of(cast.admin).get("/settings/storage/").content.decode()
    assert "1 file damaged" in page and version.get_absolute_url() in page and "acme" in page
    found = api(cast.admin).get("/api/v1/storage")
    assert found.status_code == 200
    body = found.json()
    assert body["files"] == 5 == body["scrub"]["checked"] and body["damaged"][0]["state"] == "damaged"
    assert body["teams"] == [{"team": "acme", "files": 5, "size": version.size}]
    assert api(cast.alice).get("/api/v1/storage").status_code == 403


def test_the_page_costs_the_same_with_much_damage(version, client_of, cast, django_assert_max_num_queries):
    tasks.scrub_blobs()
    BlobCheck.objects.update(state="damaged")
    client = client_of(cast.admin)
    client.get("/settings/storage/")
    with django_assert_max_num_queries(30):
        client.get("/settings/storage/")
