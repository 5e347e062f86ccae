"""Archives: bombs, names that lead out, links, archives in archives, and what can't be looked into."""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from registry.scanners.forms import form_of
from registry.scanners.pickles import PROTOCOLS, TENSOR
from registry.scanners.programs import program
from registry.scanners.samples import BROKEN, NOTE, UNSAFE, Finding, Sample

# Weights and text pack to a tenth at most; above this something is made to burst.
MAX_RATIO = 100
SMALL = 16 << 20  # what unpacks to less than this bursts nothing
MAX_UNPACKED = 1 << 40
MAX_MEMBERS = 100_000
MAX_TOLD = 20
_UNPACK = "Unpack it and upload the files in it."
_REPACK = "Unpack it and upload the files in it, or pack them as .zip, .tar or .gz: those are looked into."
_OPAQUE = (
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "LZ4"),
)


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    is_link: bool = False
    is_special: bool = False
    target: str = ""
    is_encrypted: bool = False
    head: bytes = b""


class _Bomb(Exception):
    pass


def find(sample: Sample) -> Iterator[Finding]:
    head = sample.head
    for magic, name in _OPAQUE:
        if head.startswith(magic):
            yield Finding(
                UNSAFE, "archive", f"{name} can't be looked into here, so it counts as unsafe unopened.", _REPACK
            )
            return
    if head.startswith(b"PK\x03\x04") or (sample.form == "archive" and head.startswith(b"PK")):
        yield from _told(sample, _zip_members(sample))
    elif head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")):
        yield from _compressed(sample)
    elif head[257:262] == b"ustar":
        yield from _told(sample, _tar_members(sample, "r:"))
    elif sample.form == "archive":
        yield Finding(UNSAFE, "archive", "It is named like an archive and is none that can be looked into.", _REPACK)


def _told(sample: Sample, members: Iterable[_Member]) -> Iterator[Finding]:
    """What is wrong with the members; broken off at the first sign of a bomb."""
    count, unpacked, told = 0, 0, 0
    inside: dict[str, int] = {}
    try:
        for member in members:
            count, unpacked = count + 1, unpacked + member.size
            _check_bomb(sample, count, unpacked)
            for found in _of_member(member):
                if found.kind in inside and told >= MAX_TOLD:
                    continue
                inside[found.kind] = inside.get(found.kind, 0) + 1
                told += 1
                yield found
    except _Bomb as bomb:
        yield Finding(UNSAFE, "bomb", str(bomb), "Leave it out, or upload what is in it as files.")
        return
    except BROKEN as error:
        yield Finding(UNSAFE, "unreadable", f"The archive can't be read ({type(error).__name__}: {error}).", _UNPACK)
        return
    if not told and sample.form == "archive":
        yield Finding(NOTE, "archive", f"An archive of {count} file{'' if count == 1 else 's'}, looked through.")


def _check_bomb(sample: Sample, count: int, unpacked: int) -> None:
    if count > MAX_MEMBERS:
        raise _Bomb(f"It holds more than {MAX_MEMBERS} files.")
    if unpacked > MAX_UNPACKED:
        raise _Bomb(f"It unpacks to more than {MAX_UNPACKED >> 30} GiB.")
    if unpacked > SMALL and unpacked > MAX_RATIO * max(1, sample.size):
        raise _Bomb(f"{sample.size} bytes unpack to more than {unpacked}: a bomb.")


