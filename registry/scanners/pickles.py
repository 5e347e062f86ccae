"""Pickles, bare or inside PyTorch, NumPy and joblib files: which functions loading them would call. Nothing is ever loaded."""

from __future__ import annotations

import io
import logging
import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from picklescan.scanner import SafetyLevel, scan_bytes

from registry.scanners.samples import BROKEN, NOTE, UNSAFE, Finding, Sample

PROTOCOLS = tuple(bytes((0x80, number)) for number in range(2, 6))
TENSOR = re.compile(r"(?:^|/)data/\d+$")  # the numbers in a PyTorch archive, which begin with any bytes
_INNER = 64 << 20  # of a pickle inside an archive; weights lie beside it, not in it
_MOST_NAMES = 40
_CONVERT = (
    "Convert it to safetensors: 'Convert' on this page where it is a checkpoint, "
    "or model.save_pretrained(folder, safe_serialization=True)."
)
logging.getLogger("picklescan").setLevel(logging.CRITICAL)
logging.getLogger("fickling").setLevel(logging.CRITICAL)


def find(sample: Sample) -> Iterator[Finding]:
    is_zip = sample.head.startswith(b"PK\x03\x04")
    if sample.head.startswith(b"\x93NUMPY"):
        yield from _array(sample)
        return
    if sample.form not in ("pickle", "numpy") and not sample.head.startswith(PROTOCOLS) and not is_zip:
        return
    inner = list(_inside(sample)) if is_zip else [b""]
    if is_zip and not inner:
        return
    bare = not is_zip
    if bare and not sample.head.startswith(PROTOCOLS) and not _parses(sample):
        yield Finding(NOTE, "pickle", "It is named like a pickle and is none.")
        return
    yield Finding(UNSAFE, "pickle", "A pickle: loading it can run any code that it names.", _CONVERT)
    yield from _torchscript(sample) if is_zip else ()
    yield from _globals(sample)
    for pickled in inner:
        yield from _opcodes(pickled or sample.read(0, _INNER))


def _array(sample: Sample) -> Iterator[Finding]:
    if b"'O'" in sample.head[:4096] or b"|O" in sample.head[:4096]:
        yield Finding(
            UNSAFE,
            "pickle",
            "A NumPy array of Python objects, which is a pickle.",
            "Save numbers or text, not objects.",
        )
        yield from _globals(sample)


def _parses(sample: Sample) -> bool:
    """A pickle of an old protocol has no mark at its beginning."""
    try:
        for _, (operation, _, _) in zip(range(100_000), pickletools.genops(sample.rewound()), strict=False):
            if operation.name == "STOP":
                return True
    except Exception:  # whatever random bytes make of it: it is no pickle
        return False
    return True


def _inside(sample: Sample) -> Iterator[bytes]:
    """The pickles in a zip archive: by name or by their first bytes."""
    try:
        with zipfile.ZipFile(sample.rewound()) as archive:
            for name in archive.namelist()[:10_000]:
                with archive.open(name) as member:
                    head = member.read(8)
                    if head.startswith(b"\x93NUMPY"):
                        header = member.read(1 << 12)
                        if b"|O" in header:
                            yield header[header.find(b"\n") + 1 :] + member.read(_INNER)
                    elif TENSOR.search(name):
                        continue
                    elif head.startswith(PROTOCOLS) or PurePosixPath(name).suffix.lower() in (".pkl", ".pickle"):
                        yield head + member.read(_INNER)
    except BROKEN:
        return  # the archives' finder says what is wrong with it


def _torchscript(sample: Sample) -> Iterator[Finding]:
    try:
        with zipfile.ZipFile(sample.rewound()) as archive:
            code = [name for name in archive.namelist() if "/code/" in f"/{name}" and name.endswith(".py")]
    except BROKEN:
        return
    if code:
        yield Finding(
            UNSAFE,
            "code",
            f"A TorchScript program ({len(code)} files of code), which runs with the model.",
            "Save its weights alone.",
        )


def _globals(sample: Sample) -> Iterator[Finding]:
    suffix = PurePosixPath(sample.path).suffix.lower()
    try:
        result = scan_bytes(sample.rewound(), sample.path, suffix)
    except MemoryError:
        raise
    except Exception as error:  # whatever a hostile file makes the scanner stumble over, the file is not cleared
        yield Finding(
            UNSAFE, "unreadable", f"Its pickle can't be read by the scanner ({type(error).__name__}).", _CONVERT
        )
        return
    seen: set[str] = set()
    for one in result.globals:
        name = f"{one.module}.{one.name}"
        if name in seen or len(seen) >= _MOST_NAMES:
            continue
        seen.add(name)
        if one.safety == SafetyLevel.Dangerous:
            yield Finding(
                UNSAFE,
                "call",
                f"Loading it calls {name}.",
                "Don't load it. Ask whoever made it for the weights as safetensors.",
            )
        elif one.safety == SafetyLevel.Suspicious:
            yield Finding(NOTE, "call", f"Loading it uses {name}, of which nothing is known.")
    if result.scan_err:
        yield Finding(
            UNSAFE, "unreadable", "Its pickle is broken, or made to look so.", "Save it anew, as safetensors."
        )


def _opcodes(pickled: bytes) -> Iterator[Finding]:
    """What fickling makes of the first pickle's operations, where it is sure of harm."""
    from fickling.analysis import Severity, check_safety
    from fickling.fickle import Pickled

    try:
        results = check_safety(Pickled.load(io.BytesIO(pickled)))
    except MemoryError:
        raise
    except Exception:  # picklescan has had its say; weights of old checkpoints are no pickle to it
        return
    told: set[str] = set()
    for result in results.results:
        if result.severity >= Severity.LIKELY_OVERTLY_MALICIOUS and str(result) not in told:
            told.add(str(result))
            yield Finding(UNSAFE, "call", f"{' '.join(str(result).split())[:300]} (fickling)", "Don't load it.")
            if len(told) >= 5:
                return
