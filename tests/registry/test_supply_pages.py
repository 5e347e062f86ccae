"""The supply chain on a version's page: live while something goes on, then what was found with its remedy."""

import pickle

import pytest

from registry.tasks import convert_waiting, scan, sign
from tests.registry.conftest import model_files

BASE = "/models/acme/dates/versions/1"


@pytest.fixture
def version(make_asset, make_version):
    return make_version(make_asset(), model_files(**{"weights.pt": pickle.dumps({"a": 1}), "key.md": b"a\n-----BEGIN PRIVATE KEY-----\n"}))  # fmt: skip


def test_the_section_asks_for_itself_until_all_is_known(version, cast, client_of):
    client = client_of(cast.victor)
    page = client.get(BASE).content.decode()
    assert "Waits for the scan" in page and f'hx-get="{BASE}/supply"' in page
    scan(version.pk)
    sign(version.pk)
    section = client.get(f"{BASE}/supply").content.decode()
    assert "hx-get" not in section
    assert "unsafe findings" in section and "key.md" in section and "line 2" in section and "Revoke it" in section
    assert "/signature" in section and "/bom" in section


def test_what_cannot_be_looked_into_is_unsafe_and_says_what_to_do(make_asset, make_version, cast, client_of, api):
    packed = {"a.7z": b"7z\xbc\xaf\x27\x1c", "b.rar": b"Rar!\x1a\x07", "c.jsonl.zst": b"\x28\xb5\x2f\xfd", "d.lz4": b"\x04\x22\x4d\x18"}  # fmt: skip
    version = make_version(make_asset(), model_files(**{name: head + bytes(50) for name, head in packed.items()}))
    scan(version.pk)
    page = client_of(cast.victor).get(f"{BASE}/supply").content.decode()
    found = api(cast.victor).get(f"/api/v1{BASE}/scan").json()
    told = {one["path"]: one["findings"] for one in found["files"] if one["path"] in packed}
    for (path, (finding,)), name in zip(sorted(told.items()), ("7z", "RAR", "zstd", "LZ4"), strict=True):
        assert finding["text"] == f"{name} can't be looked into here, so it counts as unsafe unopened."
        assert "upload the files in it, or pack them as .zip, .tar or .gz" in finding["remedy"]
        assert finding["level"] == "unsafe" and path in page and finding["remedy"] in page
    assert found["verdict"] == "unsafe" and len(told) == 4


def test_only_who_may_edit_sees_the_button_and_a_failure_says_why(version, cast, client_of):
    scan(version.pk)
    assert b"Convert to safetensors" not in client_of(cast.victor).get(BASE).content
    alice = client_of(cast.alice)
    assert b"Convert to safetensors" in alice.get(BASE).content
    assert alice.post(f"{BASE}/convert").status_code == 302
    assert b"Waits for a worker" in alice.get(BASE).content
    again = alice.post(f"{BASE}/convert")
    assert again.status_code == 409 and b"being converted already" in again.content
    assert convert_waiting() == 1
    page = alice.get(BASE).content.decode()
    assert "The conversion failed" in page and "Convert again" in page


def test_the_section_takes_the_same_queries_for_many_files(
    make_asset, make_version, cast, client_of, django_assert_max_num_queries
):
    client = client_of(cast.victor)
    extra = {f"part-{number}.txt": str(number).encode() for number in range(30)}
    version = make_version(make_asset(), model_files(**extra))
    scan(version.pk)
    sign(version.pk)
    client.get(f"{BASE}/supply")
    with django_assert_max_num_queries(14):
        client.get(f"{BASE}/supply")
