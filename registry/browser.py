"""A version's files as folders, and a look into those that are text."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import PurePosixPath

from registry import storage
from registry.inspection import formats
from registry.models import File, Version

MAX_PREVIEW = 512 << 10
_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".ico", ".tif", ".tiff"})


@dataclass(frozen=True)
class Entry:
    """A folder (then `files` are in it) or a file (then `sha256` is its)."""

    name: str
    path: str
    size: int
    files: int = 0
    sha256: str = ""

    @property
    def holds_tensors(self) -> bool:
        return bool(self.sha256 and formats.kind_of(self.path))


@dataclass(frozen=True)
class Preview:
    """A text's numbered lines, or the reason in a sentence why there are none. kind: text, json or markdown."""

    lines: list[str]
    kind: str = "text"
    text: str = ""
    why_not: str = ""


def listing(version: Version, folder: str = "") -> list[Entry]:
    """What is directly in a folder ('' is the root): folders first, each with what is below it."""
    rows = version.files.values_list("path", "blob__size", "blob_id").order_by("path")
    start = f"{folder}/" if folder else ""
    folders: dict[str, list[int]] = {}
    found = []
    for path, size, sha256 in rows.filter(path__startswith=start) if start else rows:
        name, _, rest = path[len(start) :].partition("/")
        if rest:
            count = folders.setdefault(name, [0, 0])
            count[0] += 1
            count[1] += size
        else:
            found.append(Entry(name, path, size, sha256=sha256))
    made = [Entry(name, f"{start}{name}", size, files=count) for name, (count, size) in sorted(folders.items())]
    return made + found


def crumbs(path: str) -> list[tuple[str, str]]:
    """The folders above a path, outermost first: (name, path)."""
    return [(parent.name, str(parent)) for parent in reversed(PurePosixPath(path).parents) if str(parent) != "."]


def preview(file: File) -> Preview:
    """A file's text, if it is one and small. The caller has asked whether its bytes may leave (record_download)."""
    why_not = not_shown(file)
    if why_not:
        return Preview([], why_not=why_not)
    try:
        with storage.open_blob(file.blob_id) as stream:
            content = _whole(stream, file.blob.size)
    except FileNotFoundError:
        return Preview([], why_not="Its bytes are not in the storage.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return Preview([], why_not="This is no text, so it is not shown here.")
    suffix = PurePosixPath(file.path).suffix.lower()
    kind = "json" if suffix == ".json" else "markdown" if suffix == ".md" else "text"
    return Preview(_lines(text, kind), kind, text)


def not_shown(file: File) -> str:
    """Why a file can't be shown, before a byte of it is read; '' when it may be text."""
    if PurePosixPath(file.path).suffix.lower() in _IMAGES:
        return "Pictures are not shown here, since they come from whoever uploaded them."
    if file.blob.size > MAX_PREVIEW:
        return f"It is too large to be shown here: texts are up to {MAX_PREVIEW >> 10} KiB."
    return ""


def _lines(text: str, kind: str) -> list[str]:
    """Its lines; JSON that is written in one line is laid out."""
    if kind == "json" and text.count("\n") < 2 and len(text) > 200:
        with contextlib.suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode().splitlines()


def _whole(stream: storage.Readable, size: int) -> bytes:
    blocks = []
    while size > 0 and (block := stream.read(size)):
        blocks.append(block)
        size -= len(block)
    return b"".join(blocks)
