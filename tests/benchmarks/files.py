"""1 GiB up and down through the REST API, beside `cp` and `sha256sum` of the same file on the same disk.

    python tests/benchmarks/files.py --data var [--mib 1024] [--rounds 3]

Needs a running instance with its demo workspace (`make run`); `--data` is its data folder. Prints JSON: seconds and MB/s
(medians of the rounds), the ratio to the slower of cp and sha256sum (aim: at least 0.5), and by how many MiB the memory of
the site's processes grew at most while files passed through (aim: flat).
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

BLOCK = 1 << 20


class Site:
    """The instance under test, spoken to with Alice's key."""

    def __init__(self, address: str, key: str) -> None:
        self.parts = urlsplit(address)
        self.key = key

    def connection(self) -> http.client.HTTPConnection:
        found = http.client.HTTPConnection(self.parts.hostname or "", self.parts.port, timeout=300, blocksize=BLOCK)
        return found

    def call(self, method: str, path: str, body: Any = None, *, wanted: tuple[int, ...] = (200, 201, 204)) -> Any:
        connection = self.connection()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        connection.request(method, f"/api/v1{path}", json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status not in wanted:
            raise SystemExit(f"{method} {path}: {answer.status} {text.decode()[:500]}")
        return json.loads(text) if text else None

    def upload(self, path: str, file: Path) -> None:
        connection = self.connection()
        with file.open("rb", buffering=0) as stream:
            headers = {"Authorization": f"Bearer {self.key}", "Content-Length": str(file.stat().st_size)}
            connection.request("PUT", f"/api/v1{path}", stream, headers)
            answer = connection.getresponse()
            text = answer.read()
        connection.close()
        if answer.status not in (200, 201):
            raise SystemExit(f"PUT {path}: {answer.status} {text.decode()[:500]}")

    def download(self, path: str, file: Path) -> None:
        connection = self.connection()
        connection.request("GET", f"/api/v1{path}", headers={"Authorization": f"Bearer {self.key}"})
        answer = connection.getresponse()
        buffer = memoryview(bytearray(BLOCK))
        with file.open("wb", buffering=0) as out:
            while count := answer.readinto(buffer):
                out.write(buffer[:count])
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"GET {path}: {answer.status}")

    def processes(self) -> list[psutil.Process]:
        """Everything that listens on the site's port, and its children."""
        found: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            try:
                listening = any(
                    item.laddr.port == self.parts.port
                    for item in process.net_connections(kind="tcp")
                    if item.status == psutil.CONN_LISTEN
                )
                if listening:
                    found.update({each.pid: each for each in [process, *process.children(recursive=True)]})
            except psutil.Error:
                continue
        return list(found.values())


class Memory(threading.Thread):
    """Watches the resident memory of processes; `grown_mib` is the most that their sum rose."""

    def __init__(self, processes: list[psutil.Process]) -> None:
        super().__init__(daemon=True)
        self.processes, self.stopped = processes, threading.Event()
        self.first = self.highest = self.now()

    def now(self) -> int:
        return sum(process.memory_info().rss for process in self.processes if process.is_running())

    def run(self) -> None:
        while not self.stopped.wait(0.05):
            self.highest = max(self.highest, self.now())

    def finish(self) -> float:
        self.stopped.set()
        self.join()
        return (self.highest - self.first) / 2**20


def seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def measure(site: Site, folder: Path, mib: int, rounds: int) -> dict[str, Any]:
    source, target = folder / "source.bin", folder / "target.bin"
    digest = write_random(source, mib)
    name = f"bench-{os.getpid()}"
    site.call("POST", "/models", {"team": "acme", "name": name, "task": "text-generation"})
    number = site.call("POST", f"/models/acme/{name}/versions", {"message": "benchmark"})["number"]
    base = f"/models/acme/{name}/versions/{number}"
    times: dict[str, list[float]] = {"cp": [], "sha256sum": [], "up": [], "down": []}
    site.upload(f"{base}/files/warm.txt", write_small(folder / "warm.txt"))
    memory = Memory(site.processes())
    memory.start()
    for _ in range(rounds):
        target.unlink(missing_ok=True)
        times["cp"].append(seconds(lambda: shutil_cp(source, target)))
        times["sha256sum"].append(
            seconds(lambda: subprocess.run(["sha256sum", source], check=True, capture_output=True))
        )
        times["up"].append(seconds(lambda: site.upload(f"{base}/files/weights.safetensors", source)))
        target.unlink(missing_ok=True)
        times["down"].append(seconds(lambda: site.download(f"{base}/files/weights.safetensors", target)))
    grown = memory.finish()
    if hashlib.file_digest(target.open("rb"), "sha256").hexdigest() != digest:
        raise SystemExit("What came back is not what was sent.")
    site.call("DELETE", base)
    medians = {what: statistics.median(values) for what, values in times.items()}
    slower = max(medians["cp"], medians["sha256sum"])
    return {
        "mib": mib,
        "seconds": {what: round(value, 3) for what, value in medians.items()},
        "mb_per_s": {what: round(mib * 1.048576 / value) for what, value in medians.items()},
        "ratio_to_slower_of_cp_and_sha256sum": {what: round(slower / medians[what], 2) for what in ("up", "down")},
        "site_memory_grown_mib": round(grown, 1),
        "site_processes": len(memory.processes),
    }


def shutil_cp(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--reflink=never", source, target], check=True)


def write_random(path: Path, mib: int) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as out:
        for _ in range(mib):
            block = os.urandom(BLOCK)
            digest.update(block)
            out.write(block)
        os.fsync(out.fileno())
    return digest.hexdigest()


def write_small(path: Path) -> Path:
    path.write_text("warm")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("var"), help="data folder of the running instance")
    parser.add_argument("--site", help="address of the site, where there is no demo.json")
    parser.add_argument("--key", help="API key of a contributor in team acme, likewise")
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if given.site and given.key:
        site = Site(given.site, given.key)
    else:
        demo = json.loads((given.data / "demo.json").read_text())
        site = Site(demo["site"], demo["people"]["alice"]["api_key"])
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=given.data if given.data.is_dir() else None))
    try:
        print(json.dumps(measure(site, folder, given.mib, given.rounds), indent=2))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
