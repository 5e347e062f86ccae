"""Tags: set and taken away at any time, told in the ledger, found through an index."""

import pytest
from django.db import connection

from accounts.errors import Forbidden, Invalid, NotFound
from governance.ledger.models import AuditEvent
from registry import actions, reads, search
from registry.models import AssetTag, Version, VersionTag
from registry.search.queries import matching


def events(action):
    return AuditEvent.objects.filter(action=action)


def test_a_tag_of_an_asset_is_set_changed_and_removed_with_an_event_each(make_asset, cast, actor):
    asset, by = make_asset(), actor(cast.alice)
    actions.set_tag(asset=asset, key="owner", value="ann", by=by)
    actions.set_tag(asset=asset, key="owner", value="ben", by=by)
    actions.set_tag(asset=asset, key="owner", value="ben", by=by)  # twice is once
    assert asset.tags.get().value == "ben"
    assert [e.text.after for e in events("asset.tag_set").order_by("id")] == [
        {"key": "owner", "value": "ann"},
        {"key": "owner", "value": "ben"},
    ]
    actions.delete_tag(asset=asset, key="owner", by=by)
    assert not asset.tags.exists() and events("asset.tag_removed").count() == 1
    with pytest.raises(NotFound):
        actions.delete_tag(asset=asset, key="owner", by=by)


def test_a_registered_version_takes_tags(make_asset, make_version, cast, actor):
    version = make_version(make_asset())
    actions.set_tag(version=version, key="validated", by=actor(cast.alice))
    assert str(version.tags.get()) == "validated"
    told = events("version.tag_set").get()
    assert f"version:{version.pk}" in told.subjects and f"model:{version.asset_id}" in told.subjects


@pytest.mark.parametrize("key", ["", " a", "a ", "a\0b", "k" * 251])
def test_a_key_that_is_none_is_refused(key, make_asset, cast, actor):
    with pytest.raises(Invalid) as refused:
        actions.set_tag(asset=make_asset(), key=key, by=actor(cast.alice))
    assert "key" in refused.value.errors


def test_values_go_to_100_000_characters_and_the_event_repeats_their_beginning(make_asset, cast, actor):
    asset, by = make_asset(), actor(cast.alice)
    actions.set_tag(asset=asset, key="long", value="x" * 100_000, by=by)
    assert len(events("asset.tag_set").get().text.after["value"]) < 400
    with pytest.raises(Invalid):
        actions.set_tag(asset=asset, key="long", value="x" * 100_001, by=by)


def test_a_viewer_sets_no_tags(make_asset, make_version, cast, actor):
    version = make_version(make_asset())
    with pytest.raises(Forbidden):
        actions.set_tag(version=version, key="a", by=actor(cast.victor))
    with pytest.raises(Forbidden):
        actions.delete_tag(asset=version.asset, key="a", by=actor(cast.victor))


def test_a_filter_by_tag_reads_key_and_value_with_colons_in_either(make_asset, cast, actor):
    by = actor(cast.alice)
    for name, key, value in (("a", "license:mit", ""), ("b", "license", "mit"), ("c", "license", "apache:2")):
        actions.set_tag(asset=make_asset(name), key=key, value=value, by=by)

    def found(*tags):
        return sorted(a.name for a in matching(reads.visible_assets(by, "model"), search.Query(tag=tuple(tags))))

    assert found("license:mit") == ["a", "b"]
    assert found("license") == ["b", "c"]
    assert found("license:apache:2") == ["c"]
    assert found("license", "license:mit") == ["b"]


def test_search_by_tag_over_many_versions_is_an_index_scan(make_asset, cast):
    asset = make_asset()
    rows = Version.objects.bulk_create(Version(asset=asset, number=n, created_by=cast.alice) for n in range(1, 5001))
    VersionTag.objects.bulk_create(VersionTag(version=v, key="run", value=f"r{v.number}" + "y" * 300) for v in rows)
    wanted = reads.tags_saying(VersionTag, "run", "r77" + "y" * 300)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE registry_versiontag")
    assert "version_tag_by_value" in wanted.order_by().explain()
    assert [tag.version.number for tag in wanted] == [77]
    assert AssetTag._meta.indexes[0].name == "asset_tag_by_value"
