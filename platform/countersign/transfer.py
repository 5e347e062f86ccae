"""Moving a version's bytes: in parallel, each file whole or not at all, each checked by its SHA-256, and resumed where it stopped."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

import httpx

from countersign import resumable
from countersign.errors import Conflict, Damaged, Unreachable
from countersign.folders import LocalFile, blocks, place_in, sha256
from countersign.shapes import RemoteFile
from countersign.transport import ATTEMPTS, Transport, path_of

# From here on a file goes in parts, so that a line that breaks costs one part.
PARTS_FROM = 64 << 20
PATIENCE_S = 3600.0  # for the site to hash what was sent
_BLOCK = 1 << 20
Progress = Callable[[int], None]


def _silent(_: int) -> None:
    """Nobody watches."""


class Counter:
    """Adds up what several threads report."""

    def __init__(self, report: Progress) -> None:
        self._lock, self._report = threading.Lock(), report

    def __call__(self, bytes_moved: int) -> None:
        with self._lock:
            self._report(bytes_moved)


def upload(
    http: Transport,
    version: str,
    files: Iterable[tuple[LocalFile, RemoteFile]],
    *,
    team: str,
    threads: int,
    progress: Progress | None,
) -> None:
    """Put files into the draft at this address. `progress` hears of bytes as they have gone."""
    report = Counter(progress or _silent)
    _in_parallel(
        [partial(_upload, http, version, file, known, team, threads, report) for file, known in files], threads
    )


def _upload(
    http: Transport, version: str, file: LocalFile, known: RemoteFile, team: str, threads: int, report: Progress
) -> None:
    address = f"{version}{path_of('files', file.path)}"
    if file.size >= PARTS_FROM:
        _upload_parts(http, file, known, team, threads, report)
        http.post(f"{version}/files", {"path": file.path, "sha256": known.sha256})
        return
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Length": str(file.size),
        "X-Content-SHA256": known.sha256,
    }
    http.send("PUT", address, content=lambda: blocks(file.place), headers=headers)
    report(file.size)


def _upload_parts(
    http: Transport, file: LocalFile, known: RemoteFile, team: str, threads: int, report: Progress
) -> None:
    """In parts, those that are there already left out: an upload that broke off is remembered on this machine."""
    upload = resumable.found(http, team, known) or http.post(
        "/uploads", {"team": team, "size": file.size, "sha256": known.sha256}
    )
    if upload["state"] == "complete":  # the team holds these bytes
        report(file.size)
        return
    resumable.remember(http.site, team, known, upload["id"])
    report(sum(part["size"] for part in upload["parts"] if part["there"]))

    def send(part: dict[str, int | str]) -> None:
        number, size = int(part["number"]), int(part["size"])
        start = (number - 1) * upload["part_size"]
        address = str(part.get("url") or "")
        if not address or "/api/v1/uploads/" in address:  # else it goes to the bucket itself
            address = path_of("uploads", upload["id"], "parts", number)
        http.send(
            "PUT", address, content=lambda: blocks(file.place, start, size), headers={"Content-Length": str(size)}
        )
        report(size)

    _in_parallel([partial(send, part) for part in upload["parts"] if not part["there"]], threads)
    _complete(http, upload["id"])
    resumable.forget(http.site, team, known)


def _complete(http: Transport, upload: str) -> None:
    """Have the parts put together. The site hashes the whole, which can take longer than a request may: then it is asked again."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            http.post(path_of("uploads", upload, "complete"))
            return
        except (Conflict, Unreachable) as error:
            under_way = isinstance(error, Unreachable) or error.code == "part_in_flight"
            if not under_way or time.monotonic() >= until:
                raise
        time.sleep(1.0)
        if http.get(path_of("uploads", upload))["state"] == "complete":
            return


def download(
    http: Transport,
    version: str,
    files: Iterable[RemoteFile],
    folder: Path,
    *,
    threads: int,
    progress: Progress | None,
) -> list[RemoteFile]:
    """Bring files into a folder; those that are there with the same bytes stay. Returns the ones that were fetched."""
    report, wanted = Counter(progress or _silent), list(files)
    places = {file.path: place_in(folder, file.path) for file in wanted}  # before a byte is written
    fetched: list[RemoteFile] = []

    def fetch(file: RemoteFile) -> None:
        place = places[file.path]
        if place.is_file() and place.stat().st_size == file.size and sha256(place) == file.sha256:
            report(file.size)
            return
        _fetch(http, f"{version}{path_of('files', file.path)}", file, place, report)
        fetched.append(file)

    _in_parallel([partial(fetch, file) for file in wanted], threads)
    return sorted(fetched, key=lambda file: file.path)


def _fetch(http: Transport, address: str, file: RemoteFile, place: Path, report: Progress) -> None:
    """Into '.<name>.<hash>.part' beside its place, going on where an earlier try stopped; it takes its name when its hash is right."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.{file.sha256[:12]}.part")
    report(part.stat().st_size if part.exists() else 0)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            if not part.exists() or part.stat().st_size < file.size:
                _append(http, address, part, report)
        except httpx.TransportError as error:
            if attempt == ATTEMPTS:
                raise Unreachable(f"The download of {file.path} broke off {attempt} times: {error}") from error
            continue
        if part.stat().st_size == file.size and sha256(part) == file.sha256:
            os.replace(part, place)
            return
        report(-part.stat().st_size)
        part.unlink()
    raise Damaged(f"{file.path} arrived {ATTEMPTS} times with other bytes than its SHA-256 says. It was not kept.")


def _append(http: Transport, address: str, part: Path, report: Progress) -> None:
    start = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with http.stream(address, headers) as answer, part.open("ab") as out:
        if start and answer.status_code != 206:  # the whole of it comes again
            out.truncate(0)
            report(-start)
        for block in answer.iter_bytes(_BLOCK):
            out.write(block)
            report(len(block))


def _in_parallel(jobs: list[Callable[[], None]], threads: int) -> None:
    """Run them; the first that fails stops those that have not begun, and is raised."""
    with ThreadPoolExecutor(max(1, threads)) as pool:
        running: list[Future[None]] = [pool.submit(job) for job in jobs]
        try:
            done, waiting = wait(running, return_when=FIRST_EXCEPTION)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        for future in waiting:
            future.cancel()
        for future in done:
            future.result()
