"""Every door of the REST API: by stranger, outsider, viewer and contributor; bad input changes nothing."""

import hashlib
import io

import pytest

from governance.ledger.models import AuditEvent
from registry.models import Asset, File, Version

from .conftest import model_files

JSON = "application/json"
BYTES = "application/octet-stream"
BASE = "/api/v1/models/acme/dates"
CHANGES = [
    ("post", "/api/v1/models", {"team": "acme", "name": "more", "task": "text-generation"}, 201),
    ("patch", BASE, {"description": "x"}, 200),
    ("post", f"{BASE}/versions", {"message": "x"}, 201),
    ("put", f"{BASE}/versions/2/files/x.txt", b"x", 201),
    ("delete", f"{BASE}/versions/2/files/config.json", None, 204),
    ("post", f"{BASE}/versions/2/register", {}, 200),
    ("delete", f"{BASE}/versions/2", None, 204),
    ("put", f"{BASE}/aliases/better", {"version": 1}, 200),
    ("delete", f"{BASE}/aliases/candidate", None, 204),
]
READS = [
    "/api/v1/models", BASE, f"{BASE}/versions", f"{BASE}/versions/1", f"{BASE}/versions/1/files", f"{BASE}/versions/1/files/config.json",
    f"{BASE}/aliases", f"{BASE}/aliases/candidate", f"{BASE}/aliases/candidate/history",
]  # fmt: skip


@pytest.fixture
def world(make_asset, make_version, make_draft, cast, actor):
    from registry import actions

    asset = make_asset()
    version = make_version(asset)
    make_draft(asset)
    actions.move_alias(asset=asset, name="candidate", version=version, by=actor(cast.alice))
    return asset


def call(client, method, path, body):
    if body is None:
        return getattr(client, method)(path)
    return getattr(client, method)(path, body, BYTES if isinstance(body, bytes) else JSON)


@pytest.mark.parametrize(("method", "path", "body", "wanted"), CHANGES)
def test_who_may_change(method, path, body, wanted, world, cast, api):
    told = AuditEvent.objects.exclude(action__startswith="key.").exclude(action="access.refused")
    before = told.count()
    assert call(api(None), method, path, body).status_code == 401
    assert call(api(cast.mallory), method, path, body).status_code == 404
    refused = call(api(cast.victor), method, path, body)
    assert refused.status_code == 403 and "asset." in refused.json()["permission"] + "asset."
    assert call(api(cast.alice, scopes=["read"]), method, path, body).status_code == 403
    assert told.count() == before
    assert AuditEvent.objects.filter(action="access.refused").count() == 2
    done = call(api(cast.alice, scopes=["write", "read"]), method, path, body)
    assert done.status_code == wanted, done.content


@pytest.mark.parametrize("path", READS)
def test_who_may_read(path, world, cast, api):
    assert api(None).get(path).status_code == 401
    answer = api(cast.mallory).get(path)
    assert answer.status_code == 404 or answer.json()["results"] == []
    for person in (cast.victor, cast.bob, cast.carol, cast.alice):
        assert api(person).get(path).status_code == 200


BAD = [
    ("post", "/api/v1/models", {"team": "acme", "name": "Bad Name", "task": "text-generation"}, 400, "name"),
    ("post", "/api/v1/models", {"team": "acme", "name": "dates", "task": "text-generation"}, 409, "name"),
    ("post", "/api/v1/models", {"team": "acme", "name": "x", "task": "magic"}, 400, "task"),
    ("post", "/api/v1/models", {"team": "nowhere", "name": "x", "task": "text-generation"}, 404, None),
    ("post", "/api/v1/models", b"{not json", 400, None),
    ("post", f"{BASE}/versions", {"source_run": "x"}, 400, "source_run"),
    ("put", f"{BASE}/versions/2/files/%2e%2e/x", b"x", 400, "path"),
    ("put", f"{BASE}/versions/2/files//etc/x", b"x", 400, "path"),
    ("put", f"{BASE}/versions/2/files/config.json/x", b"x", 400, "path"),
    ("put", f"{BASE}/versions/1/files/x.txt", b"x", 409, None),
    ("put", f"{BASE}/versions/9/files/x.txt", b"x", 404, None),
    ("put", f"{BASE}/versions/99999999999/files/x.txt", b"x", 404, None),
    ("delete", f"{BASE}/versions/2/files/none.txt", None, 404, None),
    ("post", f"{BASE}/versions/1/register", {}, 409, None),
    ("delete", f"{BASE}/versions/1", None, 409, None),
    ("put", f"{BASE}/aliases/latest", {"version": 1}, 400, "alias"),
    ("put", f"{BASE}/aliases/x", {"version": 2}, 400, "version"),
    ("put", f"{BASE}/aliases/x", {"version": 7}, 404, None),
    ("put", f"{BASE}/aliases/x", {"version": "one"}, 400, "version"),
    ("put", f"{BASE}/aliases/x", {}, 400, "version"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "field"), BAD)
