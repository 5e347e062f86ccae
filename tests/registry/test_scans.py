"""Versions in the sandbox: what it may reach, what is kept of a scan, and what becomes of one that goes wrong."""

import io
import pickle
import socket

import pytest

from accounts.access import Actor
from governance.models import Evidence
from registry import actions, confined
from registry.inspection.cards import licence, parse
from registry.models import BlobScan
from registry.scans import SCANNER, state_of
from registry.tasks import scan, scan_versions

CARD = b"---\nlicense: mit\nbase_model: acme/base\ndatasets: [acme/pairs]\n---\n# Intended use\n\nDates.\n"


@pytest.fixture
def register(cast, storage_root):
    """register(files) -> a registered version of a dataset."""
    by = Actor(cast.alice)
    made = []

    def make(files, name="pairs"):
        asset = made[0] if made else actions.create_asset(team=cast.team, kind="dataset", name=name, by=by)
        made[:] = [asset]
        version = actions.create_version(asset=asset, by=by)
        for path, content in {"data.jsonl": b'{"a": 1}\n', **files}.items():
            actions.add_file(version=version, path=path, stream=io.BytesIO(content), by=by)
        return actions.register_version(version=version, by=by)

    return make


def evidence():
    return list(Evidence.objects.filter(kind="scan").order_by("id"))


def test_a_registered_version_is_scanned_once(register):
    version = register({"README.md": CARD})
    assert state_of(version).state == "queued"
    assert scan_versions() == 1
    assert scan_versions() == 0
    (found,) = evidence()
    assert found.payload["verdict"] == "clean"
    assert found.payload["scanner"] == SCANNER
    assert state_of(version).state == "done"


def test_what_the_scan_finds_is_evidence_with_file_and_remedy(register):
    version = register({"weights.pkl": pickle.dumps({"a": 1}), "key.txt": b"x\n-----BEGIN PRIVATE KEY-----\n"})
    scan(version.pk)
    (found,) = evidence()
    assert found.payload["verdict"] == "unsafe"
    told = {one["path"]: one for one in found.payload["findings"]}
    assert told["key.txt"]["line"] == 2 and told["weights.pkl"]["remedy"]


def test_the_same_bytes_are_not_scanned_twice(register, monkeypatch):
    register({"README.md": CARD})
    scan_versions()
    runs = []
    monkeypatch.setattr(confined, "run", lambda *a, **k: runs.append(a) or pytest.fail("scanned again"))
    register({"COPY.md": CARD})
    assert scan_versions() == 1
    assert not runs and len(evidence()) == 2


def test_the_same_bytes_under_another_kind_of_name_are_read_anew(register):
    version = register({"notes.txt": b"print(1)"})
    scan(version.pk)
    assert state_of(version).verdict == "clean"
    other = register({"modeling.py": b"print(1)"})
    scan(other.pk)
    assert state_of(other).verdict == "unsafe"


def test_a_new_scanner_scans_everything_anew(register, monkeypatch):
    version = register({"README.md": CARD})
    scan_versions()
    BlobScan.objects.update(scanner="an older one")
    Evidence.objects.filter(kind="scan").update(payload={"verdict": "clean", "scanner": "an older one"})
    assert state_of(version).state == "queued"
    assert scan_versions() == 0
    assert scan_versions(every=True) == 1
    assert evidence()[-1].payload["scanner"] == SCANNER


def test_lost_bytes_are_an_error_that_is_tried_again(register, storage_root):
    version = register({"README.md": CARD})
    sha256 = version.files.get(path="README.md").blob_id
    place = storage_root / "blobs" / sha256[:2] / sha256
    content = place.read_bytes()
    place.unlink()
    scan(version.pk)
    assert evidence()[-1].payload["verdict"] == "error"
    place.write_bytes(content)
    assert scan_versions(every=True) == 1
    assert evidence()[-1].payload["verdict"] == "clean"


