"""Tags in place, archive, delete, the bin, and an alias on a day, in the browser."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from registry import actions, timelines
from registry.models import AliasMove, Asset, Version


@pytest.fixture
def version(make_asset, make_version):
    return make_version(make_asset("dates"))


@pytest.fixture
def client(cast, client_of):
    return client_of(cast.alice)


DATES = "/models/acme/dates"


def test_tags_change_in_place_and_without_javascript(client, version):
    answer = client.post(f"{DATES}/tags", {"key": "owner", "value": "ann"}, headers={"hx-request": "true"})
    assert answer.status_code == 200 and b"owner" in answer.content and b"<html" not in answer.content
    assert client.post(f"{DATES}/versions/1/tags", {"key": "checked"})["Location"] == f"{DATES}/versions/1"
    assert b"checked" in client.get(DATES).content and b"ann" in client.get(DATES).content
    assert b"No such versions" in client.get(f"{DATES}?tag=nothing").content
    wrong = client.post(f"{DATES}/tags", {"key": ""}, headers={"hx-request": "true"})
    assert b'role="alert"' in wrong.content
    client.post(f"{DATES}/tags", {"remove": "owner"})
    assert Asset.objects.get().tags.count() == 0


def test_a_viewer_sees_tags_and_no_form(client_of, cast, version, actor):
    actions.set_tag(version=version, key="checked", by=actor(cast.alice))
    text = client_of(cast.victor).get(f"{DATES}/versions/1").content.decode()
    assert "checked" in text and "tag-remove" not in text and "Archive or delete" not in text
    assert client_of(cast.victor).post(f"{DATES}/versions/1/tags", {"key": "x"}).status_code == 403


def test_a_description_is_written_on_the_page(client, version):
    client.post(f"{DATES}/versions/1/describe", {"description": "Good\r\nwith dates"})
    assert Version.objects.get().description == "Good\nwith dates"
    assert b"Good<br>with dates" in client.get(f"{DATES}/versions/1").content


def test_a_rename_leads_to_the_new_address(client, version, make_asset):
    make_asset("taken")
    assert client.post(f"{DATES}/rename", {"name": "taken"})["Location"] == f"{DATES}/settings"
    assert client.post(f"{DATES}/rename", {"name": "days"})["Location"] == "/models/acme/days/settings"
    assert client.get(DATES).status_code == 404


def test_archived_is_said_on_the_page_and_undone_in_a_click(client, version):
    client.post(f"{DATES}/archive")
    assert b"is archived" in client.get(DATES).content
    assert b"acme/</span><strong>dates" not in client.get("/models/").content
    assert b"dates" in client.get("/models/?archived=1").content
    client.post(f"{DATES}/restore")
    client.post(f"{DATES}/versions/1/archive")
    assert b"This version is archived" in client.get(f"{DATES}/versions/1").content
    assert b"Version 1" in client.get(f"{DATES}?archived=1").content
    assert client.post(f"{DATES}/versions/1/restore")["Location"] == f"{DATES}/versions/1"


def test_what_refers_is_shown_with_links(client, version, cast, actor):
    actions.move_alias(asset=version.asset, name="candidate", version=version, by=actor(cast.alice))
    answer = client.post(f"{DATES}/versions/1/delete")
    assert answer.status_code == 409 and b"Alias &#x27;candidate&#x27;" in answer.content
    assert b"Archive it instead" in answer.content


def test_a_deleted_version_keeps_a_page_that_says_so(client, version, cast, client_of):
    client.post(f"{DATES}/versions/1/delete")
    gone = client.get(f"{DATES}/versions/1")
    assert gone.status_code == 410 and b"was deleted" in gone.content and b"Restore" in gone.content
    assert b"Restore" not in client_of(cast.victor).get(f"{DATES}/versions/1").content
    assert b"acme/dates version 1" in client.get("/bin").content
    admin = client_of(cast.admin)
    assert b"Purge now" in admin.get("/bin").content and b"Purge now" not in client.get("/bin").content
    address = f"/bin/versions/{version.pk}/purge"
    admin.post(address, {"confirm": "something else"})
    assert Version.objects.get().purged_at is None
    admin.post(address, {"confirm": "acme/dates version 1"})
    assert b"files were purged on" in client.get(f"{DATES}/versions/1").content


def test_a_deleted_asset_is_restored_from_the_bin(client, version, make_asset, client_of, cast):
    assert client.post(f"{DATES}/delete")["Location"] == "/bin"
    make_asset("dates")
    assert b"acme/dates" in client.get("/bin").content
    assert b"acme/dates" not in client_of(cast.victor).get("/bin").content
    address = f"/bin/assets/{version.asset_id}/restore"
    assert client.post(address, {"name": "dates"})["Location"] == "/bin"
    assert client.post(address, {"name": "dates-2"})["Location"] == "/models/acme/dates-2"


def test_the_history_says_what_an_alias_was_on_a_day(client, version, cast):
    AliasMove.objects.create(
        asset=version.asset, name="production", after=version, request_id=12, moved_by=cast.alice,
        moved_at=datetime(2026, 5, 3, 18, tzinfo=UTC),
    )  # fmt: skip

    def said(query):
        text = client.get(f"{DATES}/history?{query}").content.decode()
        return " ".join(text[text.index('id="at-title"') :].split())

    assert "version 1</strong>" in said("alias=production&on=2026-05-03")
    assert 'href="/requests/12"' in said("alias=production&on=2026-06-01")
    assert "had never pointed anywhere" in said("alias=production&on=2026-05-02")
    assert "never had an alias" in said("alias=other&on=2026-05-02")
    assert "Use a date" in said("alias=production&on=tomorrow")


def test_bars_cover_the_time_between_moves(version, make_version, cast):
    second = make_version(version.asset)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    moves = [
        AliasMove(asset=version.asset, name="a", after=version, moved_at=start, moved_by=cast.alice),
        AliasMove(
            asset=version.asset,
            name="a",
            before=version,
            after=None,
            moved_at=start.replace(day=3),
            moved_by=cast.alice,
        ),
        AliasMove(asset=version.asset, name="a", after=second, moved_at=start.replace(day=6), moved_by=cast.alice),
        AliasMove(asset=version.asset, name="b", after=second, moved_at=start.replace(day=11), moved_by=cast.alice),
    ]
    for number, move in enumerate(moves):
        move.pk = number
    lines = timelines.lines(moves[::-1], start.replace(day=11))
    assert [(line.name, [(bar.version, bar.left, bar.width) for bar in line.bars]) for line in lines] == [
        ("a", [(1, 0.0, 20.0), (2, 50.0, 50.0)]),
        ("b", [(2, 100.0, 0.4)]),
    ]
    assert timelines.lines([], timezone.now()) == []


def test_the_bin_costs_the_same_with_many(client, version, make_asset, make_version, cast, actor):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def cost():
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/bin").status_code == 200
        return len(captured)

    by = actor(cast.alice)
    actions.delete_version(version=version, by=by)
    actions.delete_asset(asset=make_asset("gone"), by=by)
    cost()
    few = cost()
    now = timezone.now()
    rows = [
        Asset(
            team=cast.team, kind="model", name=f"gone-{n}", deleted_at=now, created_by=cast.alice, updated_by=cast.alice
        )
        for n in range(20)
    ]
    Asset.objects.bulk_create(rows)
    Version.objects.bulk_create(
        Version(asset=version.asset, number=n, created_by=cast.alice, deleted_at=now) for n in range(10, 30)
    )
    assert cost() == few <= 14
