"""Rules of the registry: names, drafts, immutability, aliases behind the gate, and who may do what."""

import io
import threading

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.errors import ApprovalRequired, Conflict, Forbidden, Invalid, NotFound
from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest, Evidence
from registry import actions, blobs, reads, storage
from registry.models import Alias, AliasMove, Asset, Blob, File, Version

from .conftest import model_files


def put(version, path, content, by, **given):
    return actions.add_file(version=version, path=path, stream=io.BytesIO(content), by=by, **given)


@pytest.fixture
def alice(cast, actor):
    return actor(cast.alice)


def test_a_name_that_exists_is_a_conflict_naming_the_field(make_asset):
    make_asset("dates")
    with pytest.raises(Conflict) as raised:
        make_asset("dates")
    assert raised.value.errors == {"name": ["This name is taken."]} and raised.value.link == "/models/acme/dates"
    make_asset("dates", kind="dataset")  # another kind has its own names
    with pytest.raises(Conflict):
        make_asset("Dates")  # two that differ in case alone would be taken for each other


@pytest.mark.parametrize("name", ["", "a:b", "a/b", "-a", "a" * 97, "..", "a b"])
def test_a_name_that_cannot_stand_in_an_address_is_refused(name, make_asset):
    with pytest.raises(Invalid) as raised:
        make_asset(name)
    assert set(raised.value.errors) == {"name"} and not Asset.objects.exists()


def test_a_models_task_is_one_of_a_list_and_a_dataset_has_none(make_asset):
    with pytest.raises(Invalid, match="Use one of text-generation"):
        make_asset(task="everything")
    assert make_asset("of-another-client", task="").task == ""
    with pytest.raises(Invalid, match="Only models"):
        make_asset(kind="dataset", task="text-generation")


def test_each_change_is_one_event_about_asset_and_version(make_asset, make_version, alice):
    asset = make_asset()
    version = make_version(asset)
    actions.move_alias(asset=asset, name="candidate", version=version, reason="try", by=alice)
    actions.update_asset(asset=asset, description="New", by=alice)
    actions.update_asset(asset=asset, description="New", by=alice)
    about = (
        AuditEvent.objects.filter(subjects__contains=[f"model:{asset.pk}"])
        .order_by("id")
        .values_list("action", flat=True)
    )
    assert list(about) == [
        "asset.created", "version.created", *["file.uploaded"] * 5, "version.registered", *["evidence.deposited"] * 2, "alias.moved", "asset.updated",
    ]  # fmt: skip
    moved = AuditEvent.objects.get(action="alias.moved")
    assert f"version:{version.pk}" in moved.subjects and moved.target_digest == version.digest and moved.reason == "try"
    asset.refresh_from_db()
    assert asset.updated_by == alice.user


def test_registration_fixes_a_digest_over_the_manifest_and_deposits_the_card(make_asset, make_version):
    from governance.digests import digest_of

    asset = make_asset()
    first, second = make_version(asset), make_version(asset)
    manifest = [{"path": f.path, "sha256": f.blob_id, "size": f.blob.size} for f in first.files.order_by("path")]
    assert first.digest == second.digest == digest_of({"files": sorted(manifest, key=lambda f: f["path"])})
    assert make_version(asset, model_files(**{"README.md": b"# short"})).digest != first.digest
    evidence = Evidence.objects.filter(kind="card").order_by("id")
    assert [e.payload["complete"] for e in evidence] == [True, True, False]
    assert evidence[2].payload["missing"] == ["intended use", "limits", "training data", "licence"]


def test_a_registered_version_takes_no_change_by_any_action(make_asset, make_version, alice):
    version = make_version(make_asset())
    stale = Version.objects.get(pk=version.pk)
    stale.state = "draft"  # somebody read it before it was registered
    for act in (
        lambda: put(version, "new.txt", b"x", alice),
        lambda: put(stale, "new.txt", b"x", alice),
        lambda: actions.remove_file(version=stale, path="config.json", by=alice),
        lambda: actions.register_version(version=version, by=alice),
        lambda: actions.register_version(version=stale, by=alice),
        lambda: actions.discard_version(version=stale, by=alice),
    ):
        with pytest.raises(Conflict):
            act()
    assert version.files.count() == 5


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE registry_version SET digest = 'sha256:0' WHERE id = {v}",
        "UPDATE registry_version SET state = 'draft', digest = '', registered_at = NULL WHERE id = {v}",
        "UPDATE registry_version SET facts = '{{}}' WHERE id = {v}",
        "DELETE FROM registry_version WHERE id = {v}",
        "DELETE FROM registry_file WHERE version_id = {v}",
        "UPDATE registry_file SET path = 'x' WHERE version_id = {v} AND path = 'config.json'",
        "UPDATE registry_file SET version_id = {d} WHERE version_id = {v}",
        "UPDATE registry_file SET version_id = {v} WHERE version_id = {d}",
        "INSERT INTO registry_file (version_id, path, blob_id, added_by_id, added_at) "
        "SELECT {v}, 'x', blob_id, added_by_id, now() FROM registry_file WHERE version_id = {v} LIMIT 1",
        "UPDATE registry_blob SET size = 1",
        "UPDATE registry_aliasmove SET reason = 'x'",
        "DELETE FROM registry_aliasmove",
        "TRUNCATE registry_file",
    ],
)
def test_the_database_refuses_what_the_actions_refuse(statement, make_asset, make_version, make_draft, alice):
    asset = make_asset()
    version = make_version(asset)
    draft = make_draft(asset, {"only.txt": b"x"})
    actions.move_alias(asset=asset, name="candidate", version=version, by=alice)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(v=version.pk, d=draft.pk))
    version.refresh_from_db()
    assert version.is_registered and version.files.count() == 5 and AliasMove.objects.get().reason == ""


