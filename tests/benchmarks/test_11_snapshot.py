"""A snapshot of 200 files by huggingface_hub, beside `cp` and a plain file server of the same files."""

import functools
import http.server
import os
import shutil
import statistics
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.conftest import Lean, Report

pytestmark = [pytest.mark.timeout(1200), pytest.mark.django_db(transaction=True)]
FILES, SIZE = 200, 64 * 1024
ROUNDS = 3


def _run(code: str, environment: dict[str, str]) -> float:
    """Seconds that the code says it took, without the start of Python."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": environment["HF_HOME"], **environment},
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout.split()[-1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    there = tmp_path / "files"
    there.mkdir()
    for number in range(FILES):
        (there / f"part-{number:03d}.bin").write_bytes(os.urandom(SIZE))
    return there


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: Any) -> None:
        pass


def _plain(folder: Path, target: Path) -> float:
    """The same files from Python's own file server, eight at a time, by the same library for HTTP."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    code = f"""
        import time, httpx2
        from concurrent.futures import ThreadPoolExecutor
        from pathlib import Path
        target = Path({str(target)!r}); target.mkdir()
        began = time.perf_counter()
        with httpx2.Client() as client, ThreadPoolExecutor(8) as pool:
            def fetch(name):
                client.head(f"http://127.0.0.1:{server.server_port}/{{name}}")
                (target / name).write_bytes(client.get(f"http://127.0.0.1:{server.server_port}/{{name}}").content)
            list(pool.map(fetch, {sorted(path.name for path in folder.iterdir())!r}))
        print(time.perf_counter() - began)
        """
    try:
        return _run(code, {"HF_HOME": str(target.parent)})
    finally:
        server.shutdown()


def test_a_snapshot_of_200_files(lean: Lean, report: Report, folder: Path, tmp_path: Path) -> None:
    environment = {
        "HF_ENDPOINT": f"{lean.site}/hf", "HF_TOKEN": lean.key, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HOME": str(tmp_path / "home"),
    }  # fmt: skip
    name = "acme/snapshot"
    _run(
        f"""
        import time
        from huggingface_hub import HfApi
        began = time.perf_counter()
        HfApi().create_repo({name!r})
        HfApi().upload_folder(repo_id={name!r}, folder_path={str(folder)!r})
        print(time.perf_counter() - began)
        """,
        environment,
    )
    ours, plain, copied = [], [], []
    for number in range(ROUNDS):
        code = f"""
            import time
            from huggingface_hub import snapshot_download
            began = time.perf_counter()
            snapshot_download({name!r})
            print(time.perf_counter() - began)
            """
        ours.append(_run(code, {**environment, "HF_HOME": str(tmp_path / f"down-{number}")}))
        there = list((tmp_path / f"down-{number}").rglob("snapshots/*/*.bin"))
        assert len(there) == FILES
        assert all(path.read_bytes() == (folder / path.name).read_bytes() for path in there)
        plain.append(_plain(folder, tmp_path / f"plain-{number}"))
        began = time.perf_counter()
        shutil.copytree(folder, tmp_path / f"copy-{number}")
        copied.append(time.perf_counter() - began)
    mine, theirs = statistics.median(ours), statistics.median(plain)
    report.add(
        f"snapshot_download of {FILES} files",
        figure=f"{mine:.1f} s (a plain file server {theirs:.1f} s, cp {statistics.median(copied):.2f} s)",
        aim="under 10 s",
        met=mine < 10,
        seconds=ours,
        plain_s=plain,
        copy_s=copied,
    )
