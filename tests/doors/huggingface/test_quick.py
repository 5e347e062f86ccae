"""The quick way to files: one statement, the same answer as the ordinary one, and no way around anything."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry import actions

NAMES = (
    "ETag",
    "X-Repo-Commit",
    "X-Linked-Etag",
    "X-Linked-Size",
    "Content-Length",
    "Content-Type",
    "Content-Range",
    "Accept-Ranges",
)


@pytest.fixture
def made(make_asset, make_draft, cast, actor):
    asset = make_asset("dates")
    version = actions.register_version(version=make_draft(asset), by=actor(cast.alice))
    return asset, version


def both(client, address, monkeypatch, **headers):
    """The answer the quick way and the ordinary one."""
    import doors.huggingface.hot

    quick = client.get(address, headers=headers)
    with monkeypatch.context() as patch:
        patch.setattr(doors.huggingface.hot, "answer", lambda request: None)
        slow = client.get(address, headers=headers)
    return quick, slow


@pytest.mark.parametrize("path", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("span", ["", "bytes=3-9"])
def test_both_ways_say_the_same(api, cast, made, monkeypatch, path, span):
    client, version = api(cast.victor), made[1]
    for revision in ("main", version.commit):
        get(client, f"/hf/acme/dates/resolve/{revision}/{path}")  # the first use of the key, and git's name of the file
        quick, slow = both(
            client, f"/hf/acme/dates/resolve/{revision}/{path}", monkeypatch, **({"Range": span} if span else {})
        )
        assert quick.status_code == slow.status_code == (206 if span else 200)
        assert b"".join(quick) == b"".join(slow)
        assert {name: quick.headers.get(name) for name in NAMES} == {name: slow.headers.get(name) for name in NAMES}


def test_it_takes_one_statement(api, cast, made):
    client = api(cast.victor)
    address = f"/hf/acme/dates/resolve/{made[1].commit}/config.json"
    get(client, address)
    with CaptureQueriesContext(connection) as queries:
        response = get(client, address)
    assert response.status_code == 200
    assert len(queries) == 0  # the one goes past Django's cursor


def get(client, address):
    """The answer, read to its end: one that is not keeps the test's connection from being closed in time."""
    response = client.get(address)
    if response.streaming:
        b"".join(response)
    return response


def test_it_is_no_way_around_anything(api, cast, made, actor):
    asset, version = made
    address = f"/hf/acme/dates/resolve/{version.commit}/config.json"
    viewer = api(cast.victor)
    assert get(viewer, address).status_code == get(viewer, address).status_code == 200
    assert get(api(cast.mallory), address).status_code == 404
    assert get(api(None), address).status_code == 401
    assert get(api(cast.victor, scopes=["invoke"]), address).status_code in (403, 404)
    actions.update_asset(asset=asset, gated=True, by=actor(cast.alice))
    refused = get(viewer, address)
    assert (refused.status_code, refused["X-Error-Code"]) == (403, "GatedRepo")
    actions.update_asset(asset=asset, gated=False, by=actor(cast.admin))
    assert get(viewer, address).status_code == 200
    draft = actions.create_version(asset=asset, by=actor(cast.alice))
    assert get(viewer, f"/hf/acme/dates/resolve/{draft.number}/config.json").status_code == 404
    actions.delete_asset(asset=asset, by=actor(cast.alice))
    gone = get(viewer, address)
    assert (gone.status_code, gone["X-Error-Code"]) == (404, "RepoNotFound")
