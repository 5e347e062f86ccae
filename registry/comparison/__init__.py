"""What differs between two versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.models import Version


@dataclass(frozen=True)
class FileChange:
    """A path in either version. state: added, removed, changed or same; sizes in bytes."""

    path: str
    state: str
    before: int | None
    after: int | None


def files(before: Version, after: Version) -> list[FileChange]:
    """Every path of both, in order."""
    old = {file.path: file.blob for file in before.files.select_related("blob")}
    new = {file.path: file.blob for file in after.files.select_related("blob")}
    changes = []
    for path in sorted(old.keys() | new.keys()):
        was, is_now = old.get(path), new.get(path)
        if was is None:
            state = "added"
        elif is_now is None:
            state = "removed"
        else:
            state = "same" if was.pk == is_now.pk else "changed"
        changes.append(FileChange(path, state, was.size if was else None, is_now.size if is_now else None))
    return changes


def facts(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """The facts that differ: (name, before, after)."""
    return [
        (name, before.get(name), after.get(name))
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]
