"""The doors to tags, descriptions, archive, bin, cards and past aliases."""

from datetime import UTC, datetime

import pytest

from registry import actions
from registry.models import AliasMove, Asset, Version
from tests.registry.conftest import CARD


@pytest.fixture
def client(cast, api):
    return api(cast.alice)


@pytest.fixture
def version(make_asset, make_version):
    return make_version(make_asset("dates"))


DATES = "/api/v1/models/acme/dates"


def test_tags_are_set_listed_filtered_and_removed(client, version):
    assert client.put(f"{DATES}/tags/owner", {"value": " ann "}).json() == {"key": "owner", "value": " ann "}
    assert client.put(f"{DATES}/versions/1/tags/a/b c", {}).status_code == 200
    assert client.get(f"{DATES}/versions/1/tags").json()["results"] == [{"key": "a/b c", "value": ""}]
    assert client.get(DATES).json()["tags"] == {"owner": " ann "}
    assert client.get(f"{DATES}/versions/1").json()["tags"] == {"a/b c": ""}
    assert [v["number"] for v in client.get(f"{DATES}/versions?tag=a/b+c").json()["results"]] == [1]
    assert client.get(f"{DATES}/versions?tag=other").json()["results"] == []
    assert len(client.get("/api/v1/models?tag=owner:+ann+").json()["results"]) == 1
    assert client.delete(f"{DATES}/tags/owner").status_code == 204
    assert client.delete(f"{DATES}/tags/owner").status_code == 404
    refused = client.put(f"{DATES}/tags/{'k' * 251}", {"value": ""})
    assert refused.status_code == 400 and "key" in refused.json()["errors"]


def test_the_quick_door_and_the_ordinary_one_show_the_same(client, version, cast, actor):
    by = actor(cast.alice)
    actions.move_alias(asset=version.asset, name="candidate", version=version, by=by)
    for key in ("z", "a"):
        actions.set_tag(version=version, key=key, value=f"of {key}", by=by)
    client.get(DATES)
    quick = client.get(f"{DATES}/aliases/candidate")
    ordinary = client.get(f"{DATES}/aliases/candidate?x=1")
    assert quick.content == ordinary.content and list(quick.json()["version"]["tags"]) == ["a", "z"]
    assert client.get(f"{DATES}/versions/1").content == client.get(f"{DATES}/versions/1?x=1").content


def test_a_rename_by_rest_leaves_nothing_at_the_old_address(client, version):
    assert client.patch(DATES, {"name": "days", "description": "Days"}).json()["name"] == "days"
    assert client.get(DATES).status_code == 404
    assert client.get("/api/v1/models/acme/days").json()["description"] == "Days"


def test_a_rename_that_is_refused_changes_nothing_else(client, version, make_asset):
    make_asset("taken")
    refused = client.patch(DATES, {"name": "taken", "description": "new"})
    assert refused.status_code == 409 and client.get(DATES).json()["description"] == ""


def test_a_version_is_described(client, version):
    assert client.patch(f"{DATES}/versions/1", {"description": "good"}).json()["description"] == "good"


def test_archived_ones_are_listed_when_asked_for(client, version):
    assert client.post(f"{DATES}/versions/1/archive", {"reason": "old"}).json()["archived_at"]
    assert client.get(f"{DATES}/versions").json()["results"] == []
    assert len(client.get(f"{DATES}/versions?archived=true").json()["results"]) == 1
    assert client.post(f"{DATES}/versions/1/restore").json()["archived_at"] is None
    assert client.post(f"{DATES}/archive").json()["archived_at"]
    assert client.get("/api/v1/models").json()["results"] == []
    assert len(client.get("/api/v1/models?archived=true").json()["results"]) == 1
    assert client.get(f"{DATES}/versions?archived=maybe").status_code == 400
    assert client.post(f"{DATES}/restore").json()["archived_at"] is None


def test_deleting_by_rest_goes_through_the_bin(client, version, cast, api):
    actions.move_alias(asset=version.asset, name="candidate", version=version, by=_actor(cast.alice))
    refused = client.delete(f"{DATES}/versions/1")
    assert refused.status_code == 409 and refused.json()["errors"]["references"] == [
        "alias 'candidate' (/models/acme/dates)"
    ]
    client.delete(f"{DATES}/aliases/candidate")
    assert client.delete(f"{DATES}/versions/1", {"reason": "wrong"}).status_code == 204
    assert client.get(f"{DATES}/versions/1").status_code == 404
    assert client.get(f"{DATES}/versions/1/files").status_code == 404
    assert client.get("/api/v1/bin/versions").json()["results"][0]["label"] == "acme/dates version 1"
    assert client.post(f"{DATES}/versions/1/restore").status_code == 200
    assert client.delete(DATES).status_code == 204
    (line,) = client.get("/api/v1/bin/assets").json()["results"]
    assert client.get(DATES).status_code == 404
    assert api(cast.victor).post(f"/api/v1/bin/assets/{line['id']}/restore").status_code == 404
    assert client.delete(f"/api/v1/bin/assets/{line['id']}").status_code == 403
    assert client.post(f"/api/v1/bin/assets/{line['id']}/restore", {"name": "back"}).json()["name"] == "back"
    client.delete("/api/v1/models/acme/back")
    assert api(cast.admin).delete(f"/api/v1/bin/assets/{line['id']}").status_code == 204
    assert client.get("/api/v1/bin/assets").json()["results"] == [] and Version.objects.get().purged_at


def _actor(user):
    from accounts.access import Actor

    return Actor(user)


def test_what_an_alias_was_on_a_day(client, version, cast):
    AliasMove.objects.create(
        asset=version.asset, name="production", after=version, request_id=12, reason="good", moved_by=cast.alice,
        moved_at=datetime(2026, 5, 3, 18, tzinfo=UTC),
    )  # fmt: skip
    day = client.get(f"{DATES}/aliases/production?at=2026-05-03").json()
    assert day == {
        "alias": "production", "at": "2026-05-03T23:59:59.999999Z", "number": 1, "digest": version.digest,
        "moved_at": "2026-05-03T18:00:00Z", "moved_by": "alice@example.com", "request": 12, "reason": "good", "until": None,
    }  # fmt: skip
    before = client.get(f"{DATES}/aliases/production?at=2026-05-03T12:00:00+02:00").json()
    assert (before["number"], before["moved_at"], before["until"]) == (None, None, "2026-05-03T18:00:00Z")
    assert client.get(f"{DATES}/aliases/other?at=2026-05-03").status_code == 404
    refused = client.get(f"{DATES}/aliases/production?at=May")
    assert refused.status_code == 400 and "at" in refused.json()["errors"]


def test_a_card_is_shown_as_fields_with_what_is_missing(client, make_asset, make_draft):
    make_draft(make_asset("dates"), {})
    card = client.put(f"{DATES}/versions/1/card", {"markdown": CARD}).json()
    assert card["card"]["licence"] == "apache-2.0" and card["card"]["limits"] == "English only."
    assert card["missing"] == []
    client.put(f"{DATES}/versions/1/card", {"markdown": "# Nothing said"})
    assert "licence" in client.get(f"{DATES}/versions/1/card").json()["missing"]


def test_the_card_of_a_registered_version_stays(client, version):
    assert client.put(f"{DATES}/versions/1/card", {"markdown": "x"}).status_code == 409
    assert Asset.objects.get().versions.get().card == CARD
