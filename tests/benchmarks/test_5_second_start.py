"""The second start: everything was installed and made before, and the deployment was running when Ctrl-C came."""

import time

import pytest

from tests.benchmarks.conftest import Report, wait_running
from tests.story.conftest import Instance

pytestmark = pytest.mark.timeout(1800)
AIM_S = 30


def test_second_start(instance: Instance, report: Report):
    before = time.monotonic()
    instance.stop()
    began = time.monotonic()
    instance.start()
    site_s = time.monotonic() - began
    wait_running(instance)
    deployment_s = time.monotonic() - began
    report.add(
        "second start, until the site answers",
        figure=f"{site_s:.1f} s",
        aim=f"under {AIM_S} s",
        met=site_s < AIM_S,
        stop_s=round(began - before, 1),
    )
    report.add("  until the deployment answers again", figure=f"{deployment_s:.1f} s", aim="-", met=True)
    assert site_s < AIM_S
