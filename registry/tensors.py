"""The tensors of a registered version, out of what its files' headers say: listed, filtered, and grouped by layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from accounts.errors import Conflict
from registry.inspection import formats
from registry.inspection.manifest import Manifest
from registry.inspection.models import main_weights
from registry.inspection.source import NotRead, Tensor
from registry.models import Version

SORTS = {"name": "Name", "size": "Largest first", "place": "As in the files"}


class Row(NamedTuple):
    """A tensor and the file that holds it."""

    path: str
    tensor: Tensor


@dataclass(frozen=True)
class Group:
    """Tensors whose names begin alike. `prefix` leads to what is in it; '' for a tensor that stands alone."""

    name: str
    prefix: str
    tensors: int
    parameters: int
    size: int
    row: Row | None = None


def manifest(version: Version) -> Manifest:
    """The files of a version, to be looked into."""
    rows = version.files.values_list("path", "blob_id", "blob__size").order_by("path")
    return Manifest([{"path": path, "sha256": sha256, "size": size} for path, sha256, size in rows])


def of_version(version: Version) -> list[Row]:
    """Every tensor of the files that count (a version may hold its weights in several formats), in the order of the files."""
    if not version.is_registered:
        raise Conflict("The tensors of a draft can't be listed: register it first.")
    if not version.facts.get("tensors"):
        return []
    return list(_of_digest(version.pk, version.digest, formats.PARSER))


@lru_cache(maxsize=2)
def _of_digest(version_id: int, digest: str, parser: int) -> tuple[Row, ...]:
    """What follows from bytes that never change: kept for the next page of the same list, since there may be 50,000."""
    files = manifest(Version.objects.get(pk=version_id, digest=digest))
    found: dict[str, list[Tensor]] = {}
    kinds = formats.weights(files)
    for path in kinds:
        try:
            found[path] = formats.look(files, path).tensors
        except NotRead:
            continue
    return tuple(Row(path, tensor) for path in main_weights(kinds, found) for tensor in found[path])


def select(rows: list[Row], *, search: str = "", file: str = "", prefix: str = "", sort: str = "place") -> list[Row]:
    """Those whose name has every word of `search` and lies below `prefix`, in one file or in all."""
    words = search.lower().split()[:5]
    found = [
        row
        for row in rows
        if (not file or row.path == file)
        and (not prefix or row.tensor.name == prefix or row.tensor.name.startswith(f"{prefix}."))
        and all(word in row.tensor.name.lower() or word == row.tensor.dtype.lower() for word in words)
    ]
    if sort == "name":
        found.sort(key=lambda row: (natural(row.tensor.name), row.path))
    elif sort == "size":
        found.sort(key=lambda row: (-row.tensor.size, -row.tensor.elements, row.tensor.name, row.path))
    return found


def groups(rows: list[Row], prefix: str = "") -> list[Group]:
    """What lies directly below a prefix: 'model.layers' has 'model.layers.0', 'model.layers.1', …, in natural order."""
    start = len(prefix) + 1 if prefix else 0
    found: dict[str, list[Row]] = {}
    for row in rows:
        name = row.tensor.name
        if prefix and not name.startswith(f"{prefix}."):
            continue
        end = name.find(".", start)
        found.setdefault(name if end < 0 else name[:end], []).append(row)
    made = []
    for name in sorted(found, key=natural):
        inner = found[name]
        alone = inner[0] if len(inner) == 1 else None
        made.append(
            Group(
                (alone.tensor.name if alone else name)[start:],
                "" if alone else name,
                len(inner),
                sum(row.tensor.elements for row in inner),
                sum(row.tensor.size for row in inner),
                alone,
            )
        )
    return made


def natural(name: str) -> list[tuple[int, int, str]]:
    """layers.2 before layers.10."""
    return [(0, int(part), "") if part.isdecimal() and len(part) < 10 else (1, 0, part) for part in name.split(".")]
