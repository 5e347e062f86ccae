"""A version's files on the replica's disk: fetched by digest, verified, shared by the replicas of a node."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import os
import secrets
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import rfc8785

from serving.engines.errors import EngineError

BLOCK = 1 << 20
TIMEOUT_S = 60
# The site may be restarting while a replica starts: about 15 s of patience before Serve's own retries.
RETRY_DELAYS_S = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class ManifestFile:
    """One file of a version: its path inside the version (with /), size in bytes, hex SHA-256."""

    path: str
    size: int
    sha256: str


def parse_manifest(entries: Sequence[Mapping[str, Any]]) -> tuple[ManifestFile, ...]:
    """Check a manifest. Raises EngineError naming the entry: a path must not lead out of the version's folder."""
    files = []
    for entry in entries:
        path, size, sha256 = entry.get("path"), entry.get("size"), entry.get("sha256")
        if not isinstance(path, str) or not _is_inside(path):
            raise EngineError(f"manifest path {path!r} is not a relative path inside the version")
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise EngineError(f"manifest entry {path!r}: size {size!r} is not a number of bytes")
        if not isinstance(sha256, str) or len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
            raise EngineError(f"manifest entry {path!r}: sha256 {sha256!r} is not 64 lower-case hex digits")
        files.append(ManifestFile(path, size, sha256))
    paths = {file.path for file in files}
    if len(paths) != len(files):
        raise EngineError("the manifest names a path twice")
    for path in paths:
        for parent in PurePosixPath(path).parents:
            if str(parent) in paths:
                raise EngineError(f"manifest path {str(parent)!r} is both a file and a folder")
    return tuple(files)


def manifest_digest(files: Sequence[ManifestFile]) -> str:
    """`sha256:…` over the canonical JSON (RFC 8785) of the files sorted by path."""
    listed: Any = [{"path": f.path, "sha256": f.sha256, "size": f.size} for f in sorted(files, key=lambda f: f.path)]
    return "sha256:" + hashlib.sha256(rfc8785.dumps({"files": listed})).hexdigest()


def model_folder(cache_dir: Path, digest: str) -> Path:
    """Where materialise() puts the version of this digest; the same on every node."""
    return cache_dir / "models" / digest.removeprefix("sha256:")


def materialise(manifest: Sequence[ManifestFile], *, files_url: str, token: str, cache_dir: Path, digest: str) -> Path:
    """Bring a version's files to this node and return the folder that holds exactly them.

    Each blob is hashed again at every start, so that a cached file that rotted or was changed is fetched anew.
    Raises EngineError saying which file, what was expected and what came.
    """
    actual = manifest_digest(manifest)
    if actual != digest:
        raise EngineError(f"the manifest does not belong to the digest: expected {digest}, got {actual}")
    blobs = cache_dir / "blobs"
    locks = cache_dir / "locks"
    for folder in (blobs, locks, cache_dir / "models"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for file in manifest:
        with _locked(locks / file.sha256):
            blob = blobs / file.sha256
            if not _is_intact(blob, file):
                _fetch_with_patience(file, files_url=files_url, token=token, blob=blob)
    folder = model_folder(cache_dir, digest)
    with _locked(locks / folder.name):
        if not _holds_exactly(folder, manifest, blobs):
            _link_folder(folder, manifest, blobs)
    return folder


def _is_inside(path: str) -> bool:
    parts = path.split("/")
    return bool(path) and "\\" not in path and "\0" not in path and all(p not in ("", ".", "..") for p in parts)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    # flock and not a lock file's existence: the kernel lets go of it when a replica is killed.
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_intact(blob: Path, file: ManifestFile) -> bool:
    try:
        with blob.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size != file.size:
                return False
            return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
    except FileNotFoundError:
        return False


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to object storage without handing it our token."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            following.remove_header("Authorization")
        return following


def _opener() -> urllib.request.OpenerDirector:
    # No proxy from the environment: files_url is the platform's own, inside the cluster.
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), _Redirects())


def _fetch_with_patience(file: ManifestFile, *, files_url: str, token: str, blob: Path) -> None:
    for delay_s in (*RETRY_DELAYS_S, None):
        try:
            _fetch(file, files_url=files_url, token=token, blob=blob)
            return
        except urllib.error.HTTPError as error:
            if error.code < 500 or delay_s is None:
                raise EngineError(f"{file.path}: {files_url} answered {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            if delay_s is None:
                raise EngineError(f"{file.path}: cannot be fetched from {files_url}: {error}") from error
        time.sleep(delay_s)


def _fetch(file: ManifestFile, *, files_url: str, token: str, blob: Path) -> None:
    request = urllib.request.Request(files_url.rstrip("/") + "/" + file.sha256)  # noqa: S310  # checked in arguments
    request.add_header("Authorization", f"Bearer {token}")
    for stale in blob.parent.glob(f".{blob.name}.*"):  # ours to remove: this blob's lock is held
        stale.unlink()
    partial = blob.with_name(f".{blob.name}.{secrets.token_hex(4)}.part")
    try:
        with _opener().open(request, timeout=TIMEOUT_S) as answer, partial.open("xb") as out:
            size, sha256 = _copy(answer, out, limit=file.size)
            out.flush()
            os.fsync(out.fileno())
        if size < file.size:
            raise OSError(f"expected {file.size} bytes, got {size}")
        if size > file.size:
            raise EngineError(f"{file.path}: expected {file.size} bytes, got more")
        if sha256 != file.sha256:
            raise EngineError(f"{file.path}: expected sha256 {file.sha256}, got {sha256}")
        partial.chmod(0o444)
        partial.replace(blob)
        _sync_folder(blob.parent)
    finally:
        partial.unlink(missing_ok=True)


def _copy(answer: Any, out: Any, *, limit: int) -> tuple[int, str]:
    digest = hashlib.sha256()
    size = 0
    while size <= limit and (block := answer.read(BLOCK)):
        digest.update(block)
        out.write(block)
        size += len(block)
    return size, digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _holds_exactly(folder: Path, manifest: Sequence[ManifestFile], blobs: Path) -> bool:
    if not folder.is_dir():
        return False
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir() or p.is_symlink()}
    return present == {file.path for file in manifest} and all(
        os.path.samefile(folder / file.path, blobs / file.sha256) for file in manifest
    )


def _link_folder(folder: Path, manifest: Sequence[ManifestFile], blobs: Path) -> None:
    # Built aside and renamed: a replica that reads the old folder keeps its open files, none sees half of one.
    for left in folder.parent.glob(f".{folder.name}.*"):  # by a replica that was killed here
        shutil.rmtree(left, ignore_errors=True)
    fresh = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.new")
    try:
        for file in manifest:
            target = fresh / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(blobs / file.sha256, target)
        if folder.exists():
            stale = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.old")
            folder.rename(stale)
            shutil.rmtree(stale)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
