"""What registration and the scanner say of a version, as evidence."""

import io
import pickle

import pytest

from accounts.access import Actor
from governance.models import Evidence
from registry import actions
from registry.inspection.cards import licence, parse
from registry.scanning import SCANNER, scan
from registry.tasks import scan_versions

CARD = b"---\nlicense: mit\nbase_model: acme/base\ndatasets: [acme/pairs]\n---\n# Intended use\n\nDates.\n"


class Evil:
    def __reduce__(self):
        import os

        return os.system, ("true",)


@pytest.fixture
def register(cast):
    """register(files, kind) -> a registered version of a dataset, which takes any files beside its rows."""
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


def scans():
    return list(Evidence.objects.filter(kind="scan").order_by("id"))


def test_a_registered_version_is_scanned_once(register):
    register({"README.md": CARD})
    assert scan_versions() == 1
    assert scan_versions() == 0
    (found,) = scans()
    assert found.payload["verdict"] == "clean"
    assert found.payload["scanner"] == SCANNER


@pytest.fixture
def looked_at(monkeypatch):
    """looked_at({path: bytes}) -> what the scanner says; the door lets no pickle in, and this is what stands behind it."""

    def look(files):
        monkeypatch.setattr("registry.storage.open_blob", lambda sha256: io.BytesIO(files[sha256]))
        return scan([{"path": path, "sha256": path, "size": len(files[path])} for path in files]).as_json()

    return look


@pytest.mark.parametrize("name", ["weights.pkl", "weights.bin", "notes.txt", "model.safetensors"])
def test_code_in_a_pickle_is_found_whatever_its_name(looked_at, name):
    found = looked_at({name: pickle.dumps(Evil(), protocol=4)})
    assert found["verdict"] == "unsafe"
    assert found["findings"][0]["path"] == name
    assert "system" in found["findings"][0]["text"]


def test_code_in_an_old_pickle_without_a_mark_is_found_by_its_name(looked_at):
    assert looked_at({"w.pt": pickle.dumps(Evil(), protocol=0)})["verdict"] == "unsafe"


def test_source_that_would_be_trusted_is_unsafe(looked_at):
    assert looked_at({"modeling.py": b"print(1)"})["verdict"] == "unsafe"


def test_data_alone_is_clean(looked_at):
    files = {"rows.pkl": pickle.dumps({"a": [1, 2.0, "x"]}), "a.json": b"{}", "README.md": b"# Hello"}
    assert looked_at(files) == {"verdict": "clean", "findings": [], "notes": [], "scanner": SCANNER}


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
