"""A version as a folder on this machine: which files it holds, their hashes, and the digest that they make."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from countersign.errors import Damaged
from countersign.shapes import RemoteFile

# What a folder was pulled from; never a part of a version.
MARK = ".countersign.json"
# Folders of tools, which nobody means to publish.
_IGNORED = frozenset({".git", "__pycache__", ".ipynb_checkpoints", ".cache", ".DS_Store", MARK})
_BLOCK = 1 << 20


@dataclass(frozen=True)
class LocalFile:
    """A file under a folder; `path` is relative and '/'-separated."""

    root: Path
    path: str
    size: int

    @property
    def place(self) -> Path:
        return self.root / self.path


def walk(folder: Path, *, exclude: Iterable[str] = ()) -> list[LocalFile]:
    """The files that a push would send, by path. Links are not followed: they could lead out of the folder."""
    patterns = list(exclude)
    if folder.is_file():
        return [LocalFile(folder.parent, folder.name, folder.stat().st_size)]
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    found: list[LocalFile] = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _IGNORED)
        for name in names:
            place = Path(where) / name
            path = place.relative_to(folder).as_posix()
            if name in _IGNORED or place.is_symlink() or not place.is_file():
                continue
            if not any(fnmatch(path, pattern) or fnmatch(name, pattern) for pattern in patterns):
                found.append(LocalFile(folder, path, place.stat().st_size))
    return sorted(found, key=lambda file: file.path)


def sha256(place: Path) -> str:
    """SHA-256 of a file in hex, read by blocks."""
    digest = hashlib.sha256()
    with place.open("rb", buffering=0) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def hashed(files: list[LocalFile], *, threads: int = 4) -> list[RemoteFile]:
    """The manifest that these files make, in their order."""
    with ThreadPoolExecutor(threads) as pool:
        sums = list(pool.map(lambda file: sha256(file.place), files))
    return [RemoteFile(file.path, file.size, digest) for file, digest in zip(files, sums, strict=True)]


def digest_of(manifest: Iterable[RemoteFile]) -> str:
    """What the site signs: 'sha256:…' over the canonical JSON (RFC 8785) of {"files": [{path, sha256, size}…]} by path.

    Paths hold no control characters and sizes are whole numbers, for which json.dumps writes just that form."""
    files = [
        {"path": one.path, "sha256": one.sha256, "size": one.size} for one in sorted(manifest, key=lambda one: one.path)
    ]
    text = json.dumps({"files": files}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def place_in(folder: Path, path: str) -> Path:
    """Where a file of that path goes; refused when it would lie outside the folder, whoever sent the path."""
    parts = PurePosixPath(path).parts
    if (
        not parts
        or path.startswith("/")
        or "\\" in path
        or ":" in parts[0]
        or any(part in ("..", ".") for part in parts)
    ):
        raise Damaged(f"The site names a file '{path}', which would lie outside the folder. Nothing was written.")
    place = folder.joinpath(*parts)
    if not place.parent.resolve().is_relative_to(folder.resolve()):
        raise Damaged(f"'{path}' would lie outside {folder}: a link in it leads elsewhere.")
    return place


def blocks(place: Path, start: int = 0, length: int | None = None) -> Iterator[bytes]:
    """A part of a file, block by block."""
    left = length
    with place.open("rb", buffering=0) as stream:
        stream.seek(start)
        while (left is None or left > 0) and (block := stream.read(_BLOCK if left is None else min(_BLOCK, left))):
            if left is not None:
                left -= len(block)
            yield block
