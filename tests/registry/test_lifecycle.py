"""Archived, deleted, restored, purged: what goes, what stays, and who may."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.errors import Conflict, Forbidden, Invalid, NotFound
from governance.ledger.models import AuditEvent
from home import approvals
from registry import actions, reads, search, storage
from registry.actions.lifecycle import InUse
from registry.models import Asset, Blob, File, Link, Version
from registry.tasks import purge_deleted
from tests.registry.conftest import CARD, model_files


@pytest.fixture
def by(cast, actor):
    return actor(cast.alice)


def told(action):
    return AuditEvent.objects.filter(action=action).order_by("-id")[0].text


def listed(by):
    return [asset.name for asset in search.narrow(reads.visible_assets(by, "model"), search.Query())]


def age(thing, days):
    """The thing was deleted so many days ago."""
    type(thing).objects.filter(pk=thing.pk).update(deleted_at=timezone.now() - timedelta(days=days))


# Rename


def test_a_rename_takes_aliases_and_history_along(make_asset, make_version, by):
    asset = make_asset("dates")
    actions.move_alias(asset=asset, name="candidate", version=make_version(asset), by=by)
    renamed = actions.rename_asset(asset=asset, name="Dates-2", by=by)
    assert reads.resolve_alias(by, reads.get_asset(by, "model", "acme/Dates-2"), "candidate").number == 1
    with pytest.raises(NotFound):
        reads.get_asset(by, "model", "acme/dates")
    assert reads.history_of(renamed, "candidate").count() == 1
    assert (told("asset.renamed").before, told("asset.renamed").after) == ({"name": "dates"}, {"name": "Dates-2"})


def test_a_rename_to_a_name_that_is_taken_is_refused_and_leaves_the_name(make_asset, by):
    make_asset("taken")
    asset = make_asset("dates")
    with pytest.raises(Conflict) as refused:
        actions.rename_asset(asset=asset, name="TAKEN", by=by)
    assert refused.value.code == "name_taken" and "name" in refused.value.errors
    assert Asset.objects.get(pk=asset.pk).name == "dates"


def test_a_rename_waits_for_open_requests(make_asset, make_version, by):
    make_version(make_asset("dates"))
    approvals.open_request(kind="model", asset="acme/dates", version=1, alias="production", reason="please", by=by)
    with pytest.raises(Conflict) as refused:
        actions.rename_asset(asset=Asset.objects.get(), name="other", by=by)
    assert refused.value.link.startswith("/requests/")


def test_a_rename_out_of_a_policy_needs_the_right_to_edit_policies(make_asset, cast, by, actor):
    from governance.actions import create_policy

    create_policy(
        team=cast.team, kind="model", pattern="strict-*", stage="production", checks=[],
        reviews={"count": 1, "role": "reviewer"}, by=actor(cast.admin),
    )  # fmt: skip
    asset = make_asset("strict-dates")
    with pytest.raises(Forbidden) as refused:
        actions.rename_asset(asset=asset, name="dates", by=by)
    assert refused.value.permission == "policy.edit"
    assert actions.rename_asset(asset=asset, name="dates", by=actor(cast.admin)).name == "dates"


# Description


def test_the_description_of_a_registered_version_changes(make_asset, make_version, by):
    version = make_version(make_asset())
    actions.describe_version(version=version, description=" Good with dates ", by=by)
    assert Version.objects.get(pk=version.pk).description == "Good with dates"
    count = AuditEvent.objects.count()
    actions.describe_version(version=version, description="Good with dates", by=by)
    assert AuditEvent.objects.count() == count
    with pytest.raises(Invalid):
        actions.describe_version(version=version, description="x" * 20_001, by=by)


# Archive


def test_an_archived_asset_leaves_the_lists_and_its_aliases_work_on(make_asset, make_version, by):
    asset = make_asset("dates")
    version = make_version(asset)
    actions.move_alias(asset=asset, name="candidate", version=version, by=by)
    actions.archive_asset(asset=asset, by=by)
    assert listed(by) == []
    found = reads.get_asset(by, "model", "acme/dates")
    assert reads.resolve_alias(by, found, "candidate") == version
    with pytest.raises(Conflict):
        actions.move_alias(asset=found, name="other", version=version, by=by)
    with pytest.raises(Conflict):
        actions.create_version(asset=found, by=by)
    actions.restore_asset(asset=found, by=by)
    assert listed(by) == ["dates"]
    assert told("asset.restored").before == {"state": "archived"}


def test_no_alias_newly_points_at_an_archived_version_by_any_way(make_asset, make_version, by):
    asset = make_asset("dates")
    version = make_version(asset)
    actions.move_alias(asset=asset, name="candidate", version=version, by=by)
    actions.archive_version(version=version, by=by)
    assert actions.move_alias(asset=asset, name="candidate", version=version, by=by).version == version  # it was there
    with pytest.raises(Conflict):
        actions.move_alias(asset=asset, name="other", version=version, by=by)
    with pytest.raises(Conflict):
        actions.request_move(version=version, slot="production", by=by)
    actions.restore_version(version=version, by=by)
    actions.move_alias(asset=asset, name="other", version=version, by=by)


def test_a_viewer_archives_and_deletes_nothing(make_asset, make_version, cast, actor):
    asset = make_asset()
    version = make_version(asset)
    for act, thing in (
        (actions.archive_asset, {"asset": asset}),
        (actions.archive_version, {"version": version}),
        (actions.delete_asset, {"asset": asset}),
        (actions.delete_version, {"version": version}),
        (actions.restore_version, {"version": version}),
    ):
        with pytest.raises(Forbidden):
            act(**thing, by=actor(cast.victor))


# Delete


def test_deleting_is_refused_with_everything_that_refers_named(make_asset, make_version, by):
    asset = make_asset("dates")
    version = make_version(asset)
    actions.move_alias(asset=asset, name="candidate", version=version, by=by)
    request = approvals.open_request(
        kind="model", asset="acme/dates", version=1, alias="production", reason="please", by=by
    )
    child = make_version(make_asset("child"))
    actions.link_versions(version=child, relation="derived_from", origin=version, by=by)
    with pytest.raises(InUse) as refused:
        actions.delete_version(version=version, by=by)
    assert {one.kind for one in refused.value.references} == {"alias", "request", "version"}
    assert all(one.href for one in refused.value.references)
    assert refused.value.status == 409 and f"/requests/{request.pk}" in str(refused.value.errors["references"])
    assert Version.objects.get(pk=version.pk).deleted_at is None


def test_a_deployment_and_an_evaluation_under_way_refer_to_versions(make_asset, make_version, by, cast, actor):
    from evaluation.models import Evaluation
    from serving.models import Deployment, Revision

    version, data = make_version(make_asset("dates")), make_version(make_asset("pairs", kind="dataset"))
    deployment = Deployment.objects.create(team=cast.team, name="dep", stage="development")
    deployment.revision = Revision.objects.create(deployment=deployment, number=1, version=version, digest="d")
    deployment.save()
    row = Evaluation.objects.create(
        team=cast.team, model=version.asset, version=version, dataset=data.asset, dataset_version=data, total=1, rows=1,
        created_by=cast.alice,
    )  # fmt: skip
    for act, thing, kinds in (
        (actions.delete_version, {"version": version}, {"deployment", "evaluation"}),
        (actions.delete_asset, {"asset": version.asset}, {"deployment", "evaluation"}),
        (actions.delete_version, {"version": data}, {"evaluation"}),
    ):
        with pytest.raises(InUse) as refused:
            act(**thing, by=by)
        assert {one.kind for one in refused.value.references} == kinds
    Evaluation.objects.filter(pk=row.pk).update(state="failed", finished_at=timezone.now())
    actions.delete_version(version=data, by=by)


def test_what_refers_and_may_not_be_seen_is_counted_and_not_named(make_asset, make_version, by, cast, actor):
    from accounts.actions import create_team, grant_role
    from accounts.roles import Role

    version = make_version(make_asset("dates"))
    secret = create_team(name="secret", title="Secret", by=actor(cast.admin))
    grant_role(user=cast.admin, role=Role.ADMIN, on=secret, by=actor(cast.admin))
    admin = actor(cast.admin)
    hidden = actions.create_version(
        asset=actions.create_asset(team=secret, kind="model", name="hush", by=admin), by=admin
    )
    actions.link_versions(version=hidden, relation="derived_from", origin=version, by=admin)
    with pytest.raises(InUse) as refused:
        actions.delete_version(version=version, by=by)
    assert "hush" not in str(refused.value.errors) + refused.value.detail
    assert "can't see" in refused.value.detail


def test_a_deleted_version_is_found_by_nobody_but_its_own_page(make_asset, make_version, by):
    asset = make_asset("dates")
    version = make_version(asset)
    make_version(asset)
    actions.delete_version(version=version, reason="wrong data", by=by)
    with pytest.raises(NotFound):
        reads.get_version(by, asset, 1)
    assert reads.get_version(by, asset, 1, gone=True).deleted_at
    assert list(Version.objects.visible_to(by).values_list("number", flat=True)) == [2]
    with pytest.raises(Invalid):
        actions.move_alias(asset=asset, name="x", version=version, by=by)
    with pytest.raises(NotFound):
        actions.set_tag(version=version, key="a", by=by)
    assert told("version.deleted").reason == "wrong data"
    actions.restore_version(version=version, by=by)
    assert reads.get_version(by, asset, 1).deleted_at is None


def test_the_event_of_a_deletion_says_where_the_version_was(make_asset, make_version, by):
    asset = make_asset("dates")
    first, second = make_version(asset), make_version(asset)
    for version in (first, second):
        actions.move_alias(asset=asset, name="candidate", version=version, by=by)
    actions.delete_version(version=first, by=by)
    assert told("version.deleted").after["was"] == ["candidate"]


def test_a_draft_is_discarded_and_not_deleted(make_asset, make_draft, by):
    with pytest.raises(Conflict) as refused:
        actions.delete_version(version=make_draft(make_asset()), by=by)
    assert refused.value.code == "version_is_draft"


def test_a_deleted_asset_gives_its_name_away_and_comes_back_under_another(make_asset, make_version, by):
    asset = make_asset("dates")
    actions.move_alias(asset=asset, name="candidate", version=make_version(asset), by=by)
    actions.delete_asset(asset=asset, by=by)
    with pytest.raises(NotFound):
        reads.get_asset(by, "model", "acme/dates")
    make_asset("dates")
    with pytest.raises(Conflict) as refused:
        actions.restore_asset(asset=asset, by=by)
    assert refused.value.code == "name_taken"
    restored = actions.restore_asset(asset=asset, name="old-dates", by=by)
    assert reads.resolve_alias(by, restored, "candidate").number == 1
    assert told("asset.restored").after == {"state": "live", "name": "acme/old-dates"}


# Purge


def test_after_the_grace_period_the_files_go_and_what_was_known_stays(make_asset, make_version, by):
    asset = make_asset("dates")
    shared = {"README.md": (CARD + "of the first").encode()}
    version, other = make_version(asset, model_files(**shared)), make_version(asset)
    own = version.files.get(path="README.md").blob_id
    config = version.files.get(path="config.json").blob_id
    actions.delete_version(version=version, by=by)
    assert purge_deleted() == 0
    age(version, 31)
    assert purge_deleted() == 1 and purge_deleted() == 0
    version.refresh_from_db()
    assert version.purged_at and version.digest and not version.files.exists()
    assert told("version.purged").after["digest"] == version.digest
    assert other.files.count() == 5 and Blob.objects.filter(pk=config).exists()
    with pytest.raises(Conflict):
        actions.restore_version(version=version, by=by)
    assert own != config


@pytest.mark.django_db(transaction=True)
def test_purged_bytes_are_gone_where_nothing_else_holds_them(make_asset, make_version, by):
    asset = make_asset("dates")
    version = make_version(asset, model_files(**{"README.md": (CARD + "alone").encode()}))
    own = version.files.get(path="README.md").blob_id
    actions.delete_version(version=version, by=by)
    age(version, 31)
    purge_deleted()
    assert not Blob.objects.filter(pk=own).exists() and not storage.exists(own)


def test_a_deleted_asset_is_purged_with_its_versions_drafts_too(make_asset, make_version, make_draft, by):
    asset = make_asset("dates")
    actions.move_alias(asset=asset, name="candidate", version=make_version(asset), by=by)
    make_draft(asset, {"README.md": CARD.encode()})
    actions.delete_asset(asset=asset, by=by)
    age(asset, 31)
    assert purge_deleted() == 2
    assert not File.objects.exists() and asset.versions.filter(purged_at=None).count() == 0
    with pytest.raises(Conflict):
        actions.restore_asset(asset=asset, by=by)


def test_purging_at_once_is_for_whoever_manages_the_team(make_asset, make_version, by, cast, actor):
    asset = make_asset("dates")
    version = make_version(asset)
    actions.delete_version(version=version, by=by)
    with pytest.raises(Forbidden) as refused:
        actions.purge_version(version=version, by=by)
    assert refused.value.permission == "team.manage"
    assert actions.purge_version(version=version, by=actor(cast.admin)) is True
    actions.delete_asset(asset=asset, by=by)
    asset.refresh_from_db()
    assert actions.purge_asset(asset=asset, by=actor(cast.admin)) == 0


def test_what_is_referred_to_after_all_keeps_its_bytes(make_asset, make_version, by):
    version = make_version(make_asset("dates"))
    actions.delete_version(version=version, by=by)
    child = make_version(make_asset("child"))
    Link.objects.create(version=child, relation="derived_from", origin=version)  # made at the same moment
    age(version, 31)
    assert purge_deleted() == 0 and version.files.exists()


# Lineage written at registration


def test_a_card_that_names_our_assets_links_to_them(make_asset, make_version, make_draft, by, cast, actor):
    data, base = make_version(make_asset("pairs", kind="dataset")), make_version(make_asset("base"))
    actions.move_alias(asset=base.asset, name="candidate", version=base, by=by)
    head = (
        "---\nlicense: mit\nbase_model: acme/base@candidate\ndatasets: ['acme/pairs:1', 'acme/pairs', 'squad']\n---\n"
    )
    version = make_version(make_asset("dates"), model_files(**{"README.md": (head + CARD[29:]).encode()}))
    assert {(link.relation, link.origin, link.origin_asset, link.origin_name) for link in version.origins.all()} == {
        ("derived_from", base, None, ""),
        ("trained_on", data, None, ""),
        ("trained_on", None, data.asset, ""),
        ("trained_on", None, None, "squad"),
    }
    assert AuditEvent.objects.filter(action="version.linked").count() == 4


def test_a_card_links_to_nothing_that_its_author_can_not_see(make_asset, make_version, cast, actor):
    from accounts.actions import create_team, grant_role
    from accounts.roles import Role

    admin = actor(cast.admin)
    secret = create_team(name="secret", title="Secret", by=admin)
    grant_role(user=cast.admin, role=Role.ADMIN, on=secret, by=admin)
    actions.create_asset(team=secret, kind="dataset", name="hush", by=actor(cast.admin))
    head = "---\nlicense: mit\ndatasets: [secret/hush]\n---\n"
    version = make_version(make_asset("dates"), model_files(**{"README.md": (head + CARD[29:]).encode()}))
    link = version.origins.get()
    assert link.origin_asset is None and link.origin_name == "secret/hush"


def test_an_adapter_says_so(make_asset, make_version, by):
    base = make_version(make_asset("base"))
    head = "---\nlicense: mit\nbase_model: acme/base:1\nbase_model_relation: adapter\n---\n"
    version = make_version(make_asset("dates"), model_files(**{"README.md": (head + CARD[29:]).encode()}))
    assert version.origins.get().relation == "adapter_of" and version.origins.get().origin == base


def test_a_link_names_one_origin_and_never_itself(make_asset, make_version, by):
    version = make_version(make_asset())
    with pytest.raises(Invalid):
        actions.link_versions(version=version, relation="derived_from", by=by)
    with pytest.raises(Invalid):
        actions.link_versions(version=version, relation="derived_from", origin=version, by=by)
    with pytest.raises(Invalid):
        actions.link_versions(version=version, relation="likes", origin_name="x", by=by)
    actions.link_versions(version=version, relation="copy_of", origin_name="hub/x", by=by)
    actions.link_versions(version=version, relation="copy_of", origin_name="hub/x", by=by)
    assert version.origins.count() == 1


# A deleted one and its successor of the same name


def test_a_grant_by_name_means_the_one_that_is_there(make_asset, cast, actor, by):
    from accounts.things import find

    gone = make_asset("dates")
    actions.delete_asset(asset=gone, by=by)
    there = make_asset("dates")
    assert find(by, cast.team, "dates", "model")[1] == there


def test_a_deleted_version_is_offered_nowhere(make_asset, make_version, by):
    from evaluation.reads import get_or_latest
    from serving.reads import choices

    asset = make_asset("dates")
    first, second = make_version(asset), make_version(asset)
    actions.delete_version(version=second, by=by)
    assert get_or_latest(by, asset, None) == first
    assert [choice.version for choice in choices(asset, "development", asked=2)] == [first]


def test_a_request_for_a_deployment_holds_the_model_and_its_name(make_asset, make_version, by, cast, actor):
    from governance.actions import create_policy
    from serving.actions import request_create

    create_policy(
        team=cast.team, kind="deployment", pattern="*", stage="staging", checks=[],
        reviews={"count": 1, "role": "reviewer"}, by=actor(cast.admin),
    )  # fmt: skip
    version = make_version(make_asset("dates"))
    request_create(team=cast.team, name="dep", version=version, stage="staging", by=actor(cast.dana))
    with pytest.raises(InUse) as refused:
        actions.delete_version(version=version, by=by)
    assert [one.kind for one in refused.value.references] == ["request"]
    with pytest.raises(Conflict):
        actions.rename_asset(asset=version.asset, name="days", by=by)
