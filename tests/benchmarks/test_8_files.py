"""1 GiB up and down through the REST API, beside `cp` and hashlib, and beside MLflow's artifact proxy where it is installed."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.benchmarks import files
from tests.benchmarks.conftest import Lean, Report
from tests.clients.driver import ENVIRONMENT
from tests.story.conftest import free_ports, wait_for

pytestmark = [pytest.mark.timeout(1800), pytest.mark.django_db(transaction=True)]
AIM, FLAT_MIB = 0.7, 64
MIB, ROUNDS = int(os.environ.get("FILES_MIB", "1024")), int(os.environ.get("FILES_ROUNDS", "3"))


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[files.Peer | None]:
    program = Path(os.environ.get("MLFLOW_PYTHON", ENVIRONMENT / "bin" / "python")).parent / "mlflow"
    if not program.exists():
        yield None
        return
    port = free_ports()
    command: list[Any] = [
        program, "server", "--workers", "2", "--host", "127.0.0.1", "--port", str(port), "--backend-store-uri",
        f"sqlite:///{tmp_path}/mlflow.db", "--artifacts-destination", str(tmp_path / "artifacts"),
    ]  # fmt: skip
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "DJANGO_SETTINGS_MODULE")}
    env["PATH"] = f"{program.parent}:{env['PATH']}"
    with (tmp_path / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for("mlflow", lambda: httpx.get(f"{address}/version", timeout=5).status_code == 200, timeout_s=600)
        time.sleep(20)  # its job processes are still importing
        yield files.Peer(address)
    finally:
        # With the processes that it started, which outlive it while they are still importing.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=60)


def test_transfer_of_a_gibibyte(lean: Lean, report: Report, tmp_path: Path, peer: files.Peer | None) -> None:
    """On the site alone: waiting for a demo to be trained took longer than the transfers."""
    site = files.Site(lean.site, lean.key)
    found = files.measure(site, tmp_path, mib=MIB, rounds=ROUNDS, peer=peer)
    ratios = found["ratio_to_slower_of_cp_and_hashlib"]
    for way, name in (("up", "upload"), ("up_in_parts", "upload in parts"), ("down", "download")):
        report.add(
            f"{name} of {MIB:,} MiB / slower of cp, hashlib",
            figure=f"{ratios[way]:.2f}"
            + (f", {found['times_mlflow'][way]:.1f} times mlflow" if way in found["times_mlflow"] else ""),
            aim=f"at least {AIM}",
            met=ratios[way] >= AIM,
            mb_per_s=found["mb_per_s"],
            times_mlflow=found["times_mlflow"],
        )
    grown = found["site_memory_grown_mib"]
    report.add("  the site's memory meanwhile", figure=f"+{grown} MiB", aim="flat", met=grown < FLAT_MIB)
    assert min(ratios.values()) >= AIM, found
    assert grown < FLAT_MIB, found