def test_a_scan_that_dies_is_an_error_of_that_file_alone(register, monkeypatch):
    limits = confined.Limits(memory=60 << 20)
    monkeypatch.setattr("registry.confined.Limits", lambda **_: limits)
    version = register({"README.md": CARD})
    scan(version.pk)
    payload = evidence()[-1].payload
    assert payload["verdict"] == "error" and "tried again" in payload["findings"][0]["text"]


PROBE = """
import os, socket, time
def attempt(request):
    for name, text in request["attempts"].items():
        try:
            yield {name: str(eval(text))}
        except BaseException as error:
            yield {name: type(error).__name__}
"""


@pytest.fixture
def probe(tmp_path, monkeypatch):
    """probe({name: expression}) -> ({name: what became of it in the sandbox}, outcome)."""
    package, own = tmp_path / "package", tmp_path / "own"
    package.mkdir()
    own.mkdir()
    (package / "probe.py").write_text(PROBE)
    monkeypatch.setattr("registry.confined.launch._PACKAGE", package)

    def run(limits=None, **attempts):
        started = confined.run("registry.probe:attempt", {"attempts": attempts}, folder=own, limits=limits)
        found = {name: text for answer in started for name, text in answer.items()}
        return found, started.outcome

    return run


def test_the_sandbox_reaches_no_network_no_secret_and_no_folder_but_its_own(probe, tmp_path, monkeypatch):
    monkeypatch.setenv("COUNTERSIGN_SECRET_KEY", "not for you")
    secret = tmp_path / "secrets.json"
    secret.write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as server:
        found, outcome = probe(
            tcp=f"socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)",
            environment="sorted(os.environ)",
            read=f"open({str(secret)!r}).read()",
            write=f"open({str(tmp_path / 'x')!r}, 'w')",
            own="open('mine', 'w').write('x')",
            parent="open(f'/proc/{os.getppid()}/environ').read()",
            kill="os.kill(os.getppid(), 0)",
            memory="len(bytearray(3 << 30))",
        )
    assert "SECRET" not in found["environment"]
    assert found["memory"] == "MemoryError" and found["own"] == "1"
    assert outcome.sandbox["network"] != "closed" or found["tcp"] in (
        "PermissionError",
        "OSError",
        "ConnectionRefusedError",
    )
    if outcome.sandbox["files"] == "own folder only":
        assert {found[name] for name in ("read", "write", "parent")} == {"PermissionError"}
        assert found["kill"] == "PermissionError"


def test_a_process_that_hangs_floods_or_computes_for_ever_is_ended(probe, monkeypatch):
    assert "longer than" in probe(confined.Limits(wall_s=1), hang="time.sleep(60)")[1].died
    assert "too long" in probe(confined.Limits(cpu_s=1), loop="[0 for _ in iter(int, 1)]")[1].died
    assert (
        probe(confined.Limits(file_bytes=1 << 16), fill="open('x', 'wb').write(bytes(1 << 20))")[0]["fill"] == "OSError"
    )
    monkeypatch.setattr("registry.confined.launch.MAX_ANSWERS", 10)
    assert "more than" in probe(flood="'x' * 100000")[1].died


def test_registration_deposits_the_card_and_the_newest_dataset(register):
    register({"README.md": CARD})
    second = register({"README.md": CARD, "more.jsonl": b'{"a": 2}\n'})
    card = Evidence.objects.filter(kind="card", subject_digest=second.digest).get()
    assert card.payload["licence"] == "mit"
    assert card.payload["fields"]["intended_use"] == "Dates."
    newest = Evidence.objects.filter(kind="dataset", label="acme/pairs").first()
    assert newest.payload == {"label": "acme/pairs", "version": 2, "digest": second.digest}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\nlicense: apache-2.0\n---\n", "apache-2.0"),
        ("---\nlicence: [MIT, BSD-3-Clause]\n---\n", "MIT AND BSD-3-Clause"),
        ("# Licence\n\nMIT.\n", "MIT"),
        ("# Licence\n\nAsk us, it depends.\n", ""),
        ("", ""),
    ],
)
def test_the_licence_is_read_off_the_card(text, expected):
    assert licence(parse(text)) == expected
