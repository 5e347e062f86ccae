"""A restricted asset's bytes leave no door without an event; everybody else's cost nothing more."""

import pytest

from governance.ledger.models import AuditEvent
from registry import internal
from registry.models import Asset

from .conftest import model_files

FILE = "/api/v1/models/acme/dates/versions/1/files/config.json"


@pytest.fixture
def version(make_asset, make_version):
    return make_version(make_asset(restricted=True))


@pytest.fixture
def rows(make_asset, make_version):
    return make_version(make_asset("rows", "dataset", restricted=True))


def downloads():
    return list(AuditEvent.objects.filter(action="file.downloaded").order_by("id"))


def read(answer):
    return b"".join(answer.streaming_content)


def test_a_download_over_rest_says_who_took_which_file(version, cast, api):
    assert read(api(cast.victor).get(FILE)) == model_files()["config.json"]
    (event,) = downloads()
    assert (event.actor_email, event.via, event.team) == ("victor@example.com", "api", "acme")
    assert event.target_digest == version.digest
    assert event.subjects == [f"version:{version.pk}", f"model:{version.asset_id}"]
    assert event.after == {"path": "config.json"}


def test_a_part_of_a_file_is_a_download_and_no_bytes_are_none(version, cast, api):
    client = api(cast.victor)
    read(client.get(FILE, headers={"range": "bytes=0-3"}))
    etag = client.head(FILE)["ETag"]
    assert client.get(FILE, headers={"if-none-match": etag}).status_code == 304
    assert client.get(FILE, headers={"range": "bytes=99999-"}).status_code == 416
    (event,) = downloads()
    assert event.after["range"].startswith("bytes 0-3/")


def test_a_replicas_fetch_is_recorded_as_the_systems(version, client):
    sha256 = version.files.get(path="config.json").blob_id
    headers = {"authorization": f"Bearer {internal.sign(version)}"}
    read(client.get(f"/internal/files/{sha256}", headers=headers))
    (event,) = downloads()
    assert (event.actor_id, event.actor_name, event.via, event.address) == (None, "system", "replica", "127.0.0.1")
    assert event.after == {"path": "config.json"}


def test_an_unrestricted_twin_of_the_same_bytes_hides_nothing(make_asset, make_version, client):
    make_version(make_asset("open"))
    secret = make_version(make_asset("secret", restricted=True))
    sha256 = secret.files.get(path="config.json").blob_id
    read(client.get(f"/internal/files/{sha256}", headers={"authorization": f"Bearer {internal.sign(secret)}"}))
    assert [event.target_label for event in downloads()] == [str(secret)]


def test_rows_are_bytes_too(rows, cast, api, client_of):
    address = "/datasets/acme/rows/versions/1"
    assert api(cast.victor).get(f"/api/v1{address}/rows").json()["total"] == 1
    assert client_of(cast.victor).get(f"{address}/rows").status_code == 200
    assert client_of(cast.victor).get(address).status_code == 200
    assert [(event.via, event.after) for event in downloads()] == [
        (via, {"first_row": 1, "rows": 1}) for via in ("api", "ui", "ui")
    ]


def test_who_may_not_see_it_downloads_nothing(version, cast, api):
    assert api(cast.mallory).get(FILE).status_code == 404
    assert downloads() == []


def test_what_is_not_restricted_leaves_no_trace(make_asset, make_version, cast, api, client, django_assert_num_queries):
    version = make_version(make_asset())
    read(api(cast.victor).get(FILE))
    sha256 = version.files.get(path="config.json").blob_id
    with django_assert_num_queries(1):
        read(client.get(f"/internal/files/{sha256}", headers={"authorization": f"Bearer {internal.sign(version)}"}))
    assert downloads() == []


def test_whoever_edits_restricts_and_only_an_administrator_lifts_it(make_asset, cast, api, client_of):
    make_asset()
    alice, address = api(cast.alice), "/api/v1/models/acme/dates"
    assert alice.patch(address, {"restricted": True}).json()["restricted"] is True
    refused = alice.patch(address, {"restricted": False})
    assert (refused.status_code, refused.json()["permission"]) == (403, "policy.edit")
    page = client_of(cast.alice).post(
        "/models/acme/dates/settings", {"description": "Dates", "task": "text-generation"}
    )
    assert page.status_code == 302
    asset = Asset.objects.get(name="dates")
    assert (asset.restricted, asset.description) == (True, "Dates"), "an unticked box that is disabled lifts nothing"
    assert client_of(cast.admin).post("/models/acme/dates/settings", {"task": "text-generation"}).status_code == 302
    asset.refresh_from_db()
    assert not asset.restricted
    told = AuditEvent.objects.filter(action="asset.updated").order_by("id").values_list("text__before", "text__after")
    assert [after.get("restricted") for _, after in told] == [True, None, False]
