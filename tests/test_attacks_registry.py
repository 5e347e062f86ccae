# ruff: noqa: F811  fixtures are arguments by the name under which they were imported
"""What somebody tries who wants past the rules by the registry's newer ways: branches, the bin, copies, runs, foreign doors."""

import io

import pytest

from accounts.access import Actor
from accounts.actions import create_key, grant_role
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.roles import Role
from governance.actions import create_policy
from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest
from registry import actions, revisions
from registry.actions.aliases import authors_of
from registry.actions.commits import Add
from registry.models import AccessRequest, Alias, Branch, Link, Version
from tests.doors.mlflow.test_registry import caller
from tests.registry.conftest import make_asset, make_draft, make_version, model_files, storage_root  # noqa: F401
from tracking import actions as tracking

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(cast, actor):
    return actor(cast.alice)


@pytest.fixture
def ml(api, cast):
    """ml(user, **key) -> calls at MLflow's address with a key of the team."""
    return lambda user, **key: caller(api(user, team=cast.team, **key))


# A stage by another name


@pytest.mark.parametrize("stage", ["production", "staging", "development"])
def test_a_branch_takes_no_stages_name(stage, make_asset, make_version, alice, cast, api):
    asset = make_asset()
    make_version(asset)
    with pytest.raises(Invalid):
        actions.create_branch(asset=asset, name=stage, start=None, by=alice)
    answer = api(cast.alice).post(f"/hf/api/models/acme/dates/branch/{stage}", {})
    assert answer.status_code == 400 and not Branch.objects.exists()
    with pytest.raises(revisions.NoSuchRevision):
        revisions.resolve(asset, stage)


# The bin


@pytest.fixture
def strict(cast, actor):
    create_policy(
        team=cast.team, kind="model", pattern="strict-*", stage="staging", checks=[],
        reviews={"count": 1, "role": "reviewer"}, by=actor(cast.admin),
    )  # fmt: skip


def test_nothing_comes_out_of_the_bin_under_a_name_with_other_rules(
    strict, make_asset, make_version, cast, actor, alice, api
):
    asset = make_asset("loose")
    actions.move_alias(asset=asset, name="staging", version=make_version(asset), by=alice)
    actions.delete_asset(asset=asset, by=alice)
    with pytest.raises(Forbidden) as refused:
        actions.restore_asset(asset=asset, name="strict-dates", by=alice)
    assert refused.value.permission == "policy.edit"
    answer = api(cast.alice).post(f"/api/v1/bin/assets/{asset.pk}/restore", {"name": "strict-dates"})
    assert answer.status_code == 403
    assert actions.restore_asset(asset=asset, name="strict-dates", by=actor(cast.admin)).name == "strict-dates"


def test_nothing_comes_out_of_the_bin_under_a_name_that_one_may_not_make(make_asset, cast, alice, actor):
    asset = make_asset("loose")
    grant_role(user=cast.mallory, role=Role.CONTRIBUTOR, on=asset, by=actor(cast.admin))
    actions.delete_asset(asset=asset, by=alice)
    with pytest.raises(Forbidden) as refused:
        actions.restore_asset(asset=asset, name="other", by=Actor(cast.mallory))
    assert refused.value.permission == "asset.create"


def test_an_archived_model_takes_no_commit(make_asset, make_version, alice):
    asset = make_asset()
    head = make_version(asset)
    actions.archive_asset(asset=asset, by=alice)
    with pytest.raises(Conflict) as refused:
        actions.commit(
            asset=asset, operations=[Add("again.json", head.files.first().blob_id)], holds=lambda _: True, by=alice
        )
    assert refused.value.code == "archived" and Version.objects.count() == 1


# Whose work it is


def test_a_copy_by_somebody_else_is_still_its_authors_work(make_asset, make_version, ml, cast, actor):
    make_version(make_asset("src"))
    make_asset("dst")
    grant_role(user=cast.dana, role=Role.CONTRIBUTOR, on=cast.team, by=actor(cast.admin))
    status, body = ml(cast.dana)("POST", "model-versions/create", name="dst", source="models:/src/1")
    assert status == 200, body
    copied = Version.objects.get(asset__name="dst")
    assert set(authors_of(copied)) == {cast.alice.pk, cast.dana.pk}
    request = actions.request_move(version=copied, slot="production", by=actor(cast.dana))
    assert cast.alice.pk in ApprovalRequest.objects.get(pk=request.pk).author_ids


def test_what_somebody_logged_stays_their_work_in_whatever_version_it_becomes(make_asset, ml, cast, actor, alice):
    make_asset("m")
    grant_role(user=cast.dana, role=Role.CONTRIBUTOR, on=cast.team, by=actor(cast.admin))
    run = tracking.create_run(team=cast.team, name="r", by=alice)
    for path, content in model_files().items():
        tracking.put_artifact(owner=run, path=f"model/{path}", stream=io.BytesIO(content), by=alice)
    status, body = ml(cast.dana)("POST", "model-versions/create", name="m", source=f"runs:/{run.uuid}/model")
    assert status == 200, body
    assert cast.alice.pk in authors_of(Version.objects.get())


