"""1 GiB up and down through the REST API, whole and in parts, beside `cp`, `sha256sum` and hashlib of the same file on the same
disk, and beside MLflow's artifact proxy where one runs.

    python tests/benchmarks/files.py --data var [--mib 1024] [--rounds 3] [--mlflow http://127.0.0.1:5000]

Needs a running instance with its demo workspace (`make run`); `--data` is its data folder. Prints JSON: seconds and MB/s
(medians of the rounds), the ratio to the slower of cp and hashlib's SHA-256 (aim: at least 0.7), and by how many MiB the memory
of the site's processes grew at most while files passed through (aim: flat).
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
import sys
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
        save(answer, file)
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"GET {path}: {answer.status}")

    def upload_in_parts(self, path: str, file: Path) -> None:
        """As the CLI does: three parts at a time, then completed and linked."""
        team = path.split("/")[2]
        upload = self.call("POST", "/uploads", {"team": team, "size": file.stat().st_size, "part_size": 64 << 20})
        waiting = list(upload["parts"])

        def work() -> None:
            connection = self.connection()
            with file.open("rb", buffering=0) as stream:
                while waiting:
                    part = waiting.pop()
                    stream.seek((part["number"] - 1) * upload["part_size"])
                    headers = {"Authorization": f"Bearer {self.key}", "Content-Length": str(part["size"])}
                    address = f"/api/v1/uploads/{upload['id']}/parts/{part['number']}"
                    connection.request("PUT", address, Limited(stream, part["size"]), headers)
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status != 200:
                        raise SystemExit(f"part {part['number']}: {answer.status}")
            connection.close()

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.call("POST", f"/uploads/{upload['id']}/complete")
        base, name = path.rsplit("/", 1)
        self.call("POST", base, {"path": name, "upload": upload["id"]})
        self.call("DELETE", f"/uploads/{upload['id']}")

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


class Limited:
    """So many bytes of a file from where it stands."""

    def __init__(self, stream: Any, left: int) -> None:
        self.stream, self.left = stream, left

    def read(self, size: int) -> bytes:
        block: bytes = self.stream.read(min(size, self.left))
        self.left -= len(block)
        return block


class Peer:
    """MLflow's artifact proxy."""

    def __init__(self, address: str) -> None:
        self.site = Site(address, "")
        self.path = "/api/2.0/mlflow-artifacts/artifacts/bench/weights.safetensors"

    def upload(self, file: Path) -> None:
        connection = self.site.connection()
        with file.open("rb", buffering=0) as stream:
            connection.request("PUT", self.path, stream, {"Content-Length": str(file.stat().st_size)})
            answer = connection.getresponse()
            answer.read()
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"MLflow: {answer.status}")

    def download(self, file: Path) -> None:
        connection = self.site.connection()
        connection.request("GET", self.path)
        save(connection.getresponse(), file)
        connection.close()


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


def save(answer: http.client.HTTPResponse, file: Path) -> None:
    buffer = memoryview(bytearray(BLOCK))
    with file.open("wb", buffering=0) as out:
        while count := answer.readinto(buffer):
            out.write(buffer[:count])


def hash_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def measure(site: Site, folder: Path, mib: int, rounds: int, peer: Peer | None = None) -> dict[str, Any]:
    source, target, peer_target = (folder / name for name in ("source.bin", "target.bin", "peer.bin"))
    digest = write_random(source, mib)
    name = f"bench-{os.getpid()}"
    site.call("POST", "/models", {"team": "acme", "name": name, "task": "text-generation"})
    number = site.call("POST", f"/models/acme/{name}/versions", {"message": "benchmark"})["number"]
    base = f"/models/acme/{name}/versions/{number}"
    times: dict[str, list[float]] = {
        name: [] for name in ("cp", "sha256sum", "hashlib", "up", "up_in_parts", "down", "mlflow_up", "mlflow_down")
    }
    site.upload(f"{base}/files/warm.txt", write_small(folder / "warm.txt"))
    memory = Memory(site.processes())
    memory.start()

    def timed(what: str, act: Callable[[], object]) -> None:
        """Said as it goes, so that whoever waits sees what is slow."""
        times[what].append(seconds(act))
        print(f"  {what}: {mib / times[what][-1]:,.0f} MiB/s", file=sys.stderr, flush=True)

    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}, {mib:,} MiB", file=sys.stderr, flush=True)
        target.unlink(missing_ok=True)
        timed("cp", lambda: shutil_cp(source, target))
        timed("sha256sum", lambda: subprocess.run(["sha256sum", source], check=True, capture_output=True))
        timed("hashlib", lambda: hash_file(source))
        timed("up_in_parts", lambda: site.upload_in_parts(f"{base}/files/parts.safetensors", source))
        timed("up", lambda: site.upload(f"{base}/files/weights.safetensors", source))
        target.unlink(missing_ok=True)
        timed("down", lambda: site.download(f"{base}/files/weights.safetensors", target))
        if peer:
            timed("mlflow_up", lambda: peer.upload(source))
            timed("mlflow_down", lambda: peer.download(peer_target))
            peer_target.unlink()
    grown = memory.finish()
    if hash_file(target) != digest:
        raise SystemExit("What came back is not what was sent.")
    site.call("DELETE", base)
    medians = {what: statistics.median(values) for what, values in times.items() if values}
    slower = max(medians["cp"], medians["hashlib"])
    ways = ("up", "up_in_parts", "down")
    return {
        "mib": mib,
        "seconds": {what: round(value, 3) for what, value in medians.items()},
        "mb_per_s": {what: round(mib * 1.048576 / value) for what, value in medians.items()},
        "ratio_to_slower_of_cp_and_hashlib": {what: round(slower / medians[what], 2) for what in ways},
        "times_mlflow": {what: round(medians[f"mlflow_{what}"] / medians[what], 1) for what in ("up", "down")}
        if peer
        else {},
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
    parser.add_argument("--mlflow", help="address of an MLflow server with an artifact proxy, to stand beside")
    given = parser.parse_args()
    if given.site and given.key:
        site = Site(given.site, given.key)
    else:
        demo = json.loads((given.data / "demo.json").read_text())
        site = Site(demo["site"], demo["people"]["alice"]["api_key"])
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=given.data if given.data.is_dir() else None))
    try:
        print(
            json.dumps(
                measure(site, folder, given.mib, given.rounds, Peer(given.mlflow) if given.mlflow else None), indent=2
            )
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
