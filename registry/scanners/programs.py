"""Programs, source code, and archives that hide behind something else."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from registry.scanners.samples import BROKEN, NOTE, UNSAFE, Finding, Sample

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x7fELF", "a program or library for Linux (ELF)"),
    (b"\xcf\xfa\xed\xfe", "a program for macOS (Mach-O)"),
    (b"\xce\xfa\xed\xfe", "a program for macOS (Mach-O)"),
    (b"\xfe\xed\xfa\xcf", "a program for macOS (Mach-O)"),
    (b"\xfe\xed\xfa\xce", "a program for macOS (Mach-O)"),
    (b"\xca\xfe\xba\xbe", "a program for macOS or Java (Mach-O, class file)"),
    (b"\0asm", "a WebAssembly program"),
    (b"dex\n", "a program for Android (DEX)"),
)
_LEAVE_OUT = "Leave it out: nothing here runs it, and whoever downloads the version might."
_REMOTE_CODE = "Loading with trust_remote_code runs it. Register a version without it (an architecture that the library knows needs none)."


def program(head: bytes) -> str:
    """What kind of program begins so; '' when none does."""
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return what
    if head.startswith(b"MZ") and len(head) >= 64:
        at = int.from_bytes(head[60:64], "little")
        if head[at : at + 4] == b"PE\0\0" or at > len(head):
            return "a program for Windows (PE)"
    if head.startswith(b"#!"):
        return "a script that names its interpreter"
    return ""


def find(sample: Sample) -> Iterator[Finding]:
    if what := program(sample.head):
        yield Finding(UNSAFE, "program", f"It is {what}.", _LEAVE_OUT)
    elif sample.form == "code":
        suffix = PurePosixPath(sample.path).suffix.lower()
        if suffix == ".py":
            text = "Python source, which runs where remote code is trusted."
            yield Finding(UNSAFE, "code", text, _REMOTE_CODE)
        elif suffix == ".ipynb":
            yield Finding(NOTE, "code", "A notebook: code that runs when somebody runs its cells.")
        else:
            yield Finding(UNSAFE, "program", f"A {suffix} file is a program.", _LEAVE_OUT)
    yield from _hidden_archive(sample)
    if sample.form == "json":
        yield from _configuration(sample)


def _hidden_archive(sample: Sample) -> Iterator[Finding]:
    """A zip archive is found from its end, so that something else may stand before it."""
    if sample.form in ("archive", "pickle", "numpy", "keras", "code") or sample.head.startswith(b"PK"):
        return
    if b"PK\x05\x06" not in sample.tail:
        return
    try:
        with zipfile.ZipFile(sample.rewound()) as archive:
            count = len(archive.infolist())
    except BROKEN:
        return
    if count:
        yield Finding(
            UNSAFE,
            "polyglot",
            f"It is two things at once: a zip archive of {count} files hides behind what it seems to be.",
            "Write the file anew with the library that made it, and upload that.",
        )


def _configuration(sample: Sample) -> Iterator[Finding]:
    text = sample.text()
    if text is None or ("auto_map" not in text and "trust_remote_code" not in text):
        return
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    for name, found in _keys(value):
        if name == "auto_map" and found:
            named = found if isinstance(found, str) else ", ".join(map(str, _leaves(found)))
            yield Finding(
                UNSAFE,
                "code",
                f"auto_map asks for code of its own: {named}",
                _REMOTE_CODE,
                line=_line(text, '"auto_map"'),
            )
        elif name == "trust_remote_code" and found is True:
            yield Finding(
                NOTE,
                "code",
                "It asks to be loaded with trust_remote_code.",
                _REMOTE_CODE,
                line=_line(text, '"trust_remote_code"'),
            )


def _keys(value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    if depth > 20:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, inner
            yield from _keys(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value[:1000]:
            yield from _keys(inner, depth + 1)


def _leaves(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list) and depth < 5:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _leaves(inner, depth + 1)


def _line(text: str, what: str) -> int | None:
    at = text.find(what)
    return text.count("\n", 0, at) + 1 if at >= 0 else None