def test_a_conversion_is_the_work_of_who_made_the_checkpoint(make_asset, make_version, cast, actor):
    asset, dana = make_asset(), actor(cast.dana)
    source = make_version(asset)
    grant_role(user=cast.dana, role=Role.CONTRIBUTOR, on=cast.team, by=actor(cast.admin))
    made = actions.create_version(asset=asset, by=dana)
    actions.add_file(version=made, path="a.json", stream=io.BytesIO(b"{}"), by=dana)
    made = actions.register_version(version=made, by=dana)
    assert authors_of(made) == [cast.dana.pk]
    actions.link_versions(version=made, relation=Link.Relation.CONVERTED_FROM, origin=source, by=dana)
    assert set(authors_of(made)) == {cast.alice.pk, cast.dana.pk}


# Bytes that one may not have


def test_an_editor_of_one_model_takes_no_files_of_the_teams_runs(make_asset, cast, actor, alice):
    asset = make_asset("m")
    run = tracking.create_run(team=cast.team, name="r", by=alice)
    tracking.put_artifact(owner=run, path="secret.json", stream=io.BytesIO(b"{}"), by=alice)
    grant_role(user=cast.mallory, role=Role.CONTRIBUTOR, on=asset, by=actor(cast.admin))
    from django.test import Client

    _, key = create_key(name="k", team=cast.team, by=Actor(cast.mallory))
    answer = Client().post(
        "/api/2.0/mlflow/model-versions/create",
        {"name": "m", "source": f"runs:/{run.uuid}/"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert not Version.objects.exists()


def test_a_copy_out_of_a_restricted_model_is_a_download(make_asset, make_version, ml, cast):
    make_version(make_asset("secret", restricted=True))
    make_asset("open")
    status, body = ml(cast.alice)("POST", "model-versions/create", name="open", source="models:/secret/1")
    assert status == 200, body
    event = AuditEvent.objects.get(action="file.downloaded")
    assert event.after == {"copied_to": "open"}


def test_a_copy_out_of_a_gated_model_needs_its_files(make_asset, make_version, ml, cast, actor):
    make_version(make_asset("secret", gated=True))
    open_asset = make_asset("open")
    grant_role(user=cast.victor, role=Role.CONTRIBUTOR, on=open_asset, by=actor(cast.admin))
    status, body = ml(cast.victor)("POST", "model-versions/create", name="open", source="models:/secret/1")
    assert (status, body["error_code"]) == (403, "PERMISSION_DENIED")
    assert not Version.objects.filter(asset=open_asset).exists()


# What one may not see


def test_a_bill_of_materials_names_no_origin_that_its_reader_may_not_see(
    make_asset, make_version, cast, actor, alice, api
):
    secret, lent = make_version(make_asset("secret", kind="dataset")), make_asset("lent")
    version = make_version(lent)
    actions.link_versions(version=version, relation=Link.Relation.TRAINED_ON, origin=secret, by=alice)
    actions.link_versions(version=version, relation=Link.Relation.DERIVED_FROM, origin_asset=secret.asset, by=alice)
    grant_role(user=cast.mallory, role=Role.VIEWER, on=lent, by=actor(cast.admin))
    address = f"/api/v1{version.get_absolute_url()}/bom"
    told = api(cast.mallory).get(address)
    assert told.status_code == 200
    assert "secret" not in told.content.decode() and secret.digest.rpartition(":")[2] not in told.content.decode()
    assert "acme/secret" in api(cast.alice).get(address).content.decode()


# Keys that only read


def test_a_key_that_reads_asks_for_nothing(make_asset, cast, api):
    make_asset("secret", gated=True)
    reader = api(cast.victor, scopes=["read"])
    answer = reader.post("/api/v1/models/acme/secret/access", {"reason": "To compare"})
    assert answer.status_code == 403 and not AccessRequest.objects.exists()
    assert api(cast.victor).post("/api/v1/models/acme/secret/access", {"reason": "To compare"}).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("POST", "registered-models/create", {"name": "n"}),
        ("POST", "model-versions/create", {"name": "m", "source": "models:/m/1"}),
        ("POST", "model-versions/transition-stage", {"name": "m", "version": "1", "stage": "Staging"}),
        ("POST", "registered-models/alias", {"name": "m", "version": "1", "alias": "x"}),
        ("POST", "registered-models/rename", {"name": "m", "new_name": "n"}),
        ("DELETE", "model-versions/delete", {"name": "m", "version": "1"}),
    ],
)
def test_a_key_that_reads_writes_nothing_at_mlflows_door(method, path, fields, make_asset, make_version, ml, cast):
    make_version(make_asset("m"))
    count = Version.objects.live().count()
    assert ml(cast.alice, scopes=["read"])(method, path, **fields)[0] == 403
    assert Version.objects.live().count() == count and not Alias.objects.exists()
