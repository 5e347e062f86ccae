"""Looking for code in files: what runs when a file is merely loaded. Nothing is executed here; running in a sandbox is another check."""

from dataclasses import dataclass, field
from importlib.metadata import version as installed
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from picklescan.scanner import SafetyLevel, scan_bytes

from accounts.errors import Invalid
from registry.inspection.manifest import Manifest

SCANNER = f"picklescan {installed('picklescan')}"
# Formats that are pickles, or archives and arrays that can hold some.
_PICKLES = frozenset(
    {".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt", ".bin", ".dat", ".data", ".npy", ".npz", ".zip", ".7z"}
)
_MAGIC = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"\x93NUMPY")
MAX_FINDINGS = 100


@dataclass
class Scan:
    """verdict: 'clean' or 'unsafe'; findings: [{"path", "text"}]."""

    findings: list[dict[str, str]] = field(default_factory=list)
    notes: list[dict[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "verdict": "unsafe" if self.findings else "clean",
            "findings": self.findings[:MAX_FINDINGS],
            "notes": self.notes[:MAX_FINDINGS],
            "scanner": SCANNER,
        }


def scan(manifest: list[dict[str, Any]]) -> Scan:
    """Every file of a manifest. safetensors, JSON and text hold no code by their format and are cleared by their first bytes."""
    files, found = Manifest(manifest), Scan()
    for path in sorted(files):
        suffix = PurePosixPath(path).suffix.lower()
        if suffix == ".py":
            found.findings.append({"path": path, "text": "Python source, which runs where remote code is trusted"})
            continue
        try:
            with files.open(path) as stream:
                head = stream.read(8)
                stream.seek(0)
                if suffix in _PICKLES or head.startswith(_MAGIC):
                    _look(path, suffix, stream, found)
        except Invalid:
            found.findings.append({"path": path, "text": "its bytes are not in the storage"})
    return found


def _look(path: str, suffix: str, stream: BinaryIO, found: Scan) -> None:
    try:
        result = scan_bytes(stream, path, suffix)
    except Exception as error:  # whatever a hostile file makes the scanner stumble over, the file is not cleared
        found.findings.append({"path": path, "text": f"can't be read by the scanner ({type(error).__name__})"})
        return
    for one in result.globals:
        name = f"{one.module}.{one.name}"
        if one.safety == SafetyLevel.Dangerous:
            found.findings.append({"path": path, "text": f"loading it calls {name}"[:300]})
        elif one.safety == SafetyLevel.Suspicious:
            found.notes.append({"path": path, "text": f"loading it uses {name}, of which nothing is known"[:300]})
    if result.scan_err:
        found.findings.append({"path": path, "text": "its pickle is broken, or made to look so"})
