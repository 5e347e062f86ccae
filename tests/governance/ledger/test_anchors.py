"""Checkpoints left outside: in files, and with a real timestamp service made of openssl; and the change of keys."""

import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.core.management import CommandError, call_command

from governance.ledger import anchors, keys, notes, sealer
from governance.ledger.models import Anchor, AuditEvent, Checkpoint, SigningKey

pytestmark = pytest.mark.django_db(transaction=True)
CONFIGURATION = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[stamper]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/stamper.pem
signer_key = {folder}/stamper.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A timestamp authority: a root, a stamper, and openssl that answers."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the timestamp authority of this test")
    folder = tmp_path_factory.mktemp("tsa")

    def openssl(*arguments, data=None):
        done = subprocess.run(["openssl", *map(str, arguments)], cwd=folder, input=data, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    for name in ("root", "stamper"):
        (folder / f"{name}.cnf").write_text(CONFIGURATION.format(name=name, folder=folder))
        openssl(
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-config",
            f"{name}.cnf",
        )
    (folder / "serial").write_text("01")
    extensions = ("-extfile", "root.cnf", "-extensions")
    openssl(
        "x509", "-req", "-in", "root.csr", "-signkey", "root.key", "-out", "root.pem", "-days", 30, *extensions, "root"
    )
    openssl(
        "x509", "-req", "-in", "stamper.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-out", "stamper.pem",
        "-days", 20, *extensions, "stamper",
    )  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        broken = False

        def do_POST(self):
            query = self.rfile.read(int(self.headers["Content-Length"]))
            (folder / "query").write_bytes(query if not self.broken else query[:-1])
            done = subprocess.run(
                ["openssl", "ts", "-reply", "-config", "root.cnf", "-queryfile", "query"],
                cwd=folder,
                capture_output=True,
            )
            self.send_response(500 if self.broken else 200)
            self.end_headers()
            self.wfile.write(done.stdout)

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", folder, Handler
    server.shutdown()


def test_a_checkpoint_is_stamped_by_a_timestamp_service_and_the_receipt_verifies_with_openssl(
    sealed, authority, settings, tmp_path, api, cast
):
    url, folder, _ = authority
    settings.LEDGER_TSA_URL, settings.LEDGER_TSA_CERTIFICATES = url, str(folder / "root.pem")
    assert anchors.anchor() == 1, Anchor.objects.get().error
    assert anchors.anchor() == 0
    receipt = Anchor.objects.get()
    checkpoint = Checkpoint.objects.order_by("-tree_size")[0]
    assert (receipt.tree_size, receipt.error) == (checkpoint.tree_size, "")
    (tmp_path / "note").write_text(checkpoint.note)
    (tmp_path / "receipt").write_bytes(receipt.receipt)
    done = subprocess.run(
        ["openssl", "ts", "-verify", "-data", tmp_path / "note", "-in", tmp_path / "receipt", "-CAfile", folder / "root.pem"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "Verification: OK" in done.stdout + done.stderr
    shown = api(cast.carol).get("/api/v1/ledger/status").json()["anchors"]
    assert shown[0]["tree_size"] == checkpoint.tree_size and shown[0]["error"] == ""


def test_a_failing_service_is_shown_tried_again_and_stops_nothing(sealed, authority, settings, act, api, cast):
    url, folder, handler = authority
    settings.LEDGER_TSA_URL, settings.LEDGER_ANCHOR_EVERY_S = url, 0
    assert anchors.anchor() == 0
    assert "LEDGER_TSA_CERTIFICATES" in api(cast.carol).get("/api/v1/ledger/status").json()["anchors"][0]["error"]
    settings.LEDGER_TSA_CERTIFICATES = str(folder / "root.pem")
    handler.broken = True
    try:
        assert anchors.anchor() == 0
    finally:
        handler.broken = False
    assert "can't be reached" in Anchor.objects.order_by("-id")[0].error
    act()
    assert sealer.seal() > 0
    assert anchors.anchor() == 1
    settings.LEDGER_ANCHOR_EVERY_S = 3600
    act()
    sealer.seal()
    assert anchors.anchor() == 0, "not before its time"


def test_a_stamp_of_an_authority_that_is_not_trusted_is_refused(sealed, authority, settings, tmp_path):
    url, _folder, _handler = authority
    other = tmp_path / "other.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "k", "-out", other, "-subj", "/CN=o"],
        check=True, capture_output=True,
    )  # fmt: skip
    settings.LEDGER_TSA_URL, settings.LEDGER_TSA_CERTIFICATES = url, str(other)
    assert anchors.anchor() == 0
    assert "does not verify" in Anchor.objects.get().error


def test_checkpoints_are_kept_in_a_file_or_a_folder_and_serve_the_verifier(sealed, settings, tmp_path, act, offline):
    settings.LEDGER_ANCHOR_EVERY_S = 0
    file, folder = tmp_path / "checkpoints", tmp_path / "folder"
    folder.mkdir()
    for place in (file, folder):
        settings.LEDGER_ANCHOR_PATH = str(place)
        anchors.anchor()
        act()
        sealer.seal()
        anchors.anchor()
    assert len(list(folder.iterdir())) == 2
    assert file.read_text().count("— ") == 2
    assert offline("--previous", file, "--previous", sorted(folder.iterdir())[0]).status == 0
    settings.LEDGER_ANCHOR_PATH = str(tmp_path / "no" / "such" / "place")
    assert anchors.anchor() == 0
    assert "No such file" in Anchor.objects.order_by("-id")[0].error


def test_a_new_key_is_endorsed_by_the_old_one_and_both_verify(sealed, settings, act, offline, capsys, tmp_path):
    old = json.loads(offline.body("keys"))[0]["text"]
    secrets = tmp_path / "secrets.json"
    secrets.write_text('{"other": 1}')
    call_command("rotate_ledger_key", reason="Yearly.", secrets=secrets)
    act()
    with pytest.raises(keys.KeyUnknown, match="not the ledger's current key"):
        sealer.seal()
    kept = json.loads(secrets.read_text())
    settings.SIGNING_SEED = kept["signing_seed"]
    assert kept["other"] == 1
    assert sealer.seal() > 1
    assert AuditEvent.objects.get(action="ledger_key.rotated").text.reason == "Yearly."
    first, second = SigningKey.objects.order_by("pk")
    assert notes.is_signed(second.endorsement, keys.public(first)) and notes.is_signed(
        second.endorsement, keys.public(second)
    )
    assert offline().status == 0
    listed = tmp_path / "keys.json"
    assert offline("--keys", listed, key=old).status == 0, "whom the trusted key hands over to is trusted"
    assert "no key that you trust" in offline(key=old).said
    call_command("rotate_ledger_key")
    assert "COUNTERSIGN_SIGNING_SEED=" in capsys.readouterr().out
    with pytest.raises(CommandError, match="not the ledger's current key"):
        call_command("rotate_ledger_key")


def test_a_retired_key_signs_nothing_new(sealed, settings, act, offline, forge):
    old_seed = settings.SIGNING_SEED
    settings.SIGNING_SEED = keys.rotate(reason="Stolen.")
    act(2)
    sealer.seal()
    last = Checkpoint.objects.order_by("-tree_size")[0]
    settings.SIGNING_SEED = old_seed
    forged = notes.sign(notes.checkpoint_text(SigningKey.objects.first().name, last.tree_size, bytes(last.root)), SigningKey.objects.first().name, keys.signing_key())  # fmt: skip
    forge("UPDATE ledger_checkpoint SET note = %s WHERE tree_size = %s", [forged, last.tree_size])
    done = offline()
    assert done.status == 1 and "signs from 0 to" in done.said
