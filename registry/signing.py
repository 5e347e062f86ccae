"""Signatures in the OpenSSF model-signing format: a Sigstore bundle around an in-toto statement that names every file and its hash.
They are made by the public library on our own key, so that its command line verifies what was downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from model_signing import manifest
from model_signing._hashing.hashing import Digest
from model_signing._signing import sign_ec_key
from model_signing._signing.signing import Payload

SIGNATURE_FILE = "model.sig"
# What the tool itself leaves out when it looks at a folder, and what download clients leave beside the files.
IGNORED = (SIGNATURE_FILE, ".git", ".gitattributes", ".github", ".gitignore", ".cache/huggingface")


class _Signer(sign_ec_key.Signer):  # type: ignore[misc]  # the library has no types
    """The library's signer with a key that never was a file."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey) -> None:
        self._private_key = private_key


def new_key() -> tuple[str, str]:
    """(private, public), PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def is_signed(path: str) -> bool:
    """Is a file of this path one that the signature covers?"""
    return not any(path == ignored or path.startswith(f"{ignored}/") for ignored in IGNORED)


def bundle(name: str, files: Sequence[dict[str, Any]], private_pem: str) -> str:
    """The signature of these files ([{path, sha256, size}]), as the JSON of a Sigstore bundle."""
    key = serialization.load_pem_private_key(private_pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    items = [
        manifest.FileManifestItem(
            path=PurePosixPath(file["path"]), digest=Digest("sha256", bytes.fromhex(file["sha256"]))
        )
        for file in files
        if is_signed(file["path"])
    ]
    arguments = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": list(IGNORED)}
    described = manifest.Manifest(name, items, manifest.SerializationType.from_args(arguments))
    signed: Any = _Signer(key).sign(Payload(described))
    text: str = signed.bundle.to_json()
    return text
