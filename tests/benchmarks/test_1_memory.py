"""Resident memory of every process, idle after the demo, with one small deployment."""

import psutil
import pytest

from tests.benchmarks.conftest import Report, quiet
from tests.story.conftest import Instance

pytestmark = pytest.mark.timeout(1800)
AIM_MIB = 2.5 * 1024
# Words of a command line, and what people call that process; the first that fits.
NAMES = [
    ("postgres", "PostgreSQL"),
    ("redis-server", "Redis"),
    ("wsgi", "site"),
    ("asgi", "gateway"),
    ("celery -A config worker", "worker"),
    ("celery -A config beat", "beat"),
    ("ServeReplica", "Serve's replica (the model)"),
    ("ServeController", "Serve's controller"),
    ("ProxyActor", "Serve's proxy"),
    ("dashboard", "Ray's dashboard"),
    ("DashboardAgent", "Ray's agents"),
    ("RuntimeEnvAgent", "Ray's agents"),
    ("ray_head", "Ray, other"),
    ("multiprocessing", "Ray, other"),
    ("ray", "Ray, other"),
    ("config.up", "supervisor"),
]


def everything(instance: Instance) -> set[psutil.Process]:
    """By descent as well as by environment: PostgreSQL and Ray write their titles over what their environment was."""
    assert instance.process is not None
    supervisor = psutil.Process(instance.process.pid)
    return {supervisor, *supervisor.children(recursive=True), *instance.processes()}


def name_of(process: psutil.Process) -> str:
    if process.name() in ("raylet", "gcs_server"):  # their command lines hold those of their children
        return f"Ray's {process.name()}"
    line = " ".join(process.cmdline())
    return next((name for words, name in NAMES if words in line), f"other: {line[:60]}")


def test_memory_of_all_processes_when_idle(instance: Instance, report: Report):
    quiet(30)
    by_name: dict[str, list[float]] = {}
    for process in everything(instance):
        try:
            # PSS: a page that several processes share counts once in all.
            by_name.setdefault(name_of(process), []).append(process.memory_full_info().pss / 2**20)
        except psutil.NoSuchProcess:
            continue
    total = sum(sum(sizes) for sizes in by_name.values())
    details = {
        name: {"processes": len(sizes), "pss_mib": round(sum(sizes), 1)}
        for name, sizes in sorted(by_name.items(), key=lambda item: -sum(item[1]))
    }
    for name, one in details.items():
        print(f"  {one['pss_mib']:8.1f} MiB  {one['processes']:3d}  {name}")
    report.add(
        "memory, idle after the demo, one deployment",
        figure=f"{total / 1024:.2f} GiB",
        aim="under 2.5 GiB",
        met=total < AIM_MIB,
        by_process=details,
    )
    assert total < AIM_MIB
