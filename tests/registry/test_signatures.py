"""Signatures: the unmodified tool verifies what was downloaded, and notices what was changed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from governance.models import Evidence
from registry.actions.signing import current_signing_key, rotate_signing_key, sign_version
from registry.models import ModelSigningKey, VersionSignature
from registry.tasks import sign, sign_versions
from tests.registry.conftest import model_files

BASE = "/api/v1/models/acme/dates/versions/1"


@pytest.fixture
def signed(make_asset, make_version):
    files = model_files(**{".gitattributes": b"* text\n", "sub/extra.txt": b"x"})
    version = make_version(make_asset(), files)
    sign(version.pk)
    return version, files


def download(folder, files, client):
    """What a client has after fetching everything."""
    for path in files:
        place = folder / "model" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"".join(client.get(f"{BASE}/files/{path}")))
    (folder / "model" / "model.sig").write_bytes(client.get(f"{BASE}/signature").content)
    (folder / "key.pem").write_bytes(client.get("/api/v1/keys/model-signing").content)


def verify(folder):
    command = [
        sys.executable, "-m", "model_signing", "verify", "key", str(folder / "model"),
        "--signature", str(folder / "model" / "model.sig"), "--public_key", str(folder / "key.pem"),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_public_tool_verifies_a_download_and_refuses_a_changed_one(signed, cast, api, tmp_path):
    _, files = signed
    download(tmp_path, files, api(cast.victor))
    fine = verify(tmp_path)
    assert fine.returncode == 0, fine.stderr + fine.stdout
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    changed = verify(tmp_path)
    assert changed.returncode != 0 and "model.safetensors" in changed.stdout + changed.stderr
    weights.write_bytes(files["model.safetensors"])
    (tmp_path / "model" / "backdoor.py").write_text("evil")
    assert verify(tmp_path).returncode != 0


def test_the_bundle_is_an_in_toto_statement_about_every_file(signed, cast, api):
    import base64

    bundle = json.loads(api(cast.victor).get(f"{BASE}/signature").content)
    assert bundle["mediaType"].startswith("application/vnd.dev.sigstore.bundle")
    payload = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    assert payload["_type"] == "https://in-toto.io/Statement/v1"
    named = {one["name"]: one["digest"] for one in payload["predicate"]["resources"]}
    held = dict(signed[0].files.values_list("path", "blob_id"))
    held.pop(".gitattributes")
    assert named == held


def test_signing_twice_is_once_and_a_draft_is_not_signed(signed, make_draft, superuser_connection):
    version, _ = signed
    before = VersionSignature.objects.get(version=version).bundle
    assert not sign_version(version=version)
    assert sign_versions() == 0
    assert VersionSignature.objects.get(version=version).bundle == before
    assert not sign_version(version=make_draft(version.asset))


def test_a_rotated_key_signs_what_is_new_and_the_old_public_one_stays(signed, make_version, cast, api):
    version, _ = signed
    old = current_signing_key()
    new = rotate_signing_key(reason="a new year")
    old.refresh_from_db()
    assert old.private_sealed == "" and old.retired_at
    second = make_version(version.asset)
    sign(second.pk)
    assert second.signature.key == new and version.signature.key == old
    client = api(None)
    assert client.get("/api/v1/keys/model-signing").content.decode() == new.public_pem
    address = f"/api/v1/keys/model-signing?fingerprint={old.fingerprint}"
    assert client.get(address).content.decode() == old.public_pem
    assert client.get("/api/v1/keys/model-signing?fingerprint=none").status_code == 404


def test_the_private_key_is_kept_encrypted(signed):
    assert "PRIVATE" not in ModelSigningKey.objects.get().private_sealed
    assert Path(__file__).exists() and not Evidence.objects.filter(payload__icontains="PRIVATE KEY").exists()


def test_a_version_that_is_not_signed_yet_says_so(make_asset, make_version, cast, api):
    make_version(make_asset())
    answer = api(cast.victor).get(f"{BASE}/signature")
    assert answer.status_code == 404 and "not signed yet" in answer.json()["detail"]