def _of_member(member: _Member) -> Iterator[Finding]:
    shown = member.name[:120]
    parts = PurePosixPath(member.name.replace("\\", "/")).parts
    if ".." in parts or member.name.startswith(("/", "\\")) or member.name[1:3] in (":\\", ":/"):
        yield Finding(UNSAFE, "traversal", f"'{shown}' in it leads out of the folder that it is unpacked in.", _UNPACK)
    if member.is_link:
        yield Finding(UNSAFE, "link", f"'{shown}' in it is a link to '{member.target[:120]}'.", _UNPACK)
    if member.is_special:
        yield Finding(UNSAFE, "link", f"'{shown}' in it is no file but a device or pipe.", _UNPACK)
    if member.is_encrypted:
        yield Finding(UNSAFE, "encrypted", f"'{shown}' in it is encrypted, so that nobody can look into it.", _UNPACK)
        return
    form = form_of(member.name)
    if what := program(member.head):
        yield Finding(UNSAFE, "program", f"'{shown}' in it is {what}.", "Leave it out.")
    elif form == "code" and not member.name.endswith(".ipynb") and "/code/" not in f"/{member.name}":
        yield Finding(UNSAFE, "code", f"'{shown}' in it is code.", "Leave it out.")
    if form == "archive" or member.head.startswith((b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")):
        yield Finding(UNSAFE, "nested", f"'{shown}' in it is an archive itself, which is not looked into.", _UNPACK)
    if member.head.startswith(PROTOCOLS):
        yield Finding(
            UNSAFE, "pickle", f"'{shown}' in it is a pickle: loading it can run code.", "Save weights as safetensors."
        )


def _zip_members(sample: Sample) -> Iterator[_Member]:
    with zipfile.ZipFile(sample.rewound()) as archive:
        entries = archive.infolist()
        # The sizes that are announced, all together first: nothing of a bomb is unpacked.
        for count, total in _running(entry.file_size for entry in entries):
            _check_bomb(sample, count, total)
        for entry in entries:
            encrypted = bool(entry.flag_bits & 1)
            head = b""
            if not encrypted and not entry.is_dir():
                with archive.open(entry) as member:  # compares the name here with the one in front of the bytes
                    head = member.read(512)
            if TENSOR.search(entry.filename) or head.startswith(PROTOCOLS):
                head = b""  # numbers, or what the finder of pickles tells of
            link = stat.S_ISLNK(entry.external_attr >> 16)
            target = head.decode("utf-8", "replace") if link else ""
            yield _Member(entry.filename, entry.file_size, link, False, target, encrypted, b"" if link else head)


def _running(sizes: Iterable[int]) -> Iterator[tuple[int, int]]:
    total = 0
    for count, size in enumerate(sizes, 1):
        total += size
        yield count, total


def _tar_members(sample: Sample, mode: str) -> Iterator[_Member]:
    with tarfile.open(fileobj=sample.rewound(), mode=mode) as archive:  # type: ignore[call-overload]
        total = 0
        for count, entry in enumerate(archive, 1):
            total += entry.size
            _check_bomb(sample, count, total)
            link = entry.issym() or entry.islnk()
            special = not (entry.isfile() or entry.isdir() or link)
            head = b""
            if entry.isfile() and (opened := archive.extractfile(entry)):
                head = opened.read(512)
            yield _Member(entry.name, 0 if link else entry.size, link, special, entry.linkname, False, head)


def _compressed(sample: Sample) -> Iterator[Finding]:
    """gzip, bzip2 or xz: of a tar archive its members, else how far it unpacks."""
    opener: Any = {b"\x1f": gzip.open, b"B": bz2.open, b"\xfd": lzma.open}[sample.head[:1]]
    try:
        with opener(sample.rewound()) as stream:
            head = stream.read(512)
            if head[257:262] != b"ustar":
                total = len(head)
                while block := stream.read(1 << 20):
                    total += len(block)
                    _check_bomb(sample, 1, total)
                name = PurePosixPath(sample.path).stem
                yield from _of_member(_Member(name, 0, head=head))
                yield Finding(
                    NOTE, "archive", f"Compressed; it unpacks to {total} bytes, of which only the first were looked at."
                )
                return
    except _Bomb as bomb:
        yield Finding(UNSAFE, "bomb", str(bomb), "Leave it out, or upload what is in it as files.")
        return
    except BROKEN as error:
        yield Finding(UNSAFE, "unreadable", f"It can't be unpacked ({type(error).__name__}).", _UNPACK)
        return
    kind = {b"\x1f": "gz", b"B": "bz2", b"\xfd": "xz"}[sample.head[:1]]
    yield from _told(sample, _tar_members(sample, f"r|{kind}"))
