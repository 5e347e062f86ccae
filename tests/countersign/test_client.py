"""The client's story over HTTP: push, pull, move, ask, approve, verify; and what goes wrong on the way."""

import json

import pytest

from countersign import ApprovalRequest, Conflict, Damaged, Forbidden, Invalid, NotFound, Unauthenticated, folders
from countersign.shapes import RemoteFile

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def model(client_for, cast, folder):
    model = client_for(cast.alice).model("acme/dates")
    model.create(task="text-generation")
    return model


def test_a_folder_goes_up_and_comes_down_the_same(model, folder, tmp_path):
    moved = []
    version = model.push(folder, message="first", progress=moved.append)
    assert version.number == 1 and version.is_registered and version.message == "first"
    assert sum(moved) == sum(file.size for file in folders.walk(folder))
    assert (
        folders.digest_of(model.files(1)) == version.digest == folders.digest_of(folders.hashed(folders.walk(folder)))
    )

    down = tmp_path / "down"
    assert model.pull("latest", down).number == 1
    assert folders.hashed(folders.walk(down)) == folders.hashed(folders.walk(folder))
    assert json.loads((down / folders.MARK).read_text())["digest"] == version.digest
    assert (down / "sub" / "notes ü.txt").read_text() == "deep"


def test_only_what_is_asked_for_comes_down_and_what_is_there_is_not_fetched_again(model, folder, tmp_path, monkeypatch):
    model.push(folder)
    down = tmp_path / "down"
    model.pull(1, down, only=["*.json"])
    assert {file.path for file in folders.walk(down)} == {"config.json", "tokenizer.json", "tokenizer_config.json"}
    (down / "config.json").write_text("{}")  # somebody changed it: it is fetched anew
    from countersign import transfer

    asked = []
    fetch = transfer._fetch
    monkeypatch.setattr(
        transfer,
        "_fetch",
        lambda http, address, file, *rest: (asked.append(file.path), fetch(http, address, file, *rest)),
    )
    model.pull(1, down, only=["*.json"])
    assert asked == ["config.json"]


def test_a_download_goes_on_where_it_stopped(model, folder, tmp_path):
    (folder / "big.bin").write_bytes(bytes(range(256)) * 4096)
    model.push(folder)
    big = next(one for one in model.files(1) if one.path == "big.bin")
    down = tmp_path / "down"
    down.mkdir()
    (down / f".big.bin.{big.sha256[:12]}.part").write_bytes((bytes(range(256)) * 4096)[:600_000])
    moved = []
    model.pull(1, down, only=["big.bin"], progress=moved.append)
    assert folders.sha256(down / "big.bin") == big.sha256 and sum(moved) == big.size and moved[0] == 600_000
    assert not list(down.glob(".*.part"))


def test_a_part_with_other_bytes_is_thrown_away(model, folder, tmp_path):
    model.push(folder)
    card = next(one for one in model.files(1) if one.path == "README.md")
    down = tmp_path / "down"
    down.mkdir()
    (down / f".README.md.{card.sha256[:12]}.part").write_bytes(b"x" * card.size)
    model.pull(1, down, only=["README.md"])
    assert folders.sha256(down / "README.md") == card.sha256


def test_a_push_that_broke_off_goes_on_in_its_draft(model, folder, monkeypatch):
    from countersign import transfer

    real = transfer._upload

    def break_off(http, version, file, *rest):
        if file.path == "model.safetensors":
            raise KeyboardInterrupt
        real(http, version, file, *rest)

    monkeypatch.setattr(transfer, "_upload", break_off)
    with pytest.raises(KeyboardInterrupt) as raised:
        model.push(folder, threads=1)
    assert "Draft 1 of acme/dates keeps what has arrived" in raised.value.__notes__[0]
    arrived = {one.path for one in model.files(1)}
    assert "config.json" in arrived and "model.safetensors" not in arrived
    sent = []
    monkeypatch.setattr(
        transfer,
        "_upload",
        lambda http, version, file, *rest: (sent.append(file.path), real(http, version, file, *rest)),
    )
    (folder / "README.md").unlink()
    assert model.push(folder, into=1).is_registered
    assert not arrived & set(sent) and "model.safetensors" in sent
    assert "README.md" not in {one.path for one in model.files(1)}


def test_a_large_file_goes_in_parts_and_only_the_missing_ones_go_again(model, folder, monkeypatch, tmp_path):
    from countersign import transfer, transport

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(transfer, "PARTS_FROM", 1 << 20)
    (folder / "big.bin").write_bytes(bytes(range(256)) * (40 << 12))  # 40 MiB: three parts
    put, sent = transport.Transport.send, []

    def send(self, method, path, **options):
        if "/parts/" in path:
            if len(sent) == 2:
                raise KeyboardInterrupt
            sent.append(path)
        return put(self, method, path, **options)

    monkeypatch.setattr(transport.Transport, "send", send)
    with pytest.raises(KeyboardInterrupt):
        model.push(folder, threads=1)
    first = sent[:]
    sent[:] = ["", "", ""]  # nothing breaks now
    version = model.push(folder, into=1, threads=1)
    again = [path for path in sent if path]
    assert version.is_registered and len(first) == 2 and len(again) == 1 and not set(first) & set(again)
    assert {one.path: one.sha256 for one in model.files(1)}["big.bin"] == folders.sha256(folder / "big.bin")
    sent[:] = ["", "", ""]
    model.push(folder)  # the team holds these bytes: none is sent
    assert sent == ["", "", ""]


