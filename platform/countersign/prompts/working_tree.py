"""Prompts in a folder of YAML files, as a git working tree has them: pulled from the site, changed like code, pushed back.

The site reads and writes the files' text; here they are only found, compared and put in place. A file that somebody changed and
didn't commit is never overwritten.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from countersign.transport import Transport, path_of

SUFFIX = ".yaml"
BATCH_BYTES = 8 * 1024 * 1024
CHANGES = ("created", "new version", "changed")


@dataclass
class Pulled:
    """Paths below the folder. `kept`: those that were changed here and not committed."""

    written: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """What a push did (or would do) with one file: created, new version, changed, unchanged, behind or refused."""

    path: str
    prompt: str
    done: str
    version: int
    url: str
    problems: list[str]
    content: dict[str, Any] | None = None  # of one that differs: the fields of the version that it makes

    @property
    def changes(self) -> bool:
        return self.done in CHANGES


def files_in(folder: Path) -> dict[str, str]:
    """The YAML files below a folder that name a prompt, by their path; what is hidden is left out. ValueError for what is no UTF-8."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob(f"*{SUFFIX}")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") for part in parts) or not path.is_file() or path.is_symlink():
            continue
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: byte {error.start + 1} is no UTF-8. Save the file as UTF-8.") from None
        if any(line.startswith("prompt:") for line in text.splitlines()):
            found["/".join(parts)] = text
    return found


def pull(
    http: Transport,
    team: str,
    folder: Path,
    *,
    inside: str = "",
    label: str = "",
    force: bool = False,
    prune: bool = False,
) -> Pulled:
    """The team's prompts (those of the folder `inside` alone) as files: the newest of each, or the one at a label.

    `force` overwrites what isn't committed; `prune` removes the files of prompts that are not on the site any more."""
    done, there = Pulled(), set()
    asked = {"folder": inside or None, "label": label or None}
    for row in http.every(path_of("prompts", team, "export"), **asked):
        target = place(folder, row["path"])
        there.add(row["path"])
        old = target.read_bytes() if target.is_file() else None
        new = row["text"].encode()
        if old == new:
            done.same.append(row["path"])
        elif old is not None and not force and not _committed(target):
            done.kept.append(row["path"])
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(new)
            done.written.append(row["path"])
    if prune:
        for path in sorted(files_in(folder).keys() - there):
            if inside and not path.startswith(f"{inside.strip('/')}/"):
                continue
            if force or _committed(folder / path):
                (folder / path).unlink()
                done.removed.append(path)
            else:
                done.kept.append(path)
    return done


def push(
    http: Transport, team: str, folder: Path, *, branch: str = "main", message: str = "", dry_run: bool = False
) -> list[Outcome]:
    """Send the files: a version of each that differs, all of them or none. Then the files say the versions that they are."""
    files = files_in(folder)
    if not files:
        raise ValueError(f"There is no prompt in {folder}: a file ends in {SUFFIX} and has a line 'prompt: <name>'.")
    if sum(len(text) for text in files.values()) > BATCH_BYTES:
        raise ValueError(f"More than {BATCH_BYTES:,} characters of prompts: push a part of the folder at a time.")
    body = {"files": [{"path": path, "text": text} for path, text in files.items()]}
    answer = http.post(
        path_of("prompts", team, "import"), {**body, "branch": branch, "message": message, "dry_run": dry_run}
    )
    outcomes = [_outcome(row) for row in answer["results"]]
    if not dry_run and branch == "main":
        _note_versions(folder, files, outcomes)
    return outcomes


def _outcome(row: dict[str, Any]) -> Outcome:
    return Outcome(
        row["where"], row["prompt"], row["done"], row["version"], row["url"], row["problems"], row["content"]
    )


def _note_versions(folder: Path, files: dict[str, str], outcomes: list[Outcome]) -> None:
    """What was pushed is the newest now: its file says so, and the next push goes on from there."""
    for one in outcomes:
        if one.done not in CHANGES:
            continue
        lines = files[one.path].splitlines(keepends=True)
        said = f"version: {one.version}\n"
        at = next((n for n, line in enumerate(lines) if line.startswith("version:")), None)
        if at is not None:
            lines[at] = said
        else:
            after = next(n for n, line in enumerate(lines) if line.startswith("prompt:"))
            lines.insert(after + 1, said)
        (folder / one.path).write_bytes("".join(lines).encode())


def place(folder: Path, path: str) -> Path:
    """Where a file goes; ValueError for a path that leads out of the folder, whatever the site says."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or any("\\" in part or ":" in part for part in parts):
        raise ValueError(f"The site names a file '{path}', which is not below {folder}.")
    target = folder.joinpath(*parts)
    if not target.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"'{path}' leads out of {folder} by a link.")
    return target


def _committed(path: Path) -> bool:
    """Is what the file holds in git? Where there is no git, nothing is."""
    command = ["git", "-C", str(path.parent), "status", "--porcelain", "--ignored", "--", path.name]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and not done.stdout.strip()