def test_numbers_are_never_handed_out_twice(make_asset, make_draft, alice):
    asset = make_asset()
    draft = make_draft(asset)
    actions.discard_version(version=draft, by=alice)
    assert make_draft(asset).number == 2


def test_a_replaced_file_leaves_no_orphan(make_asset, make_draft, alice, django_capture_on_commit_callbacks):
    draft = make_draft(make_asset(), {})
    with django_capture_on_commit_callbacks(execute=True):
        first, created = put(draft, "a.txt", b"one", alice)
        assert created
        second, created = put(draft, "a.txt", b"two!", alice)
        assert not created
    assert not storage.blob_path(first.blob_id).exists() and storage.blob_path(second.blob_id).exists()
    assert list(Blob.objects.values_list("pk", flat=True)) == [second.blob_id]
    draft.refresh_from_db()
    assert draft.size == 4
    with django_capture_on_commit_callbacks(execute=True):
        actions.discard_version(version=draft, by=alice)
    assert not Blob.objects.exists() and not storage.blob_path(second.blob_id).exists()


def test_bytes_that_another_version_has_stay(make_asset, make_draft, alice, django_capture_on_commit_callbacks):
    asset = make_asset()
    keeps, gives_up = make_draft(asset, {"a": b"same"}), make_draft(asset, {"b": b"same"})
    with django_capture_on_commit_callbacks(execute=True):
        actions.discard_version(version=gives_up, by=alice)
    blob = keeps.files.get().blob_id
    assert storage.blob_path(blob).exists() and blobs.release(blob) is False


@pytest.mark.django_db(transaction=True)
def test_two_uploads_of_one_path_at_once_leave_one_whole_file(make_asset, make_draft, actor, cast):
    draft = make_draft(make_asset(), {})
    contents = [bytes([n]) * 300_000 for n in range(6)]
    barrier, errors = threading.Barrier(len(contents)), []

    def upload(content):
        try:
            barrier.wait()
            put(Version.objects.select_related("asset__team").get(pk=draft.pk), "w.txt", content, actor(cast.alice))
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=upload, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    file = File.objects.get()
    with storage.open_blob(file.blob_id) as stream:
        assert stream.read() in contents
    assert Blob.objects.count() == 1
    assert [path.name for path in storage.root().rglob("*") if path.is_file()] == [file.blob_id]


@pytest.mark.django_db(transaction=True)
def test_a_file_cannot_slip_into_a_version_that_is_being_registered(make_asset, make_draft, actor, cast):
    draft = make_draft(make_asset())
    outcome = []

    def upload():
        try:
            put(Version.objects.select_related("asset__team").get(pk=draft.pk), "late.txt", b"late", actor(cast.alice))
            outcome.append("stored")
        except Conflict:
            outcome.append("refused")
        finally:
            connection.close()

    with transaction.atomic():
        actions.register_version(version=draft, by=actor(cast.alice))
        thread = threading.Thread(target=upload)
        thread.start()
        thread.join(0.5)
        assert outcome == []  # it waits
    thread.join()
    assert outcome == ["refused"] and draft.files.count() == 5


@pytest.mark.parametrize("name", ["latest", "12", "Prod", "a b", "", "../x"])
def test_what_cannot_be_an_alias(name, make_asset, make_version, alice):
    asset = make_asset()
    with pytest.raises(Invalid) as raised:
        actions.move_alias(asset=asset, name=name, version=make_version(asset), by=alice)
    assert set(raised.value.errors) == {"alias"}


def test_an_alias_points_at_registered_versions_of_its_own_asset(make_asset, make_version, make_draft, alice):
    asset, other = make_asset("a"), make_asset("b")
    with pytest.raises(Invalid, match="is a draft"):
        actions.move_alias(asset=asset, name="candidate", version=make_draft(asset), by=alice)
    with pytest.raises(Invalid, match="not a version of acme/a"):
        actions.move_alias(asset=asset, name="candidate", version=make_version(other), by=alice)


