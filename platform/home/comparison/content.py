"""What differs in the bytes and texts of two versions: files, configuration, facts, card."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import registry.comparison
from accounts.access import Actor
from registry import gates, storage
from registry.comparison import FileChange
from registry.models import Version

# Configuration is read out of the files only when they are small; nobody compares more keys than this by eye.
_MOST_BYTES = 256_000
_MOST_FILES = 6
MOST_ROWS = 200
_MISSING = object()


@dataclass(frozen=True)
class ValueChange:
    """One key, as a path such as `quantization.bits`. `op`: changed, added or removed; values as text."""

    path: str
    op: str
    before: str
    after: str


@dataclass(frozen=True)
class ConfigChange:
    """What differs in one configuration file; `hidden` says why it is not shown."""

    title: str
    rows: Sequence[ValueChange] = ()
    more: int = 0
    hidden: str = ""


@dataclass(frozen=True)
class TextChange:
    """A text that differs."""

    title: str
    before: str
    after: str


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{place}]")
    else:
        yield path, value


def value_changes(before: Any, after: Any) -> list[ValueChange]:
    """Two JSON values, key by key; what is the same is left out."""
    old, new = (dict(_leaves(value)) if value else {} for value in (before, after))
    changes = []
    for path in dict.fromkeys([*new, *old]):
        was, is_now = old.get(path, _MISSING), new.get(path, _MISSING)
        # JSON's true is no 1.
        if was is not _MISSING and is_now is not _MISSING and json.dumps(was) == json.dumps(is_now):
            continue
        op = "added" if was is _MISSING else "removed" if is_now is _MISSING else "changed"
        changes.append(ValueChange(path, op, _shown(was), _shown(is_now)))
    return changes


def _shown(value: Any) -> str:
    if value is _MISSING:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def file_changes(before: Version | None, after: Version) -> list[FileChange]:
    """The paths that are not the same in both, and how many are, is told by `state`."""
    if before is None:
        return [
            FileChange(file.path, "added", None, file.blob.size)
            for file in after.files.select_related("blob").order_by("path")
        ]
    return registry.comparison.files(before, after)


def hidden_why(before: Version, after: Version, by: Actor | None) -> str:
    """Why what is in the files of these two is not compared here, in a sentence; '' where it is. Bytes of a restricted asset leave
    by a download, which is an event, and those of a gated one go to who may have them (`by`; None: nobody is asked)."""
    assets = (before.asset, after.asset)
    if any(asset.restricted for asset in assets):
        return "Restricted: download both files to compare them; each download is an event."
    if any(asset.gated and (by is None or not gates.may_read(by, asset)) for asset in assets):
        return "Gated: who may download both files compares them."
    return ""


def configuration(
    before: Version | None, after: Version, files: Sequence[FileChange], by: Actor | None = None
) -> list[ConfigChange]:
    """config.json and its like, key by key, where what is in the files may be shown."""
    if before is None:
        return []
    paths = [
        change.path
        for change in files
        if change.state == "changed"
        and change.path.endswith("config.json")
        and max(change.before or 0, change.after or 0) <= _MOST_BYTES
    ][:_MOST_FILES]
    if not paths:
        return []
    if why := hidden_why(before, after, by):
        return [ConfigChange(path, hidden=why) for path in paths]
    shas = {
        (file.version_id, file.path): file.blob_id
        for version in (before, after)
        for file in version.files.filter(path__in=paths)
    }
    changes = []
    for path in paths:
        rows = _json_rows(shas[before.pk, path], shas[after.pk, path])
        if rows is not None:
            changes.append(ConfigChange(path, rows[:MOST_ROWS], max(0, len(rows) - MOST_ROWS)))
    return changes


def _json_rows(before: str, after: str) -> list[ValueChange] | None:
    """None when either is no JSON, or is gone from the store."""
    values = []
    for sha256 in (before, after):
        try:
            with storage.open_blob(sha256) as stream:
                values.append(json.load(stream))
        except (OSError, ValueError, RecursionError):
            return None
    return value_changes(*values)


def fact_changes(before: Version | None, after: Version) -> list[ValueChange]:
    """What the files say of themselves, where it differs."""
    changes = value_changes(before.facts if before else {}, after.facts)
    return [
        ValueChange(_said(change.path), change.op, change.before, change.after)
        for change in changes
        if change.before or change.after
    ][:MOST_ROWS]


def _said(path: str) -> str:
    """A fact's path in words: 'card.license' is what the card calls its licence."""
    section, dot, rest = path.partition(".")
    if section == "card" and dot:
        path = f"card: {'licence' if rest in ('license', 'licence') else rest}"
    return path.replace("_", " ")
