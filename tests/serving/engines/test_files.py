"""Files come by digest, are verified, and survive bad servers, rot, and replicas that start together."""

import hashlib
import http.server
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from serving.engines import files
from serving.engines.errors import EngineError
from serving.engines.files import ManifestFile, manifest_digest, materialise, model_folder, parse_manifest

TOKEN = "the-token"


class Store:
    """A server of blobs that can misbehave."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.failures = 0
        self.requests: list[str] = []
        self.url = ""

    def add(self, path: str, data: bytes) -> ManifestFile:
        sha256 = hashlib.sha256(data).hexdigest()
        self.blobs[sha256] = data
        return ManifestFile(path, len(data), sha256)


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rsplit("/", 1)[1]
            made.requests.append(name)
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                self.send_error(401)
            elif made.failures:
                made.failures -= 1
                self.send_error(503)
            elif name not in made.blobs:
                self.send_error(404)
            else:
                self.send_response(200)
                self.send_header("Content-Length", str(len(made.blobs[name])))
                self.end_headers()
                self.wfile.write(made.blobs[name])

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_port}/internal/files/"
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "RETRY_DELAYS_S", (0.0, 0.0))


def fetch(store: Store, manifest: list[ManifestFile], cache: Path, **changes: Any) -> Path:
    settings = {"files_url": store.url, "token": TOKEN, "cache_dir": cache, "digest": manifest_digest(manifest)}
    return materialise(manifest, **(settings | changes))


def test_folder_holds_exactly_the_manifest(store: Store, tmp_path: Path) -> None:
    manifest = [store.add("config.json", b"{}"), store.add("deep/er/weights.bin", os.urandom(3_000_000))]
    folder = fetch(store, manifest, tmp_path)
    assert folder == model_folder(tmp_path, manifest_digest(manifest))
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found == {file.path: store.blobs[file.sha256] for file in manifest}


def test_second_start_fetches_nothing(store: Store, tmp_path: Path) -> None:
    manifest = [store.add("a", b"one"), store.add("b", b"two")]
    fetch(store, manifest, tmp_path)
    store.requests.clear()
    fetch(store, manifest, tmp_path)
    assert store.requests == []


def test_versions_share_their_blobs(store: Store, tmp_path: Path) -> None:
    shared = store.add("a", b"the same")
    fetch(store, [shared], tmp_path)
    store.requests.clear()
    other = fetch(store, [shared, store.add("b", b"more")], tmp_path)
    assert len(store.requests) == 1
    assert (other / "a").read_bytes() == b"the same"


def test_corrupted_cache_is_noticed_and_fetched_again(store: Store, tmp_path: Path) -> None:
    manifest = [store.add("weights", b"good bytes")]
    folder = fetch(store, manifest, tmp_path)
    (folder / "weights").chmod(0o600)
    (folder / "weights").write_bytes(b"evil bytes")
    assert (fetch(store, manifest, tmp_path) / "weights").read_bytes() == b"good bytes"


def test_strange_files_in_the_folder_are_removed(store: Store, tmp_path: Path) -> None:
    manifest = [store.add("a", b"one")]
    folder = fetch(store, manifest, tmp_path)
    (folder / "modeling_evil.py").write_text("boom")
    assert [p.name for p in fetch(store, manifest, tmp_path).iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("served", "said"),
    [
        (b"evil bytes", "expected sha256 .*, got "),
        (b"short", "expected 10 bytes, got 5"),
        (b"far too many bytes", "expected 10 bytes, got more"),
    ],
)
def test_wrong_bytes_are_refused(store: Store, tmp_path: Path, served: bytes, said: str) -> None:
    file = store.add("weights", b"good bytes")
    store.blobs[file.sha256] = served
    with pytest.raises(EngineError, match=f"weights: .*{said}"):
        fetch(store, [file], tmp_path)
    assert list((tmp_path / "blobs").iterdir()) == []
    assert not model_folder(tmp_path, manifest_digest([file])).exists()


def test_restarting_site_is_waited_for(store: Store, tmp_path: Path) -> None:
    store.failures = 2
    assert (fetch(store, [store.add("a", b"one")], tmp_path) / "a").read_bytes() == b"one"


def test_missing_file_and_wrong_token_say_so(store: Store, tmp_path: Path) -> None:
    missing = ManifestFile("gone.bin", 3, "0" * 64)
    with pytest.raises(EngineError, match=r"gone.bin: .* answered 404"):
        fetch(store, [missing], tmp_path)
    with pytest.raises(EngineError, match="answered 401"):
        fetch(store, [store.add("a", b"one")], tmp_path, token="another")


def test_unreachable_site_says_so(store: Store, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="a: cannot be fetched from http://127"):
        fetch(store, [store.add("a", b"one")], tmp_path, files_url="http://127.0.0.1:9/")


def test_manifest_of_another_digest_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="does not belong to the digest: expected sha256:00"):
        fetch(store, [store.add("a", b"one")], tmp_path, digest="sha256:" + "0" * 64)


def test_digest_does_not_depend_on_order() -> None:
    one, two = ManifestFile("a", 1, "a" * 64), ManifestFile("b", 2, "b" * 64)
    listed = [f'{{"path":"{file.path}","sha256":"{file.sha256}","size":{file.size}}}' for file in (one, two)]
    canonical = ('{"files":[' + ",".join(listed) + "]}").encode()
    assert manifest_digest([two, one]) == manifest_digest([one, two])
    assert manifest_digest([one, two]) == "sha256:" + hashlib.sha256(canonical).hexdigest()


def test_replicas_that_start_together_fetch_once(store: Store, tmp_path: Path) -> None:
    manifest = [store.add(f"part-{at}", os.urandom(200_000)) for at in range(5)]
    with ThreadPoolExecutor(8) as replicas:
        folders = list(replicas.map(lambda _: fetch(store, manifest, tmp_path), range(8)))
    assert len(set(folders)) == 1
    assert len(store.requests) == 5


def test_what_a_killed_replica_left_is_cleared(store: Store, tmp_path: Path) -> None:
    file = store.add("a", b"one")
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / f".{file.sha256}.dead.part").write_bytes(b"o")
    folder = fetch(store, [file], tmp_path)
    assert [p.name for p in (tmp_path / "blobs").iterdir()] == [file.sha256]
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../up", "a/../../up", "a//b", "./a", "a\\b", "a\0b", "a/", None])
def test_paths_that_lead_out_are_refused(path: Any) -> None:
    with pytest.raises(EngineError, match="is not a relative path"):
        parse_manifest([{"path": path, "size": 1, "sha256": "0" * 64}])


@pytest.mark.parametrize("change", [{"size": -1}, {"size": True}, {"size": "1"}, {"sha256": "A" * 64}, {"sha256": "0"}])
def test_bad_manifest_entries_are_named(change: dict[str, Any]) -> None:
    with pytest.raises(EngineError, match="manifest entry 'a'"):
        parse_manifest([{"path": "a", "size": 1, "sha256": "0" * 64} | change])


def test_paths_that_clash_are_refused() -> None:
    entry = {"size": 1, "sha256": "0" * 64}
    with pytest.raises(EngineError, match="twice"):
        parse_manifest([{"path": "a", **entry}, {"path": "a", **entry}])
    with pytest.raises(EngineError, match="both a file and a folder"):
        parse_manifest([{"path": "a", **entry}, {"path": "a/b", **entry}])