def test_an_alias_keeps_its_history(make_asset, make_version, alice):
    asset = make_asset()
    first, second = make_version(asset), make_version(asset)
    for version in (first, second, second):
        actions.move_alias(asset=asset, name="candidate", version=version, by=alice)
    actions.remove_alias(asset=asset, name="candidate", reason="done", by=alice)
    moves = [(m.before and m.before.number, m.after and m.after.number) for m in reads.history_of(asset, "candidate")]
    assert moves == [(2, None), (1, 2), (None, 1)]
    with pytest.raises(NotFound):
        actions.remove_alias(asset=asset, name="candidate", by=alice)


def test_production_moves_only_by_an_approved_request_of_these_bytes(make_asset, make_version, alice, cast, actor):
    asset = make_asset()
    version = make_version(asset)
    with pytest.raises(ApprovalRequired):
        actions.move_alias(asset=asset, name="production", version=version, by=alice)
    with pytest.raises(ApprovalRequired):
        actions.move_alias(asset=asset, name="production", version=version, by=actor(cast.admin))
    request = actions.request_move(version=version, slot="production", reason="better", by=alice)
    assert request.author_ids == [cast.alice.pk] and request.digest == version.digest
    with pytest.raises(ApprovalRequired):  # open is not approved
        actions.apply_request(request=request, by=actor(cast.bob))
    assert not Alias.objects.exists() and not AliasMove.objects.exists()


def test_a_protected_alias_is_not_removed(make_asset, make_version, alice):
    asset = make_asset()
    version = make_version(asset)
    Alias.objects.create(asset=asset, name="production", version=version, updated_by=alice.user)
    with pytest.raises(ApprovalRequired):
        actions.remove_alias(asset=asset, name="production", by=alice)


def test_everybody_who_had_a_hand_in_a_version_is_its_author(make_asset, make_draft, alice, cast, actor):
    from accounts.actions import grant_role
    from accounts.roles import Role

    grant_role(user=cast.bob, role=Role.CONTRIBUTOR, on=cast.team, by=actor(cast.admin))
    draft = make_draft(make_asset())
    put(draft, "extra.txt", b"by Bob", actor(cast.bob))
    version = actions.register_version(version=draft, by=alice)
    request = actions.request_move(version=version, slot="production", by=alice)
    assert request.author_ids == sorted([cast.alice.pk, cast.bob.pk])
    assert ApprovalRequest.objects.count() == 1


@pytest.mark.parametrize("person", ["victor", "bob", "dana", "carol"])
def test_those_who_may_look_may_not_change(person, make_asset, make_draft, make_version, cast, actor):
    by = actor(getattr(cast, person))
    asset = make_asset()
    draft, version = make_draft(asset), make_version(asset)
    before = AuditEvent.objects.exclude(action="access.refused").count()
    assert reads.get_asset(by, "model", "acme/dates") == asset
    for act in (
        lambda: actions.create_asset(team=cast.team, kind="model", name="x", task="text-generation", by=by),
        lambda: actions.update_asset(asset=asset, description="x", by=by),
        lambda: actions.create_version(asset=asset, by=by),
        lambda: put(draft, "x.txt", b"x", by),
        lambda: actions.remove_file(version=draft, path="config.json", by=by),
        lambda: actions.register_version(version=draft, by=by),
        lambda: actions.discard_version(version=draft, by=by),
        lambda: actions.move_alias(asset=asset, name="x", version=version, by=by),
        lambda: actions.remove_alias(asset=asset, name="x", by=by),
        lambda: actions.request_move(version=version, slot="production", by=by),
    ):
        with pytest.raises(Forbidden):
            act()
    assert AuditEvent.objects.exclude(action="access.refused").count() == before


def test_an_outsider_finds_nothing(make_asset, cast, actor):
    make_asset()
    with pytest.raises(NotFound):
        reads.get_asset(actor(cast.mallory), "model", "acme/dates")
    assert not reads.visible_assets(actor(cast.mallory), "model").exists()


def test_sweeping_removes_what_nobody_refers_to_and_nothing_else(make_asset, make_draft, settings, monkeypatch):
    from registry import tasks

    draft = make_draft(make_asset(), {"a.txt": b"kept"})
    orphan = storage.receive(io.BytesIO(b"orphan"), limit=100)
    orphan.place()
    broken = storage.receive(io.BytesIO(b"broken"), limit=100)
    tasks.sweep_uploads()
    assert storage.blob_path(orphan.sha256).exists() and broken.path.exists()  # not a day old yet
    monkeypatch.setattr(tasks, "STALE_S", -1.0)
    tasks.sweep_uploads()
    tasks.sweep_uploads()
    assert not storage.blob_path(orphan.sha256).exists() and not broken.path.exists()
    assert storage.blob_path(draft.files.get().blob_id).exists()
