"""Pages of models and datasets: they show, they translate, and cost the same with one asset and with many."""

import io

import pytest
from django.contrib.auth.models import AnonymousUser

from registry import actions
from registry.models import Alias, Asset, Version


def queries_of(client, address, django_assert_max_num_queries=None):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client.get(address)  # the session and content types are warm then
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address)
    assert answer.status_code == 200, answer.content[:2000]
    return len(captured)


@pytest.fixture
def page_assets(make_asset, make_version, cast, actor):
    model = make_asset("dates")
    version = make_version(model)
    actions.move_alias(asset=model, name="candidate", version=version, by=actor(cast.alice))
    dataset = make_asset("pairs", kind="dataset")
    make_version(
        dataset,
        {"rows.jsonl": b'{"input": "a <b>", "expected": {"x": 1}}\n' * 120, "more.csv": b"input,expected\n1,2\n"},
    )
    return model, dataset


MODEL_PAGES = [
    "/models/",
    "/models/?q=da&alias=candidate&task=text-generation",
    "/models/?q=nothing-like-it",
    "/models/new",
    "/models/acme/dates",
    "/models/acme/dates/files",
    "/models/acme/dates/card",
    "/models/acme/dates/history",
    "/models/acme/dates/settings",
    "/models/acme/dates/versions/new",
    "/models/acme/dates/versions/1",
    "/models/acme/dates/compare?from=1&to=1",
    "/datasets/",
    "/datasets/new",
    "/datasets/acme/pairs",
    "/datasets/acme/pairs/versions/1",
    "/datasets/acme/pairs/versions/1/rows",
    "/datasets/acme/pairs/history",
]


@pytest.mark.parametrize("address", MODEL_PAGES)
def test_every_page_shows_to_a_contributor(address, page_assets, cast, client_of):
    answer = client_of(cast.alice).get(address)
    assert answer.status_code == 200, answer.content[:2000]


@pytest.mark.parametrize("address", [page for page in MODEL_PAGES if "acme" in page])
def test_an_outsider_finds_nothing_and_a_stranger_signs_in(address, page_assets, cast, client_of, client):
    assert client_of(cast.mallory).get(address).status_code == 404
    assert client.get(address).status_code == 302


def test_a_viewer_sees_no_buttons_that_change_things(page_assets, cast, client_of):
    text = client_of(cast.victor).get("/models/acme/dates").content.decode()
    assert "New version" not in text and "Move or add an alias" not in text
    text = client_of(cast.victor).get("/models/acme/dates/versions/1").content.decode()
    assert (
        "/requests/new?kind=model" not in text and "/deployments/new?" not in text and "/evaluations/new?" not in text
    )


def test_list_costs_the_same_with_many_assets(make_asset, make_version, cast, client_of, actor):
    client = client_of(cast.alice)
    make_version(make_asset("first"))
    few = queries_of(client, "/models/")
    rows = [
        Asset(
            team=cast.team,
            kind="model",
            name=f"m{n}",
            task="text-generation",
            created_by=cast.alice,
            updated_by=cast.alice,
        )
        for n in range(60)
    ]
    Asset.objects.bulk_create(rows)
    versions = Version.objects.bulk_create([Version(asset=row, number=1, created_by=cast.alice) for row in rows])
    Alias.objects.bulk_create(
        [Alias(asset=v.asset, name="staging", version=v, updated_by=cast.alice) for v in versions]
    )
    assert queries_of(client, "/models/") == few <= 14


def test_detail_costs_the_same_with_many_versions(make_asset, make_version, cast, client_of, actor):
    client = client_of(cast.alice)
    asset = make_asset("first")
    version = make_version(asset)
    actions.move_alias(asset=asset, name="candidate", version=version, by=actor(cast.alice))
    few = {page: queries_of(client, f"/models/acme/first{page}") for page in ("", "/history", "/versions/1")}
    for number in range(3):
        actions.move_alias(asset=asset, name=f"a{number}", version=make_version(asset), by=actor(cast.alice))
    for page, count in few.items():
        assert queries_of(client, f"/models/acme/first{page}") == count <= 22, page


def test_a_model_is_made_in_the_browser(cast, client_of, storage_root):
    client = client_of(cast.alice)
    answer = client.post("/models/new", {"name": "dates", "task": "text-generation", "description": "Dates"})
    assert answer.status_code == 302 and answer["Location"] == "/models/acme/dates"
    taken = client.post("/models/new", {"name": "dates", "task": "text-generation"})
    assert taken.status_code == 422 and b"This name is taken" in taken.content
    answer = client.post("/models/acme/dates/versions/new", {"message": "first"})
    assert answer["Location"] == "/models/acme/dates/versions/1"
    upload = io.BytesIO(b"{nope")
    upload.name = "config.json"
    answer = client.post("/models/acme/dates/versions/1/files", {"uploads": upload, "folder": ""})
    assert answer.status_code == 302, answer.context["upload"].errors
    wrong = io.BytesIO(b"x")
    wrong.name = "model."
    answer = client.post("/models/acme/dates/versions/1/files", {"uploads": wrong})
    assert answer.status_code == 400 and b"ends with a dot" in answer.content
    answer = client.post("/models/acme/dates/versions/1/register")
    assert answer.status_code == 400 and b"not JSON" in answer.content
    assert client.post("/models/acme/dates/versions/1/files/remove", {"path": "config.json"}).status_code == 302
    assert client.post("/models/acme/dates/versions/1/discard").status_code == 302
    assert not Version.objects.exists()


def test_a_protected_alias_leads_to_a_request(page_assets, cast, client_of):
    client = client_of(cast.alice)
    answer = client.post("/models/acme/dates/aliases", {"alias": "production", "version": 1, "reason": "it is good"})
    assert (
        answer.status_code == 302
        and answer["Location"].startswith("/requests/new?")
        and "reason=it+is+good" in answer["Location"]
    )
    assert client.post("/models/acme/dates/aliases", {"alias": "x", "version": 9}).status_code == 422
    assert client.post("/models/acme/dates/aliases", {"alias": "better", "version": 1}).status_code == 302
    assert client.post("/models/acme/dates/aliases/better/remove").status_code == 302
    assert not Alias.objects.filter(name="better").exists()


def test_pages_that_change_things_refuse_get(page_assets, cast, client_of):
    for address in (
        "/models/acme/dates/aliases",
        "/models/acme/dates/aliases/candidate/remove",
        "/models/acme/dates/versions/1/register",
        "/models/acme/dates/versions/1/discard",
        "/models/acme/dates/versions/1/files",
        "/models/acme/dates/versions/1/files/remove",
    ):
        assert client_of(cast.alice).get(address).status_code == 405, address


def test_rows_are_escaped_and_paged(page_assets, cast, client_of):
    client = client_of(cast.alice)
    first = client.get("/datasets/acme/pairs/versions/1/rows")
    assert b"a &lt;b&gt;" in first.content and first.context["row_count"] == 121
    second = client.get("/datasets/acme/pairs/versions/1/rows", {"cursor": first.context["next"]})
    assert second.context["first_row"] == 51
    assert client.get("/datasets/acme/pairs/versions/1/rows?cursor=nonsense").status_code == 400


def test_nobody_signed_in_changes_nothing(page_assets, client):
    assert AnonymousUser().is_authenticated is False
    answer = client.post("/models/acme/dates/aliases", {"alias": "x", "version": 1})
    assert answer.status_code == 302 and "/accounts/login/" in answer["Location"]
