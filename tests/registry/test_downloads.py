"""Downloads: ranges, ETags, harmless headers; and the replicas' door."""

import hashlib

import pytest

from registry import internal, storage

from .conftest import model_files

FILE = "/api/v1/models/acme/dates/versions/1/files/model.safetensors"
CONTENT = model_files()["model.safetensors"]
ETAG = f'"sha256:{hashlib.sha256(CONTENT).hexdigest()}"'


@pytest.fixture
def version(make_asset, make_version):
    return make_version(make_asset())


def body(answer):
    return b"".join(answer.streaming_content)


def test_the_whole_file(version, cast, api):
    answer = api(cast.victor).get(FILE)
    assert answer.status_code == 200 and body(answer) == CONTENT
    assert (
        answer["ETag"] == ETAG and answer["Accept-Ranges"] == "bytes" and answer["Content-Length"] == str(len(CONTENT))
    )
    assert answer["Content-Type"] == "application/octet-stream" and answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"].startswith('attachment; filename="model.safetensors"')


def test_any_accept_header_will_do(version, cast, api):
    assert api(cast.victor).get(FILE, headers={"Accept": "application/x-anything"}).status_code == 200


def test_head_has_the_headers_and_no_body(version, cast, api):
    answer = api(cast.victor).head(FILE)
    assert answer.status_code == 200 and answer["Content-Length"] == str(len(CONTENT)) and answer.content == b""


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=5-9", 5, 9),
        ("bytes=10-", 10, None),
        ("bytes=-4", -4, None),
        ("bytes=0-99999", 0, None),
    ],
)
def test_one_range(version, cast, api, asked, start, end):
    answer = api(cast.victor).get(FILE, headers={"Range": asked})
    wanted = CONTENT[start:] if end is None else CONTENT[start : end + 1]
    assert answer.status_code == 206 and body(answer) == wanted
    first = start if start >= 0 else len(CONTENT) + start
    assert answer["Content-Range"] == f"bytes {first}-{first + len(wanted) - 1}/{len(CONTENT)}"
    assert answer["Content-Length"] == str(len(wanted))


@pytest.mark.parametrize("asked", ["bytes=9-5", "bytes=0-1,3-4", "items=0-1", "bytes=-", "nonsense"])
def test_a_range_that_is_none_gives_the_whole_file(version, cast, api, asked):
    answer = api(cast.victor).get(FILE, headers={"Range": asked})
    assert answer.status_code == 200 and body(answer) == CONTENT


@pytest.mark.parametrize("asked", [f"bytes={len(CONTENT)}-", "bytes=-0", "bytes=99999999-100000000"])
def test_a_range_beyond_the_end(version, cast, api, asked):
    answer = api(cast.victor).get(FILE, headers={"Range": asked})
    assert answer.status_code == 416 and answer["Content-Range"] == f"bytes */{len(CONTENT)}"


def test_conditions(version, cast, api):
    client = api(cast.victor)
    for known in (ETAG, f"W/{ETAG}", f'"x", {ETAG}', "*"):
        assert client.get(FILE, headers={"If-None-Match": known}).status_code == 304
    assert client.get(FILE, headers={"If-None-Match": '"other"'}).status_code == 200
    assert client.get(FILE, headers={"Range": "bytes=0-1", "If-Range": ETAG}).status_code == 206
    assert client.get(FILE, headers={"Range": "bytes=0-1", "If-Range": '"other"'}).status_code == 200


def test_nothing_uploaded_is_ever_run_by_a_browser(make_asset, make_version, cast, api):
    files = model_files(**{"page.html": b"<script>alert(1)</script>", 'od"d\u00e9;.svg': b"<svg/>", "a.json": b"{}"})
    make_version(make_asset(), files)
    client = api(cast.victor)
    base = "/api/v1/models/acme/dates/versions/1/files/"
    page = client.get(base + "page.html")
    assert page["Content-Type"] == "application/octet-stream" and "sandbox" in page["Content-Security-Policy"]
    assert client.get(base + "a.json")["Content-Type"] == "text/plain; charset=utf-8"
    odd = client.get(base + "od%22d%C3%A9;.svg")
    assert odd["Content-Disposition"] == "attachment; filename=\"od_d__.svg\"; filename*=UTF-8''od%22d%C3%A9%3B.svg"


def test_bytes_that_are_gone_are_not_found(version, cast, api):
    storage.delete(hashlib.sha256(CONTENT).hexdigest())
    assert api(cast.victor).get(FILE).status_code == 404


def test_replicas_fetch_exactly_the_files_of_their_version(version, make_asset, make_version, client):
    other = make_version(make_asset("other"), model_files(**{"README.md": b"# other"}))
    token, sha256 = internal.sign(version), version.files.get(path="README.md").blob_id
    headers = {"Authorization": f"Bearer {token}"}
    answer = client.get(f"/internal/files/{sha256}", headers=headers)
    assert answer.status_code == 200 and hashlib.sha256(body(answer)).hexdigest() == sha256
    assert client.get(f"/internal/files/{sha256}", headers={**headers, "Range": "bytes=0-3"}).status_code == 206
    foreign = other.files.get(path="README.md").blob_id
    assert client.get(f"/internal/files/{foreign}", headers=headers).status_code == 404
    for bad in ("", "Bearer ", f"Bearer {token}x", f"Basic {token}", "Bearer sha256:0:x"):
        assert client.get(f"/internal/files/{sha256}", headers={"Authorization": bad}).status_code == 401
    assert client.post(f"/internal/files/{sha256}", headers=headers).status_code == 405


def test_a_draft_has_no_token(make_asset, make_draft):
    with pytest.raises(ValueError, match="draft"):
        internal.sign(make_draft(make_asset()))