def test_a_completion_that_takes_long_is_asked_for_again(model, folder, monkeypatch, tmp_path):
    from accounts.errors import Conflict
    from countersign import transfer, transport
    from countersign.errors import Unreachable
    from registry.actions import uploads

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(transfer, "PARTS_FROM", 1 << 20)
    (folder / "big.bin").write_bytes(bytes(2 << 20))
    real, post, asked = uploads.complete, transport.Transport.post, []

    def busy(*, upload):
        if len(asked) == 1:
            raise Conflict("It is being hashed.", code="part_in_flight")
        return real(upload=upload)

    def cut_off(self, path, body=None):
        if path.endswith("/complete"):
            asked.append(path)
            if len(asked) == 2:
                raise Unreachable("the answer stayed out")
        return post(self, path, body)

    monkeypatch.setattr(uploads, "complete", busy)
    monkeypatch.setattr(transport.Transport, "post", cut_off)
    assert model.push(folder, threads=1).is_registered and len(asked) == 3


def test_an_alias_that_is_protected_becomes_a_request_and_the_approval_can_be_verified(
    model, folder, client_for, cast, tmp_path
):
    version = model.push(folder)
    assert model.promote(1, "candidate").number == 1
    asked = model.promote(1, "production", reason="better on dates")
    assert isinstance(asked, ApprovalRequest) and asked.state == "open" and asked.link.endswith(f"/requests/{asked.id}")
    assert model.verify("candidate").checks[-1].passed is None

    bob = client_for(cast.bob)
    seal = bob.http.get(f"/requests/{asked.id}")["seal"]
    bob.http.post(f"/requests/{asked.id}/reviews", {"verdict": "approve", "comment": "fine", "seal": seal})
    assert model.client.wait_for(asked, every_s=0.1).state == "applied"
    assert model.version("production").digest == version.digest

    down = tmp_path / "down"
    model.pull("production", down)
    found = model.verify("production", down)
    assert found.passed and [check.name for check in found.checks] == ["files", "digest", "approval"]
    assert "approved by" in found.checks[-1].text and "the key that the site shows" in found.checks[-1].text

    (down / "config.json").write_text("{}")
    (down / "extra.txt").write_text("x")
    found = model.verify("production", down)
    assert not found.passed and "config.json has other bytes" in found.checks[0].text
    assert "extra.txt is not of this version" in found.checks[0].text

    other = b"""-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""
    refused = model.verify("production", keys=[other.decode()])
    assert not refused.passed and "none of the trusted keys" in refused.checks[-1].text


def test_an_approval_of_other_bytes_does_not_pass(model, folder, client_for, cast, monkeypatch):
    """A site that lets an alias point at bytes that nobody approved is found out."""
    from dataclasses import replace

    from countersign.client import Asset

    model.push(folder)
    asked = model.promote(1, "production")
    bob = client_for(cast.bob)
    bob.http.post(
        f"/requests/{asked.id}/reviews", {"verdict": "approve", "seal": bob.http.get(f"/requests/{asked.id}")["seal"]}
    )
    (folder / "config.json").write_text('{"model_type": "llama"}')
    second = model.push(folder)
    monkeypatch.setattr(Asset, "version", lambda self, at="latest": replace(second))
    found = model.verify("production")
    assert not found.passed and "other bytes" in found.checks[-1].text


def test_what_the_site_refuses_arrives_as_an_exception_with_the_remedy(model, folder, client_for, cast, site):
    with pytest.raises(Conflict):
        model.create()
    with pytest.raises(NotFound):
        model.version(7)
    with pytest.raises(NotFound):
        model.version()
    with pytest.raises(NotFound):
        model.client.model("elsewhere/dates").info()
    with pytest.raises(Forbidden) as raised:
        client_for(cast.victor).model("acme/dates").push(folder)
    assert "asset.edit" in str(raised.value)
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(Invalid) as raised:
        model.push(folder)
    assert "model.safetensors" in str(raised.value)
    from countersign import Client

    with pytest.raises(Unauthenticated), Client(site, "cs_no_such_key") as nobody:
        nobody.me()


@pytest.mark.parametrize("path", ["../evil", "/etc/passwd", "a/../../evil", "C:/x", "a\\b", ""])
def test_a_path_that_leads_out_of_the_folder_is_refused_before_anything_is_written(path, tmp_path):
    with pytest.raises(Damaged):
        folders.place_in(tmp_path, path)


def test_a_link_in_the_folder_that_leads_out_is_not_written_through(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "down").mkdir()
    (tmp_path / "down" / "sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Damaged):
        folders.place_in(tmp_path / "down", "sub/file")


def test_the_digest_is_the_sites(tmp_path):
    from governance.digests import digest_of

    files = [RemoteFile(path, size, "ab" * 32) for path, size in (('b/ü "q".txt', 3), ("a", 2**53 - 1), ("Z", 0))]
    manifest = [
        {"path": one.path, "sha256": one.sha256, "size": one.size} for one in sorted(files, key=lambda one: one.path)
    ]
    assert folders.digest_of(files) == digest_of({"files": manifest})
