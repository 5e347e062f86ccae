"""The last good copies on disk, for when the site is away: a folder per site and key, readable to its owner alone."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Copy:
    """`fetched_at`: seconds since 1970."""

    etag: str
    fetched_at: float
    body: dict[str, Any]


def default_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "countersign" / "prompts"


class Disk:
    """Writes are atomic; a copy that is damaged or of something else is none. What goes wrong with the disk never raises."""

    def __init__(self, folder: Path, site: str, key: str) -> None:
        self.folder = folder / hashlib.sha256(f"{site}\0{key}".encode()).hexdigest()[:32]

    def read(self, what: str) -> Copy | None:
        try:
            found = json.loads(self._path(what).read_text(encoding="utf-8"))
            text = found["body"]
            if found["what"] != what or found["sha256"] != hashlib.sha256(text.encode()).hexdigest():
                return None
            return Copy(str(found["etag"]), float(found["fetched_at"]), json.loads(text))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, what: str, copy: Copy) -> None:
        text = json.dumps(copy.body, ensure_ascii=False)
        shown = {
            "what": what, "etag": copy.etag, "fetched_at": copy.fetched_at,
            "sha256": hashlib.sha256(text.encode()).hexdigest(), "body": text,
        }  # fmt: skip
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, part = tempfile.mkstemp(dir=self.folder, suffix=".part")  # made 0600
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as out:
                    json.dump(shown, out, ensure_ascii=False)
                os.replace(part, self._path(what))
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(part)
                raise

    def forget(self, what: str) -> None:
        with contextlib.suppress(OSError):
            self._path(what).unlink()

    def _path(self, what: str) -> Path:
        return self.folder / f"{hashlib.sha256(what.encode()).hexdigest()[:40]}.json"
