"""model.sig lies beside the files of a signed version, so that a snapshot verifies as it was downloaded."""

import subprocess
import sys

import pytest

from registry.models import Asset
from registry.tasks import sign

pytestmark = pytest.mark.django_db(transaction=True)
MADE = """
api.create_repo("acme/tiny")
api.upload_file(path_or_fileobj=b"# Hi\\n", path_in_repo="README.md", repo_id="acme/tiny")
"""


def test_a_snapshot_verifies_and_mirrors_without_its_signature(hub, cast, api, tmp_path):
    hub(cast.alice, MADE)
    version = Asset.objects.get(name="tiny").versions.get()
    assert hub(cast.alice, 'print(api.list_repo_files("acme/tiny"))').strip() == "['README.md']"
    sign(version.pk)
    said = hub(
        cast.victor,
        """
        print(sorted(api.list_repo_files("acme/tiny")))
        print(sorted(entry.path for entry in api.list_repo_tree("acme/tiny", expand=True)))
        print([entry.path for entry in api.get_paths_info("acme/tiny", ["model.sig", "nothing"])])
        snapshot_download("acme/tiny", local_dir="got")
        """,
    ).splitlines()
    assert said[:2] == ["['README.md', 'model.sig']"] * 2 and said[2] == "['model.sig']"
    (tmp_path / "key.pem").write_bytes(api(None).get("/api/v1/keys/model-signing").content)
    verify = [sys.executable, "-m", "model_signing", "verify", "key", "got", "--signature", "got/model.sig", "--public_key", "key.pem"]  # fmt: skip
    done = subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "got" / "README.md").write_text("# Other\n")
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True, check=False).returncode != 0
    hub(cast.alice, 'api.upload_folder(repo_id="acme/tiny", folder_path="got", delete_patterns="*")')
    newest = Asset.objects.get(name="tiny").versions.order_by("-number").first()
    assert (newest.number, [file.path for file in newest.files.all()]) == (2, ["README.md"])


def test_the_signature_of_a_gated_version_is_gated(hub, cast, api):
    hub(cast.alice, MADE)
    asset = Asset.objects.get(name="tiny")
    sign(asset.versions.get().pk)
    path = "/hf/acme/tiny/resolve/main/model.sig"
    client = api(cast.victor)
    assert client.head(path).status_code == client.get(path).status_code == 200
    assert client.head(path)["X-Repo-Commit"] == asset.versions.get().commit
    Asset.objects.update(gated=True)
    assert client.head(path).status_code == client.get(path).status_code == 403
