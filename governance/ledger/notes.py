"""C2SP signed notes (c2sp.org/signed-note) and the checkpoints written in them (c2sp.org/tlog-checkpoint)."""

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ED25519 = b"\x01"


@dataclass(frozen=True)
class Key:
    """A public key under the name that notes carry it by."""

    name: str
    public: bytes

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    @property
    def text(self) -> str:
        """The verifier key as C2SP writes it: name+hash+base64."""
        return f"{self.name}+{self.hash.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def sign(text: str, name: str, *keys: Ed25519PrivateKey) -> str:
    """A note: the text (which ends in a newline), an empty line, and a line per signature."""
    lines = []
    for key in keys:
        signed = Key(name, public_bytes(key)).hash + key.sign(text.encode())
        lines.append(f"— {name} {base64.b64encode(signed).decode()}\n")
    return f"{text}\n{''.join(lines)}"


def is_signed(note: str, key: Key) -> bool:
    """Does the note carry a good signature of this key?"""
    text, _, signatures = note.rpartition("\n\n")
    for line in signatures.splitlines():
        name, _, encoded = line.removeprefix("— ").rpartition(" ")
        signed = base64.b64decode(encoded)
        if name == key.name and signed[:4] == key.hash:
            try:
                Ed25519PublicKey.from_public_bytes(key.public).verify(signed[4:], f"{text}\n".encode())
            except InvalidSignature:
                return False
            return True
    return False


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