def test_bad_input_is_named_and_changes_nothing(method, path, body, status, field, world, cast, api):
    client = api(cast.alice)
    counts = [model.objects.count() for model in (Asset, Version, File, AuditEvent)]
    answer = (
        getattr(client, method)(path, body, JSON)
        if body is not None and "/files/" not in path
        else call(client, method, path, body)
    )
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status and problem["detail"]
    if field:
        assert field in problem["errors"], problem
    assert counts == [model.objects.count() for model in (Asset, Version, File, AuditEvent)]


def test_uploads_that_are_not_what_they_say_leave_nothing(world, cast, api, settings, storage_root):
    client = api(cast.alice)
    address = f"{BASE}/versions/2/files/notes.txt"
    stored = sorted(path.name for path in storage_root.rglob("*"))

    def refused(status, words, content=b"0123456789", **headers):
        body = {"wsgi.input": io.BytesIO(content)}  # the test client's own refuses to end early
        answer = client.put(address, content, BYTES, headers=headers.pop("headers", None), **headers, **body)
        assert answer.status_code == status and words in answer.json()["detail"], answer.content
        assert sorted(path.name for path in storage_root.rglob("*")) == stored

    refused(400, "11 bytes were announced, 10 arrived", CONTENT_LENGTH=11)
    refused(400, "have the SHA-256", headers={"X-Content-SHA256": "0" * 64})
    refused(400, "64 hexadecimal digits", headers={"X-Content-SHA256": "nonsense"})
    refused(411, "X-Content-SHA256", headers={"Transfer-Encoding": "chunked"})
    settings.MAX_FILE_BYTES = 5
    refused(413, "at most 5 bytes")


def test_an_upload_with_its_checksum_may_come_in_chunks(world, cast, api):
    content = b"in chunks"
    headers = {"X-Content-SHA256": hashlib.sha256(content).hexdigest(), "Transfer-Encoding": "chunked"}
    body = {"wsgi.input": io.BytesIO(content), "CONTENT_LENGTH": ""}
    answer = api(cast.alice).put(f"{BASE}/versions/2/files/n.txt", content, BYTES, headers=headers, **body)
    assert answer.status_code == 201 and answer.json()["size"] == len(content)


def test_a_signed_in_session_works_with_the_csrf_token_and_not_without(world, cast):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    address = f"{BASE}/versions/2/files/n.txt"
    assert client.put(address, b"x", BYTES).status_code == 403
    client.get("/models/acme/dates/versions/2")
    token = next(cookie.value for name, cookie in client.cookies.items() if "csrf" in name)
    assert client.put(address, b"x", BYTES, headers={"X-CSRFToken": token}).status_code == 201


def test_rows_are_paged(make_asset, make_version, cast, api, storage_root):
    make_version(make_asset("pairs", kind="dataset"), {"r.jsonl": b"".join(b'{"n": %d}\n' % n for n in range(120))})
    client, seen, cursor = api(cast.victor), [], ""
    while cursor is not None:
        page = client.get("/api/v1/datasets/acme/pairs/versions/1/rows", {"limit": 50, "cursor": cursor}).json()
        assert page["total"] == 120
        seen += [row["n"] for row in page["results"]]
        cursor = page["next"]
    assert seen == list(range(120))


def test_lists_are_paged_by_keyset_and_filtered(make_asset, cast, api, storage_root):
    for number in range(5):
        make_asset(f"m{number}", description="even" if number % 2 == 0 else "odd")
    client = api(cast.victor)
    first = client.get("/api/v1/models?limit=2").json()
    second = client.get("/api/v1/models", {"limit": 2, "cursor": first["next"]}).json()
    assert [row["name"] for row in first["results"] + second["results"]] == ["m4", "m3", "m2", "m1"]
    assert len(client.get("/api/v1/models?search=even").json()["results"]) == 3
    assert client.get("/api/v1/models?team=other").json()["results"] == []
    assert client.get("/api/v1/models?cursor=x").status_code == 400
    assert client.get("/api/v1/models?limit=0").status_code == 400


def test_files_of_a_version_are_listed_with_their_hashes(world, cast, api):
    listed = {row["path"]: row["sha256"] for row in api(cast.victor).get(f"{BASE}/versions/1/files").json()["results"]}
    assert listed == {path: hashlib.sha256(content).hexdigest() for path, content in model_files().items()}
